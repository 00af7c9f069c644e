update schedules
set source = $2, prefix = $3, mode = $4, every_seconds = $5, cron = $6, timezone = $7, jitter_seconds = $8, paused = $9,
    anchor_at = $10, due_at = $11, next_at = $12, updated_at = now(), touched_at = now()
where id = $1
