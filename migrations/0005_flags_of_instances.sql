-- The flags that an instance may evaluate, as it says itself; null when it does not say.
alter table heartbeat add column flags jsonb;
