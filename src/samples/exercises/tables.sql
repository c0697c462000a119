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
