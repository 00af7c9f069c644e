-- Ends attempts that still hold their lease; a job that is being cancelled ends cancelled.
with ended as (
    select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::jsonb[], $5::text[], $6::text[])
        as e (id, fence, state, result, error_code, error_detail)
),
-- Rows are locked in the order of their ids, as every statement on many jobs does, so that none waits in a circle.
held as (
    select j.id from jobs j join ended e on e.id = j.id
    where j.fence = e.fence and j.state in ('running', 'cancelling')
    order by j.id
    for update of j
)
update jobs j
set state = case when j.state = 'cancelling' then 'cancelled' else e.state end,
    state_reason = null,
    paused = false,
    result = case when j.state = 'cancelling' then null else e.result end,
    error_code = case when j.state = 'cancelling' then null else e.error_code end,
    error_detail = case when j.state = 'cancelling' then null else e.error_detail end,
    lease_expires_at = null,
    next_attempt_at = null,
    finished_at = now(),
    updated_at = now()
from ended e join held h on h.id = e.id
where j.id = e.id and j.fence = e.fence
returning j.id, j.state
