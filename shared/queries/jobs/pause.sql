-- Pauses jobs: those that wait at once, with their deliveries; those that run are told to stop. `w` locks the rows in
-- order; what is set depends on `j` alone, which a CHECK sees as it was before another session's change.
with changed as (
    update jobs j
    set paused = true,
        state = case when j.state = 'running' then 'running' else 'queued' end,
        state_reason = case when j.state = 'running' then 'pausing' else 'paused' end,
        next_attempt_at = null, updated_at = now()
    from (select id from jobs where id = any($1) and not paused order by id for update) w
    where j.id = w.id and j.state in ('queued', 'running', 'retrying')
    returning j.id, j.delivery_id, j.state
),
parked as (
    update apalis.jobs a set run_at = now() + interval '1000 years'
    from changed c
    where a.id = c.delivery_id and c.state = 'queued' and a.status in ('Pending', 'Failed')
    returning a.id
),
told as (
    select pg_notify('job_pause', id::text) from changed where state = 'running'
)
select c.id, c.state, (select count(*) from told) as "told!", (select count(*) from parked) as "parked!"
from changed c
