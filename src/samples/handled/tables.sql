-- One key over all ways: an event that came by call and by topic is one event.
create table if not exists handled_event (
    event_id text not null,
    produced_at timestamptz not null,
    primary key (event_id, produced_at)
);
