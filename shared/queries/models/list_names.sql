-- Every name after $1 of which a version carries labels ($3), with its newest version, how many versions it has and which one the name alone means.
select m.id, m.name, m.version, m.backbone, m.classes, m.image_size, m.embedding_dim, m.weights_key, m.weights_bytes,
       m.weights_sha256, m.origin, m.job_id, m.card, m.labels, m.created_at,
       n.versions as "versions!", coalesce(d.version, m.version) as "default_version!"
from (select name, max(version) as newest, count(*) as versions
      from models where name > $1 group by name
      having $3::jsonb is null or bool_or(labels @> $3) order by name limit $2) n
join models m on m.name = n.name and m.version = n.newest
left join model_defaults d on d.name = m.name
order by m.name
