-- Takes back the jobs of workers that were not heard of in time, and hands their deliveries out anew.
with lost as (
    select id from jobs
    where lease_expires_at < now()
    order by id
    for update skip locked
),
changed as (
    update jobs j
    set state = case when j.state = 'cancelling' then 'cancelled'
                     when j.attempt >= j.max_attempts then 'failed'
                     else 'queued' end,
        state_reason = case when j.paused and j.state = 'running' and j.attempt < j.max_attempts then 'paused'
                            else 'its worker was lost' end,
        paused = j.paused and j.state = 'running' and j.attempt < j.max_attempts,
        error_code = case when j.state = 'running' and j.attempt >= j.max_attempts then 'worker_lost' end,
        error_detail = case when j.state = 'running' and j.attempt >= j.max_attempts
            then format('the worker was lost during the last of %s attempts', j.max_attempts) end,
        finished_at = case when j.state = 'cancelling' or j.attempt >= j.max_attempts then now() end,
        lease_expires_at = null,
        updated_at = now()
    from lost
    where j.id = lost.id
    returning j.id, j.delivery_id, j.state, j.paused
),
delivered as (
    update apalis.jobs a
    set status = case when c.state = 'queued' then 'Pending' else 'Killed' end,
        run_at = case when c.paused then now() + interval '1000 years' else now() end, lock_by = null, lock_at = null,
        done_at = case when c.state = 'queued' then null else now() end
    from changed c
    where a.id = c.delivery_id
    returning a.id
)
select c.id, c.state from changed c left join delivered d on d.id = c.delivery_id
