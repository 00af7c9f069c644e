//! The queue as text, to be compared with what a test expects: ids become letters, times become words.

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;

/// One line per job in the order of ids, ours and the delivery:
///
/// ```text
/// a noop maintenance queued attempt 0/3 fence 0 | Pending due
/// b train train running attempt 1/3 fence 1 leased | Running due locked
/// c noop maintenance retrying attempt 1/3 fence 1 next (unreachable: no route) | Failed later
/// d noop maintenance succeeded attempt 1/3 fence 1 | gone
/// ```
///
/// Deliveries without a job come last, as `- | Pending due`.
///
/// # Panics
/// When the database does not answer.
pub async fn queue_as_text(pool: &PgPool) -> String {
    // `chr(97 + n)` letters the first 26 jobs; a text to be read holds no more.
    let lines: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', coalesce(chr(96 + j.number), '-'),
                    j.kind, j.queue, j.state, case when j.paused then 'paused' end,
                    'attempt ' || j.attempt || '/' || j.max_attempts, 'fence ' || j.fence,
                    case when j.lease_expires_at is not null then 'leased' end,
                    case when j.next_attempt_at is not null then 'next' end,
                    '(' || j.error_code || ': ' || j.error_detail || ')',
                    '|', coalesce(a.status, 'gone'),
                    case when a.run_at > now() + interval '500 years' then 'parked'
                         when a.run_at > now() + interval '1 second' then 'later'
                         when a.run_at is not null then 'due' end,
                    case when a.lock_by is not null then 'locked' end)
         from (select *, row_number() over (order by id)::int as number from jobs) j
         full join apalis.jobs a on a.id = j.delivery_id
         order by j.id nulls last, a.id",
    )
    .fetch_all(pool)
    .await
    .expect("the test database answers");
    lines.join("\n")
}

/// The events after `after`, one line each: the job's letter, the type, the state and the attempt.
///
/// # Panics
/// When the database does not answer.
pub async fn events_as_text(pool: &PgPool, after: i64) -> String {
    let events =
        crate::db::events::list_events(pool, None, after, 1_000).await.expect("the test database answers");
    let mut ids: Vec<Uuid> = events.iter().map(|event| event.job_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let letters: BTreeMap<Uuid, char> = ids.into_iter().zip('a'..='z').collect();
    let line = |event: &crate::db::events::Event| {
        let letter = letters.get(&event.job_id).copied().unwrap_or('?');
        format!("{letter} {} {} attempt {}", event.r#type, event.state, event.attempt)
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}
