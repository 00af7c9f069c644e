insert into schedules (id, name, index_id, source, prefix, mode, every_seconds, cron, timezone, jitter_seconds, paused,
                       anchor_at, due_at, next_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
