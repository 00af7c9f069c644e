-- Pins what a name ($1) alone meant before its last change, and takes that change out of its history.
with now_meant as (
    select coalesce((select version from model_defaults where name = $1),
                    (select max(version) from models where name = $1)) as version
),
before as (
    select h.id, h.name, h.version from model_default_history h, now_meant n
    where h.name = $1 and h.version <> n.version
    order by h.id desc limit 1
),
pinned as (
    insert into model_defaults (name, version) select name, version from before
    on conflict (name) do update set version = excluded.version
    returning version
),
undone as (
    delete from model_default_history h using before b where h.name = b.name and h.id >= b.id
)
select version from pinned
