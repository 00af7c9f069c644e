-- Takes the leases of the jobs of a queue that are due, the most urgent first, and acknowledges their deliveries: what a
-- fetch, claims and acknowledgements do, in one statement. Jobs that another session is changing are left for the next time.
with due as (
    select j.id, j.delivery_id, coalesce(j.next_attempt_at, j.scheduled_at) as due,
           case when j.attempt >= j.max_attempts then 'exhausted'
                when coalesce(j.next_attempt_at, j.scheduled_at) > now() then 'early'
                when q.paused or j.paused then 'paused'
                else 'started' end as verdict
    from apalis.jobs a
    join jobs j on j.delivery_id = a.id
    join queues q on q.name = j.queue
    where a.job_type = $1 and a.run_at <= now()
      and (a.status = 'Pending' or (a.status = 'Failed' and a.attempts < a.max_attempts))
      and j.state in ('scheduled', 'queued', 'retrying')
    order by a.priority desc, a.run_at, a.id
    limit $2
    for update of j skip locked
),
-- A delivery that is acknowledged comes again when its job does: every statement that sends a job back delivers it anew.
delivered as (
    update apalis.jobs a
    set status = case when d.verdict in ('early', 'paused') then 'Pending' else 'Done' end,
        run_at = case d.verdict when 'early' then d.due when 'paused' then now() + interval '1000 years' else a.run_at end,
        done_at = case when d.verdict in ('early', 'paused') then null else now() end,
        lock_by = null, lock_at = null
    from due d
    where a.id = d.delivery_id
)
update jobs j
set state = case d.verdict when 'started' then 'running' else 'failed' end,
    state_reason = case d.verdict when 'exhausted' then 'no attempts left' end,
    attempt = j.attempt + (d.verdict = 'started')::int,
    fence = j.fence + (d.verdict = 'started')::int,
    paused = false,
    worker_id = case d.verdict when 'started' then $3 else j.worker_id end,
    lease_expires_at = case d.verdict when 'started' then now() + make_interval(secs => $4) end,
    started_at = coalesce(j.started_at, case d.verdict when 'started' then now() end),
    finished_at = case d.verdict when 'exhausted' then now() end,
    next_attempt_at = null,
    progress = case d.verdict when 'exhausted' then j.progress end,
    error_code = case d.verdict when 'exhausted' then 'worker_lost' end,
    error_detail = case d.verdict
        when 'exhausted' then format('the worker was lost during the last of %s attempts', j.max_attempts) end,
    updated_at = now()
from due d
where j.id = d.id and d.verdict in ('started', 'exhausted')
returning j.id, j.kind, j.params, j.attempt, j.max_attempts, j.fence, j.timeout_seconds, j.created_at, j.checkpoint,
          j.stored_attempt, d.verdict as "verdict!"
