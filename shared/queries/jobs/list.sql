select j.id, j.kind, j.queue, j.state, j.state_reason, j.paused, j.priority, j.params, j.labels, j.attempt, j.max_attempts,
       j.progress, j.result, j.error_code, j.error_detail, j.worker_id, k.name as "created_by?", j.created_at,
       j.scheduled_at, j.started_at, j.finished_at, j.next_attempt_at
from jobs j
left join keys k on k.id = j.created_by
where (cardinality($1::text[]) = 0 or j.kind = any($1))
  and (cardinality($2::text[]) = 0 or j.state = any($2))
  and (cardinality($3::text[]) = 0 or j.queue = any($3))
  and ($4::jsonb is null or j.labels @> $4)
  and ($5::timestamptz is null or j.created_at >= $5)
  and ($6::bool is null or j.paused = $6)
  and ($7::uuid is null or j.id < $7)
order by j.id desc
limit $8
