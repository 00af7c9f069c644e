select q.name, q.paused,
       coalesce(l.depth, 0) as "depth!", coalesce(l.running, 0) as "running!",
       coalesce(l.scheduled, 0) as "scheduled!", coalesce(l.retrying, 0) as "retrying!",
       extract(epoch from now() - l.oldest)::float8 as oldest_age_seconds,
       coalesce(e.finished, 0) as "finished_per_minute!", coalesce(e.failed, 0) as "failed_per_minute!",
       coalesce(n.enqueued, 0) as "enqueued_per_minute!"
from queues q
left join (
    select queue,
           count(*) filter (where state = 'queued' and not paused) as depth,
           count(*) filter (where state in ('running', 'cancelling')) as running,
           count(*) filter (where state = 'scheduled') as scheduled,
           count(*) filter (where state = 'retrying') as retrying,
           min(coalesce(scheduled_at, created_at)) filter (where state = 'queued' and not paused) as oldest
    from jobs where finished_at is null group by queue
) l on l.queue = q.name
left join (
    select queue, count(*) filter (where state = 'succeeded') as finished, count(*) filter (where state = 'failed') as failed
    from jobs where finished_at > now() - interval '1 minute' group by queue
) e on e.queue = q.name
left join (
    select queue, count(*) as enqueued from job_events
    where at > now() - interval '1 minute' and type in ('queued', 'scheduled') and attempt = 0 group by queue
) n on n.queue = q.name
order by array_position(array['search', 'index', 'train', 'maintenance'], q.name)
