-- Trainings that can be paused and looked at step by step, and models whose default can be rolled back.

-- A paused job is `queued`; while its attempt is still on its way out it is `running`.
alter table jobs add column paused boolean not null default false;
alter table jobs add constraint jobs_paused check (not paused or state in ('queued', 'running'));

create table job_steps (
    job_id uuid        not null references jobs (id) on delete cascade,
    step   bigint      not null,
    row    jsonb       not null,
    at     timestamptz not null default now(),
    primary key (job_id, step)
);

create or replace function record_changed_jobs() returns trigger language plpgsql as $$
begin
    -- Renewing a lease is no event: most statements that touch jobs end here.
    if not exists (
        select from new_jobs n join old_jobs o using (id)
        where (n.state, n.state_reason, n.attempt, n.progress, n.next_attempt_at, n.paused)
              is distinct from (o.state, o.state_reason, o.attempt, o.progress, o.next_attempt_at, o.paused)
    ) then
        return null;
    end if;
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt, progress, data)
    select n.id,
           case when n.fence <> o.fence then 'started'
                when n.paused and n.state = 'queued' then 'paused'
                when n.paused and not o.paused then 'pausing'
                when o.paused and not n.paused and n.state in ('queued', 'running') then 'resumed'
                when n.state = o.state then 'progress'
                when n.state = 'queued' and o.state in ('running', 'cancelling') then 'released'
                else n.state end,
           n.kind, n.queue, n.state, n.attempt, n.progress,
           jsonb_strip_nulls(jsonb_build_object(
               'state_reason', n.state_reason, 'next_attempt_at', n.next_attempt_at,
               'error', case when n.error_code is not null
                             then jsonb_build_object('code', n.error_code, 'detail', n.error_detail) end))
    from new_jobs n join old_jobs o using (id)
    where (n.state, n.state_reason, n.attempt, n.progress, n.next_attempt_at, n.paused)
          is distinct from (o.state, o.state_reason, o.attempt, o.progress, o.next_attempt_at, o.paused)
    order by n.id;
    perform tell_job_events();
    return null;
end
$$;

-- A repeated epoch replaces its row, which is news as well.
create trigger metrics_updated after update on job_metrics
    referencing new table as new_rows for each statement execute function record_metric_events();

create or replace function record_metric_events() returns trigger language plpgsql as $$
begin
    -- An upsert fires the triggers of both, for the rows that it added and those that it replaced.
    if not exists (select from new_rows) then
        return null;
    end if;
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt, data)
    select j.id, 'metrics', j.kind, j.queue, j.state, j.attempt, n.row
    from new_rows n join jobs j on j.id = n.job_id;
    perform tell_job_events();
    return null;
end
$$;

-- One event per batch of steps, which tells of the newest.
create function record_step_events() returns trigger language plpgsql as $$
begin
    if not exists (select from new_rows) then
        return null;
    end if;
    perform pg_advisory_xact_lock(712094);
    insert into job_events (job_id, type, kind, queue, state, attempt, data)
    select j.id, 'steps', j.kind, j.queue, j.state, j.attempt,
           jsonb_build_object('last_step', n.step, 'loss', n.row -> 'loss', 'learning_rate', n.row -> 'learning_rate',
                              'images_per_second', n.row -> 'images_per_second')
    from (select distinct on (job_id) job_id, step, row from new_rows order by job_id, step desc) n
    join jobs j on j.id = n.job_id;
    perform tell_job_events();
    return null;
end
$$;
create trigger steps_inserted after insert on job_steps
    referencing new table as new_rows for each statement execute function record_step_events();
create trigger steps_updated after update on job_steps
    referencing new table as new_rows for each statement execute function record_step_events();

-- What a name alone meant before each change of it, newest last; a rollback takes the last one back.
create table model_default_history (
    id      bigint generated always as identity primary key,
    name    text        not null,
    version integer     not null,
    at      timestamptz not null default now(),
    foreign key (name, version) references models (name, version) on delete cascade
);
create index model_default_history_name on model_default_history (name, id);

-- Names without a pin meant their newest version all along.
insert into model_default_history (name, version)
select m.name, m.version from models m
where not exists (select from model_defaults d where d.name = m.name)
  and exists (select from models n where n.name = m.name and n.version > m.version)
order by m.version;

create index models_labels on models using gin (labels jsonb_path_ops);
