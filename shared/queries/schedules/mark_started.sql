update schedules
set last_job_id = $2, last_at = now(), due_at = $3, next_at = $4, touched_at = now()
where id = $1
