-- Every credit that was given, as it was given. Nothing here keeps a credit from being given twice: that is handled_event's task, and
-- this table is how a failure of it would show.
create table if not exists credit (
    number bigint generated always as identity,
    event_id text not null,
    produced_at timestamptz not null,
    attempt uuid not null,
    candidate text not null,
    amount bigint not null,
    path text not null check (path in ('call', 'events')),
    at timestamptz not null default clock_timestamp()
);
