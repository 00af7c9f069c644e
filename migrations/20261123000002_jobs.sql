-- Jobs: the only authority on what was asked, how far it is and how it ended. apalis carries the
-- delivery (schema `apalis`); `delivery_id` is the same id written as a ULID.

create table queues (
    name      text primary key,
    paused    boolean not null default false,
    paused_at timestamptz
);
insert into queues (name) values ('train'), ('index'), ('search'), ('maintenance');

create table workers (
    id                 uuid primary key,
    name               text        not null,
    host               text        not null,
    pid                integer     not null,
    version            text        not null,
    device             text        not null,
    device_name        text        not null,
    engine             text        not null,
    queues             text[]      not null,
    state              text        not null check (state in ('starting', 'ready', 'draining', 'stopped')),
    utilisation_percent real,
    memory_used_bytes  bigint,
    memory_total_bytes bigint,
    started_at         timestamptz not null default now(),
    last_seen          timestamptz not null default now()
);
create index workers_last_seen on workers (last_seen);

create table worker_samples (
    worker_id           uuid        not null references workers (id) on delete cascade,
    at                  timestamptz not null,
    utilisation_percent real        not null,
    memory_used_bytes   bigint      not null,
    memory_total_bytes  bigint      not null,
    primary key (worker_id, at)
);

create table jobs (
    id               uuid primary key,
    delivery_id      text        not null unique,
    kind             text        not null check (kind in ('train', 'index', 'search', 'evaluate', 'rebuild', 'validate', 'noop')),
    queue            text        not null references queues (name),
    state            text        not null check (state in ('scheduled', 'queued', 'running', 'retrying', 'cancelling', 'succeeded', 'failed', 'cancelled')),
    state_reason     text,
    priority         integer     not null default 0,
    params           jsonb       not null,
    labels           jsonb       not null default '{}',
    -- attempts used up; a graceful hand-back returns one
    attempt          integer     not null default 0,
    max_attempts     integer     not null check (max_attempts between 1 and 100),
    -- number of starts: the fencing token of every write an attempt makes
    fence            bigint      not null default 0,
    timeout_seconds  integer     not null,
    progress         jsonb,
    -- what a later attempt needs to go on where this one was; committed with what it tells of
    checkpoint       jsonb,
    result           jsonb,
    error_code       text,
    error_detail     text,
    worker_id        uuid,
    lease_expires_at timestamptz,
    created_by       uuid,
    created_at       timestamptz not null default now(),
    scheduled_at     timestamptz,
    started_at       timestamptz,
    finished_at      timestamptz,
    next_attempt_at  timestamptz,
    updated_at       timestamptz not null default now(),
    constraint jobs_finished check ((finished_at is not null) = (state in ('succeeded', 'failed', 'cancelled'))),
    constraint jobs_leased check ((lease_expires_at is not null) = (state in ('running', 'cancelling')))
);
create index jobs_live on jobs (queue, state) where finished_at is null;
create index jobs_leases on jobs (lease_expires_at) where lease_expires_at is not null;
create index jobs_finished_at on jobs (finished_at) where finished_at is not null;
create index jobs_kind on jobs (kind, id desc);
create index jobs_labels on jobs using gin (labels jsonb_path_ops);

create table job_events (
    id       bigint generated always as identity primary key,
    job_id   uuid        not null,
    type     text        not null,
    kind     text        not null,
    queue    text        not null,
    state    text        not null,
    attempt  integer     not null,
    progress jsonb,
    data     jsonb,
    at       timestamptz not null default clock_timestamp()
);
create index job_events_job on job_events (job_id, id);
create index job_events_at on job_events (at);

create table job_logs (
    id      bigint generated always as identity primary key,
    job_id  uuid        not null references jobs (id) on delete cascade,
    attempt integer     not null,
    at      timestamptz not null,
    level   text        not null check (level in ('info', 'warn', 'error')),
    message text        not null
);
create index job_logs_job on job_logs (job_id, id);

-- One row per picture of a job that did not make it, with the reason.
create table job_items (
    job_id uuid        not null references jobs (id) on delete cascade,
    uri    text        not null,
    status text        not null check (status in ('failed')),
    code   text        not null,
    detail text        not null,
    at     timestamptz not null default now(),
    primary key (job_id, uri)
);

create table job_metrics (
    job_id uuid        not null references jobs (id) on delete cascade,
    epoch  integer     not null,
    row    jsonb       not null,
    at     timestamptz not null default now(),
    primary key (job_id, epoch)
);

-- The pictures a search was asked with, stored once, in the transaction that enqueues it.
create table job_pictures (
    job_id   uuid    not null references jobs (id) on delete cascade,
    position integer not null,
    weight   real    not null default 1,
    bytes    bytea   not null,
    primary key (job_id, position)
);
alter table job_pictures alter column bytes set storage external;

create table queue_samples (
    queue     text        not null references queues (name),
    at        timestamptz not null,
    depth     integer     not null,
    running   integer     not null,
    succeeded integer     not null,
    failed    integer     not null,
    primary key (queue, at)
);

-- Every change of a job is a row in job_events, written by the statement that makes the change.
-- The advisory lock makes ids grow in commit order, so that a reader that follows `id > last`
-- misses nothing; NOTIFY, which these statements send anyway, serialises their commits already.
create function tell_job_events() returns void language sql as $$
    select pg_notify('job_events', '')
$$;

create function record_new_jobs() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt)
    select id, state, kind, queue, state, attempt from new_jobs order by id;
    perform tell_job_events();
    return null;
end
$$;

create function record_changed_jobs() returns trigger language plpgsql as $$
begin
    -- Renewing a lease is no event: most statements that touch jobs end here.
    if not exists (
        select from new_jobs n join old_jobs o using (id)
        where (n.state, n.state_reason, n.attempt, n.progress, n.next_attempt_at)
              is distinct from (o.state, o.state_reason, o.attempt, o.progress, o.next_attempt_at)
    ) then
        return null;
    end if;
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt, progress, data)
    select n.id,
           case when n.fence <> o.fence then 'started'
                when n.state = o.state then 'progress'
                when n.state = 'queued' and o.state in ('running', 'cancelling') then 'released'
                else n.state end,
           n.kind, n.queue, n.state, n.attempt, n.progress,
           jsonb_strip_nulls(jsonb_build_object(
               'state_reason', n.state_reason, 'next_attempt_at', n.next_attempt_at,
               'error', case when n.error_code is not null
                             then jsonb_build_object('code', n.error_code, 'detail', n.error_detail) end))
    from new_jobs n join old_jobs o using (id)
    where (n.state, n.state_reason, n.attempt, n.progress, n.next_attempt_at)
          is distinct from (o.state, o.state_reason, o.attempt, o.progress, o.next_attempt_at)
    order by n.id;
    perform tell_job_events();
    return null;
end
$$;

create function record_deleted_jobs() returns trigger language plpgsql as $$
begin
    if not exists (select from old_jobs) then
        return null;
    end if;
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt)
    select id, 'deleted', kind, queue, state, attempt from old_jobs order by id;
    perform tell_job_events();
    return null;
end
$$;

create trigger jobs_inserted after insert on jobs
    referencing new table as new_jobs for each statement execute function record_new_jobs();
create trigger jobs_updated after update on jobs
    referencing new table as new_jobs old table as old_jobs for each statement execute function record_changed_jobs();
create trigger jobs_deleted after delete on jobs
    referencing old table as old_jobs for each statement execute function record_deleted_jobs();

create function record_metric_events() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt, data)
    select j.id, 'metrics', j.kind, j.queue, j.state, j.attempt, n.row
    from new_rows n join jobs j on j.id = n.job_id;
    perform pg_notify('job_events', '');
    return null;
end
$$;
create trigger metrics_inserted after insert on job_metrics
    referencing new table as new_rows for each statement execute function record_metric_events();
