select m.id, m.name, m.version, m.backbone, m.classes, m.image_size, m.embedding_dim, m.weights_key, m.weights_bytes,
       m.weights_sha256, m.origin, m.job_id, m.card, m.labels, m.created_at,
       m.version = coalesce(d.version, (select max(version) from models n where n.name = m.name)) as "is_default!"
from models m
left join model_defaults d on d.name = m.name
where m.name > $1 and m.version = coalesce(d.version, (select max(version) from models n where n.name = m.name))
order by m.name
limit $2
