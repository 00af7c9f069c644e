-- Schedules: an index follows its source. Each due time is one index job; while a job of a schedule has not ended, a
-- due time of it is skipped and counted.

create table schedules (
    id              uuid primary key,
    name            text        not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    index_id        uuid        not null references indexes (id) on delete cascade,
    source          text        not null,
    prefix          text        not null,
    mode            text        not null check (mode in ('add', 'sync')),
    every_seconds   integer     check (every_seconds >= 60),
    cron            text,
    timezone        text,
    jitter_seconds  integer     not null check (jitter_seconds >= 0),
    paused          boolean     not null,
    -- where an interval is counted from
    anchor_at       timestamptz not null,
    -- the next due time, and with its jitter; none while it is paused
    due_at          timestamptz,
    next_at         timestamptz,
    last_at         timestamptz,
    last_job_id     uuid,
    skipped         bigint      not null default 0,
    last_skipped_at timestamptz,
    created_by      uuid,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    -- when a due time was last dealt with or set; one that lies ahead tells that the clock was set back since
    touched_at      timestamptz not null default now(),
    constraint schedules_timing check ((every_seconds is null) <> (cron is null) and (cron is null) = (timezone is null)),
    constraint schedules_due check ((due_at is null) = (next_at is null) and not (paused and next_at is not null))
);
create index schedules_next_at on schedules (next_at) where next_at is not null;
create index schedules_index on schedules (index_id);
