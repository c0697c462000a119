-- Every attempt that was stored, as it was stored. Nothing here keeps an attempt from being stored twice: that is handled_request's
-- task, and this table is how a failure of it would show.
create table if not exists attempt (
    number bigint generated always as identity,
    request_id uuid not null,
    exercise_id text not null,
    candidate text not null,
    title text not null,
    version_seen bigint not null,
    path text not null check (path in ('call', 'events')),
    at timestamptz not null default clock_timestamp()
);

create table if not exists handled_request (
    request_id uuid primary key,
    version_seen bigint not null
);

-- The local copy of exercises, fed by events.
create table if not exists exercise_copy (
    id text primary key,
    title text not null,
    version bigint not null,
    updated_at timestamptz not null default clock_timestamp()
);

-- Every event that was applied, in the order of each exercise; `changed` says whether it brought the copy something newer, and `copied` at
-- which version the copy then was: that of the event, or what its owner told when it was asked.
create table if not exists applied (
    number bigint generated always as identity,
    exercise_id text not null,
    version bigint not null,
    event_id text not null,
    partition integer not null,
    "offset" bigint not null,
    changed boolean not null,
    copied bigint not null,
    at timestamptz not null default clock_timestamp()
);

-- Events that could not be understood.
create table if not exists failed_message (
    number bigint generated always as identity,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    key bytea,
    value bytea,
    reason text not null,
    at timestamptz not null default clock_timestamp(),
    primary key (topic, partition, "offset")
);

-- Who reviews each attempt.
create table if not exists reviewer (
    attempt_id text primary key,
    manager text not null,
    number bigint not null
);

-- Every assignment of a manager as it took effect, in the order of each attempt. Nothing here keeps one from taking effect twice: that
-- is handled_event's task, and this table is how a failure of it would show.
create table if not exists review (
    id bigint generated always as identity,
    attempt_id text not null,
    number bigint not null,
    manager text not null,
    event_id text not null,
    path text not null check (path in ('call', 'events')),
    at timestamptz not null default clock_timestamp()
);
