-- Whoever keeps a copy of a partition can follow it: an entry carries the version of its partition that it came with, and
-- what leaves is noted (gallery.d<generation>, made with the other tables of a generation). Notes are thrown away after a
-- while; `deletions_since` is the version from which on they are whole.

alter table partitions add column deletions_since bigint not null default 0;
update partitions set deletions_since = version;

do $$
declare
    g integer;
begin
    for g in select id from generations where to_regclass('gallery.g' || id) is not null order by id loop
        execute format('alter table gallery.g%s add column version bigint not null default 0', g);
        execute format('create index g%s_version on gallery.g%s (version)', g, g);
        execute format(
            'create table gallery.d%s (class_id integer not null, version bigint not null, entry_id uuid not null,
                 at timestamptz not null default now(), primary key (class_id, version, entry_id))', g);
    end loop;
end $$;
