-- Who may call the API: keys (stored hashed), browser sessions made from a key, and the replay
-- store behind Idempotency-Key.

create table keys (
    id           uuid primary key,
    name         text        not null unique check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    hash         bytea       not null unique,
    hint         text        not null,
    scope        text        not null check (scope in ('read', 'submit', 'manage', 'admin')),
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz
);

create table sessions (
    hash       bytea primary key,
    key_id     uuid        not null references keys (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_expires_at on sessions (expires_at);

create table idempotency_keys (
    key_id       uuid        not null references keys (id) on delete cascade,
    key          text        not null,
    request_hash bytea       not null,
    status       integer,
    location     text,
    body         jsonb,
    created_at   timestamptz not null default now(),
    primary key (key_id, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);
