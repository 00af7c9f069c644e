-- Names after $1 of which a version carries labels ($3): a row for the newest version of each and, where the name alone means
-- an older one, a row for that. A list does not read what of a card grows with its classes and pictures.
select m.id, m.name, m.version, m.backbone, m.classes, m.image_size, m.embedding_dim, m.weights_key, m.weights_bytes,
       m.weights_sha256, m.origin, m.job_id, m.labels, m.created_at,
       brief_card(m.card) as "card!",
       n.versions as "versions!", m.version = coalesce(d.version, n.newest) as "is_default!"
from (select name, max(version) as newest, count(*) as versions
      from models where name > $1 group by name
      having $3::jsonb is null or bool_or(labels @> $3) order by name limit $2) n
left join model_defaults d on d.name = n.name
join models m on m.name = n.name and m.version in (n.newest, coalesce(d.version, n.newest))
order by m.name, m.version desc
