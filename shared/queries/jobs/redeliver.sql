-- Hands out again what waits in our table but not in the queue's: a delivery that was acknowledged or lost
-- while its job was not done (a crash between the two, a queue that was tampered with).
with waiting as (
    select j.id, j.delivery_id, j.queue, j.priority, q.paused or j.paused as paused, coalesce(j.next_attempt_at, j.scheduled_at, now()) as due
    from jobs j
    join queues q on q.name = j.queue
    where j.state in ('queued', 'scheduled', 'retrying') and j.updated_at < now() - make_interval(secs => $1)
),
again as (
    update apalis.jobs a
    set status = 'Pending', run_at = w.due, lock_by = null, lock_at = null, done_at = null, attempts = 0
    from waiting w
    where a.id = w.delivery_id
      and (a.status in ('Done', 'Killed') or (a.status = 'Failed' and a.attempts >= a.max_attempts)
           -- Parked by a worker whose claim came before the queue, or the job, was resumed.
           or (a.status in ('Pending', 'Failed') and not w.paused and a.run_at > now() + interval '500 years')
           or (a.status in ('Queued', 'Running')
               and not exists (select from apalis.workers x
                               where x.id = a.lock_by and x.last_seen > now() - make_interval(secs => $1))))
    returning a.id
),
-- Jobs that are over need no delivery.
over as (
    update apalis.jobs a set status = 'Done', done_at = now()
    from jobs j
    where j.delivery_id = a.id and j.finished_at < now() - make_interval(secs => $1)
      and a.run_at <= now() and (a.status = 'Pending' or (a.status = 'Failed' and a.attempts < a.max_attempts))
),
anew as (
    insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
    select w.delivery_id, w.queue, convert_to(to_json(w.id::text)::text, 'UTF8'), 'Pending', 0, 1000000, w.due, w.priority + 100
    from waiting w
    where not exists (select from apalis.jobs a where a.id = w.delivery_id)
    on conflict do nothing
    returning id
)
select (select count(*) from again) + (select count(*) from anew) as "count!"
