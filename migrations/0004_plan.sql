-- Plans that people saved, each as its file holds it. A row is written once and never changed.
create table plan (
    id          uuid primary key,
    hash        text not null,
    playbook    text not null,
    environment text not null,
    saved_by    text not null,
    saved_at    timestamptz not null,
    body        jsonb not null
);
create index plan_saved on plan (saved_at desc);
