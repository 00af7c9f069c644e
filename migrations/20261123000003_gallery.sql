-- Models, indexes and their generations. Vectors live in schema `gallery`, one table per generation,
-- partitioned by class; those tables are made when a generation is (shared/src/db/gallery.rs).

create extension if not exists vector;
create schema gallery;

create table models (
    id              uuid primary key,
    name            text        not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    version         integer     not null check (version > 0),
    backbone        text        not null,
    classes         text[]      not null,
    image_size      integer     not null,
    embedding_dim   integer     not null,
    weights_key     text        not null,
    weights_bytes   bigint      not null,
    weights_sha256  bytea       not null,
    origin          text        not null check (origin in ('imported', 'trained')),
    job_id          uuid,
    card            jsonb       not null default '{}',
    labels          jsonb       not null default '{}',
    created_at      timestamptz not null default now(),
    unique (name, version)
);

create table model_defaults (
    name    text primary key,
    version integer not null,
    foreign key (name, version) references models (name, version) on delete cascade
);

create table indexes (
    id         uuid primary key,
    name       text        not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    created_at timestamptz not null default now()
);

create table generations (
    id           integer generated always as identity primary key,
    index_id     uuid        not null references indexes (id) on delete cascade,
    model_id     uuid        not null references models (id),
    state        text        not null check (state in ('building', 'active', 'retired')),
    created_at   timestamptz not null default now(),
    activated_at timestamptz
);
create unique index generations_one_active on generations (index_id) where state = 'active';
create index generations_model on generations (model_id);

-- Every write transaction bumps the version of the leaves it touches, in class order, while it holds
-- the generation's row: commit order is version order per leaf, and caches can follow it.
create table partitions (
    generation integer not null references generations (id) on delete cascade,
    class_id   integer not null,
    version    bigint  not null default 0,
    rows       bigint  not null default 0,
    primary key (generation, class_id)
);
