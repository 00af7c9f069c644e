-- What evaluations found, kept with the generation that they measured for as long as that is there, whatever becomes of
-- their jobs; and the queries that each answered worst.

create table evaluations (
    id         uuid        primary key,
    generation integer     not null references generations (id) on delete cascade,
    at         timestamptz not null default now(),
    result     jsonb       not null
);
create index evaluations_generation on evaluations (generation, at desc);

create table evaluation_thumbnails (
    evaluation uuid    not null references evaluations (id) on delete cascade,
    position   integer not null,
    thumbnail  bytea   not null,
    primary key (evaluation, position)
);
