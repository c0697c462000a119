-- What should run of each service, and what does. `workloads` names one place that runs services, for instance `local/main`.

-- Every revision of what should run, and the change that made it; the newest one counts.
create table workload (
    workloads text not null,
    service   text not null,
    revision  bigint not null,
    key       text not null,
    release   text not null,
    instances integer not null check (instances >= 0),
    at        timestamptz not null default clock_timestamp(),
    primary key (workloads, service, revision),
    unique (workloads, key)
);

-- The supervisor that keeps processes to it. It says so again and again; one that fell silent is dead or cut off.
create table supervisor (
    workloads text primary key,
    name      text not null,
    -- The services that it can run, each with the number of instances that is meant when nobody says one.
    services  jsonb not null,
    at        timestamptz not null default clock_timestamp()
);

-- Processes that run or should run, as the supervisor last saw them.
create table instance (
    workloads text not null,
    instance  text not null,
    service   text not null,
    release   text not null,
    state     text not null check (state in ('starting', 'ready', 'stopping', 'failing')),
    reason    text not null,
    pid       bigint,
    started   text,
    port      integer,
    at        timestamptz not null default clock_timestamp(),
    primary key (workloads, instance)
);
