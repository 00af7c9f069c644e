-- The model of a name ($1) and version ($2), of an id ($3), or the one that the name alone means ($4).
select m.id, m.name, m.version, m.backbone, m.classes, m.image_size, m.embedding_dim, m.weights_key, m.weights_bytes,
       m.weights_sha256, m.origin, m.job_id, m.card, m.labels, m.created_at,
       m.version = coalesce(d.version, (select max(version) from models n where n.name = m.name)) as "is_default!"
from models m
left join model_defaults d on d.name = m.name
where ($1::text is null or m.name = $1)
  and ($2::int is null or m.version = $2)
  and ($3::uuid is null or m.id = $3)
  and (not $4::bool or m.version = coalesce(d.version, (select max(version) from models n where n.name = m.name)))
