-- Trainings that measured at least one epoch, of a backbone ($1) or of any, newest first.
select j.id, j.state, j.params, j.progress, j.created_at,
       coalesce(j.result ->> 'device', w.device_name) as device,
       coalesce(m.name || '@' || m.version, j.result ->> 'model', j.params ->> 'model', '') as "model!",
       coalesce(m.backbone, j.params ->> 'backbone') as backbone,
       coalesce(m.image_size, (j.params ->> 'image_size')::int) as image_size,
       m.card as "card?"
from jobs j
left join workers w on w.id = j.worker_id
left join models m on m.job_id = j.id
where j.kind = 'train'
  and exists (select from job_metrics e where e.job_id = j.id)
  and ($1::text is null or coalesce(m.backbone, j.params ->> 'backbone') = $1)
order by j.id desc
limit $2
