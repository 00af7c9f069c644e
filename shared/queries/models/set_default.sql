-- Pins what a name ($1) alone means to a version ($2), and notes what it meant before.
with before as (
    select coalesce((select version from model_defaults where name = $1),
                    (select max(version) from models where name = $1)) as version
),
pinned as (
    insert into model_defaults (name, version)
    select name, version from models where name = $1 and version = $2
    on conflict (name) do update set version = excluded.version
    returning name, version
),
noted as (
    insert into model_default_history (name, version)
    select p.name, b.version from pinned p, before b where b.version <> p.version
)
select count(*) as "count!" from pinned
