-- The state of cutover's own runs. Nothing here needs advisory locks, LISTEN or a superuser, so any Postgres-compatible database holds it.

-- A controller renews one row, whatever the number of its runs.
create table controller (
    id          uuid primary key,
    name        text not null,
    lease_until timestamptz not null
);

-- Runs are spread over 256 shards; a shard is owned by one controller at a time. The epoch is part of a key, so that taking a shard
-- over conflicts with every journal write that holds the row FOR KEY SHARE, and renewing a lease conflicts with none.
create table shard (
    id    smallint primary key,
    epoch bigint not null default 0,
    owner uuid,
    unique (id, epoch)
);
insert into shard (id) select generate_series(0, 255);

-- What a run was started with, by content hash: many runs of one playbook share it.
create table blob (
    hash text primary key,
    body jsonb not null
);

create table run (
    id          uuid primary key,
    shard       smallint not null references shard (id),
    playbook    text not null,
    environment text not null,
    link        text,
    started_by  text not null,
    started_at  timestamptz not null default clock_timestamp(),
    bundle      text not null references blob (hash),
    plan        jsonb not null,
    -- Written when the state changes, never per step.
    state       text not null default 'pending',
    ended_at    timestamptz
);
create index run_started on run (started_at desc);
create index run_open on run (state) where ended_at is null;

-- The journal. Written only by the statement in store/journal.rs.
create table entry (
    run     uuid not null,
    seq     bigint not null,
    shard   smallint not null,
    epoch   bigint not null,
    kind    text not null,
    version smallint not null,
    body    jsonb not null,
    at      timestamptz not null,
    primary key (run, seq)
);

-- What people tell a run. Only the controller that owns the run's shard answers, in the statement that journals what follows from it.
create table inbox (
    id          bigint generated always as identity primary key,
    run         uuid not null references run (id),
    shard       smallint not null,
    body        jsonb not null,
    said_at     timestamptz not null default clock_timestamp(),
    answer      jsonb,
    answered_at timestamptz
);
create index inbox_open on inbox (shard) where answer is null;

-- When a run is to be looked at again. A run that waits costs this row and nothing else. `loads` counts how often it was loaded at
-- the same place in its journal: a run that brings its controller down again and again is taken out of service.
create table wake (
    run    uuid primary key references run (id),
    shard  smallint not null,
    at     timestamptz not null,
    loads  smallint not null default 0,
    loaded bigint not null default -1
);
create index wake_due on wake (shard, at);

-- Things that runs hold against each other. The parent row serialises claims of the same thing.
create table resource (
    name text primary key
);
create table resource_lock (
    resource text not null references resource (name),
    run      uuid not null references run (id),
    mode     text not null check (mode in ('read', 'write')),
    primary key (resource, run)
);
create index resource_lock_run on resource_lock (run);

-- The built-in flag store: every revision of the flagd document, and the change that made it.
create table flag_revision (
    store    text not null,
    revision bigint not null,
    key      text not null,
    flag     text not null,
    document jsonb not null,
    at       timestamptz not null default clock_timestamp(),
    primary key (store, revision),
    unique (store, key)
);
