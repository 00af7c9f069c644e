select s.id, s.name, i.name as index, s.source, s.prefix, s.mode, s.every_seconds, s.cron, s.timezone, s.jitter_seconds,
       s.paused, s.anchor_at, s.due_at, s.next_at, s.last_at, s.skipped, s.last_skipped_at, s.created_by as creator,
       k.name as "created_by?", s.created_at, s.updated_at,
       j.id as "job_id?", j.state as "job_state?", j.created_at as "job_created_at?", j.finished_at as job_finished_at,
       j.error_code as job_error_code, j.error_detail as job_error_detail,
       (select r.id from jobs r
        where r.queue = 'index' and r.kind = 'index' and r.finished_at is null
          and (r.id = s.last_job_id or r.labels @> jsonb_build_object('schedule', s.name))
        order by r.id limit 1) as running
from schedules s
join indexes i on i.id = s.index_id
left join jobs j on j.id = s.last_job_id
left join keys k on k.id = s.created_by
where ($1::text is null or s.name = $1) and ($2::text is null or i.name = $2) and s.name > $3
order by s.name
limit $4
