-- What instances of services last said about the flag document that they evaluate. The age of a row is by this database's clock alone.
create table heartbeat (
    environment text not null,
    store       text not null,
    service     text not null,
    instance    text not null,
    release     text not null,
    -- What new requests use, and the oldest that a request which still runs may use. Neither ever goes back: a process does not.
    revision    bigint not null,
    oldest      bigint not null,
    at          timestamptz not null default clock_timestamp(),
    -- Said once and for all: a report that was late does not bring an instance back.
    ending      boolean not null default false,
    primary key (environment, store, service, instance)
);
create index heartbeat_at on heartbeat (at);

-- When everybody was first known to have left the revisions before this one.
alter table flag_revision add column acknowledged_at timestamptz;
