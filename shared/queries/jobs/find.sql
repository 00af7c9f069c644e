select j.id, j.kind, j.queue, j.state, j.state_reason, j.paused, j.priority, j.params, j.labels, j.attempt, j.max_attempts,
       j.progress, j.result, j.error_code, j.error_detail, j.worker_id, (select k.name from keys k where k.id = j.created_by) as "created_by?", j.created_at,
       j.scheduled_at, j.started_at, j.finished_at, j.next_attempt_at
from jobs j
where j.id = any($1)
