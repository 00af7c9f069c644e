-- Takes the leases of the jobs that may start, and says of every job asked for what became of it.
with wanted as (
    select j.id, j.state, j.attempt, j.max_attempts, j.lease_expires_at, q.paused or j.paused as paused,
           coalesce(j.next_attempt_at, j.scheduled_at) as due
    from jobs j
    join queues q on q.name = j.queue
    where j.id = any($1)
    order by j.id
    for update of j
),
judged as (
    select id, due,
           case when state in ('succeeded', 'failed', 'cancelled') then 'final'
                when state in ('running', 'cancelling') and lease_expires_at > now() then 'held'
                when state = 'cancelling' then 'cancelled'
                when attempt >= max_attempts then 'exhausted'
                when state in ('scheduled', 'retrying') and due > now() then 'early'
                when paused then 'paused'
                else 'started' end as verdict
    from wanted
),
changed as (
    update jobs j
    set state = case v.verdict when 'started' then 'running' when 'cancelled' then 'cancelled' else 'failed' end,
        state_reason = case v.verdict when 'exhausted' then 'no attempts left' end,
        attempt = j.attempt + (v.verdict = 'started')::int,
        fence = j.fence + (v.verdict = 'started')::int,
        paused = false,
        worker_id = case v.verdict when 'started' then $2 else j.worker_id end,
        lease_expires_at = case v.verdict when 'started' then now() + make_interval(secs => $3) end,
        started_at = coalesce(j.started_at, case v.verdict when 'started' then now() end),
        finished_at = case v.verdict when 'started' then null else now() end,
        next_attempt_at = null,
        progress = case v.verdict when 'started' then null else j.progress end,
        error_code = case v.verdict when 'exhausted' then 'worker_lost' when 'started' then null else j.error_code end,
        error_detail = case v.verdict
            when 'exhausted' then format('the worker was lost during the last of %s attempts', j.max_attempts)
            when 'started' then null else j.error_detail end,
        updated_at = now()
    from judged v
    where j.id = v.id and v.verdict in ('started', 'cancelled', 'exhausted')
    returning j.id, j.kind, j.params, j.attempt, j.max_attempts, j.fence, j.timeout_seconds, j.created_at, j.checkpoint,
              j.stored_attempt
)
select v.id, v.verdict as "verdict!", v.due, c.kind as "kind?", c.params as "params?", c.attempt as "attempt?",
       c.max_attempts as "max_attempts?", c.fence as "fence?", c.timeout_seconds as "timeout_seconds?",
       c.created_at as "created_at?", c.checkpoint as "checkpoint?",
       c.stored_attempt as "stored_attempt?"
from judged v
left join changed c using (id)
