-- Tables of generations that were made before: numbers for the rows of manifests, fingerprints of what pictures show, and
-- a true name for the job that stored a row. New generations have all that from the start (shared/src/db/gallery.rs).

do $$
declare
    generation integer;
begin
    for generation in select id from generations order by id loop
        execute format('alter table gallery.g%s add column perceptual_hash bigint', generation);
        execute format('alter table gallery.m%s alter column uri type text collate "C"', generation);
        execute format('alter table gallery.m%s rename column seen_by to written_by', generation);
        execute format('alter table gallery.m%s add column seq bigint not null generated always as identity', generation);
    end loop;
end;
$$;

-- What runs a worker's models.
alter table workers add column engines jsonb not null default '[]';
