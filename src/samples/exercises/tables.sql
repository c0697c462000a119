create table if not exists exercise (
    id text primary key,
    title text not null,
    version bigint not null,
    updated_at timestamptz not null
);

-- Every change that was made, as it was made. Nothing here keeps a change from being made twice: that is handled_request's task, and
-- this table is how a failure of it would show.
create table if not exists exercise_change (
    number bigint generated always as identity,
    exercise_id text not null,
    version bigint not null,
    title text not null,
    request_id uuid not null,
    event_id text,
    at timestamptz not null default clock_timestamp()
);

create table if not exists handled_request (
    request_id uuid primary key,
    exercise_id text not null,
    version bigint
);

-- The manager of each attempt, and how often one was assigned.
create table if not exists reviewer (
    attempt_id text primary key,
    manager text not null,
    number bigint not null
);

-- Every assignment that was made, as it was made. Nothing here keeps one from being made twice: that is handled_assignment's task.
create table if not exists assignment (
    id bigint generated always as identity,
    attempt_id text not null,
    number bigint not null,
    manager text not null,
    request_id uuid not null,
    event_id text not null,
    at timestamptz not null default clock_timestamp()
);

create table if not exists handled_assignment (
    request_id uuid primary key,
    attempt_id text not null,
    number bigint,
    event_id text
);

-- What is to be told and may not be told yet, in the order of each key. A row goes to the outbox once there is a way again.
create table if not exists held (
    id bigint generated always as identity primary key,
    key text not null,
    event_id text not null,
    body text not null,
    held_at timestamptz not null default clock_timestamp()
);
create index if not exists held_order on held (key, id);
