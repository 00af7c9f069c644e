-- Stores new jobs, and gives them as they are stored.
insert into jobs as j (id, delivery_id, kind, queue, state, priority, params, labels, max_attempts, timeout_seconds, created_by,
                       scheduled_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::jsonb[], $8::jsonb[], $9::int[],
                     $10::int[], $11::uuid[], $12::timestamptz[])
returning j.id, j.kind, j.queue, j.state, j.state_reason, j.paused, j.priority, j.params, j.labels, j.attempt, j.max_attempts,
          j.progress, j.result, j.error_code, j.error_detail, j.worker_id,
          (select k.name from keys k where k.id = j.created_by) as "created_by?", j.created_at, j.scheduled_at, j.started_at,
          j.finished_at, j.next_attempt_at
