-- A generation that a rebuild has filled may wait, `ready`, until somebody makes it the active one. One that is to go
-- is `dropping` until its tables could be dropped without making a search wait.
alter table generations drop constraint generations_state_check;
alter table generations add constraint generations_state_check
    check (state in ('building', 'ready', 'active', 'retired', 'dropping'));
alter table generations add column ready_at timestamptz;
update generations set ready_at = activated_at;

-- How many retired generations a swap leaves.
alter table indexes add column keep_generations integer not null default 1 check (keep_generations between 0 and 10);
