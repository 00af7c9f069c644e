-- Versions of a name ($1) below one ($2) with labels ($3), the newest first. A list does not read what of a card grows with
-- its classes and pictures.
select m.id, m.name, m.version, m.backbone, m.classes, m.image_size, m.embedding_dim, m.weights_key, m.weights_bytes,
       m.weights_sha256, m.origin, m.job_id, m.labels, m.created_at,
       brief_card(m.card) as "card!",
       m.version = coalesce(d.version, (select max(version) from models n where n.name = m.name)) as "is_default!"
from models m
left join model_defaults d on d.name = m.name
where m.name = $1
  and ($2::int is null or m.version < $2)
  and ($3::jsonb is null or m.labels @> $3)
order by m.version desc
limit $4
