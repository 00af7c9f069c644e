-- The epochs of runs ($1) on their clocks, at most about $2 of each run, the last among them.
select job_id, epoch, seconds as "seconds!", images_per_second, step
from (
    select job_id, epoch,
           coalesce((row ->> 'elapsed_seconds')::float8,
                    sum(coalesce((row ->> 'seconds')::float8, 0)) over (partition by job_id order by epoch)) as seconds,
           (row ->> 'images_per_second')::float8 as images_per_second,
           (row ->> 'step')::bigint as step,
           row_number() over (partition by job_id order by epoch desc) as number,
           count(*) over (partition by job_id) as total
    from job_metrics
    where job_id = any($1)
) e
where (number - 1) % greatest(1, (total + $2 - 1) / $2) = 0
order by job_id, epoch
