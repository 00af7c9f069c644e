-- Lets paused jobs go on; their deliveries come back unless their queue is paused.
with changed as (
    update jobs j
    set paused = false, state_reason = case j.state when 'queued' then 'resumed' end, updated_at = now()
    from (select id from jobs where id = any($1) and paused order by id for update) w
    where j.id = w.id
    returning j.id, j.delivery_id, j.queue, j.state, j.created_at
),
back as (
    update apalis.jobs a set run_at = c.created_at
    from changed c join queues q on q.name = c.queue
    where a.id = c.delivery_id and c.state = 'queued' and not q.paused and a.run_at > now() + interval '500 years'
    returning a.id
)
select c.id from changed c left join back b on b.id = c.delivery_id
