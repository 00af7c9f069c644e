update schedules
set skipped = skipped + 1, last_skipped_at = now(), due_at = $2, next_at = $3, touched_at = now()
where id = $1
