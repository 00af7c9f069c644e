-- The last attempt of a job that stored what a later one goes on from: how long the next one waits, and whether an outage
-- uses an attempt up, depends on the attempts since.
alter table jobs add column stored_attempt integer not null default 0;
