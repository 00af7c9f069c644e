-- The newest version that was ever made under a name. It outlives the versions themselves, so that what names a version
-- (results of jobs, cards, clients) never comes to mean another model.
create table model_names (
    name           text    primary key check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    newest_version integer not null check (newest_version > 0)
);

insert into model_names (name, newest_version)
select name, max(version) from models group by name;
