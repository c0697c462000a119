-- What a service has promised to tell and nobody has acknowledged yet. A row is deleted once it was acknowledged.
create table if not exists outbox (
    id bigint generated always as identity primary key,
    transport text not null check (transport in ('call', 'events')),
    destination text not null,
    key text not null,
    event_id text not null,
    body text not null,
    written_at timestamptz not null default clock_timestamp()
);
create index if not exists outbox_order on outbox (transport, id);

-- Whoever holds the row of a transport is the one relay of this service for it.
create table if not exists outbox_relay (transport text primary key);
insert into outbox_relay (transport) values ('call'), ('events') on conflict do nothing;
