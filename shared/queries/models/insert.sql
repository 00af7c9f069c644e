-- Stores a model as the next version of its name ($2), above every one that was ever made. A name without a pinned default
-- means its newest version, so what it meant before is noted.
with newest as (
    select max(version) as version from models where name = $2
),
next as (
    insert into model_names as n (name, newest_version)
    select $2, coalesce(version, 0) + 1 from newest
    on conflict (name) do update set newest_version = greatest(n.newest_version + 1, excluded.newest_version)
    returning newest_version as version
),
made as (
    insert into models (id, name, version, backbone, classes, image_size, embedding_dim, weights_key, weights_bytes,
                        weights_sha256, origin, job_id, card, labels)
    select $1, $2, version, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 from next
    returning version
),
noted as (
    insert into model_default_history (name, version)
    select $2, version from newest
    where version is not null and not exists (select from model_defaults where name = $2)
)
select version from made
