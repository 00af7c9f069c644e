-- Ends attempts that still hold their lease; a job that is being cancelled ends cancelled.
with ended as (
    select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::jsonb[], $5::text[], $6::text[])
        as e (id, fence, state, result, error_code, error_detail)
)
update jobs j
set state = case when j.state = 'cancelling' then 'cancelled' else e.state end,
    state_reason = null,
    result = case when j.state = 'cancelling' then null else e.result end,
    error_code = case when j.state = 'cancelling' then null else e.error_code end,
    error_detail = case when j.state = 'cancelling' then null else e.error_detail end,
    lease_expires_at = null,
    next_attempt_at = null,
    finished_at = now(),
    updated_at = now()
from ended e
where j.id = e.id and j.fence = e.fence and j.state in ('running', 'cancelling')
returning j.id, j.state
