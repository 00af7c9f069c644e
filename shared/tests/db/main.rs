//! The statements of `shared::db` against a real PostgreSQL, one database per test.
//!
//! Every rule that the queue rests on is shown here on its own: what may start, whose writes count, where each
//! state may go, and what two callers at once see. The queue is compared as text (`queue_as_text`).

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod cancelling;
mod claims;
mod endings;
mod enqueueing;
mod errors;
mod events;
mod fencing;
mod gallery;
mod generations;
mod graphs;
mod metrics;
mod models;
mod pausing;
mod pausing_jobs;
mod recovery;
mod retention;
mod schedules;
mod schema;
mod storage;
mod taking;
mod transitions;

use std::time::Duration;

use lookalike_shared::db::queue::{Claim, Ending, Finish, claim_jobs, finish_jobs};
use lookalike_shared::domain::job::{JobId, JobState};
use lookalike_shared::testing::wait_until;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

/// Long enough to see any wait end that should end.
const SOON: Duration = Duration::from_secs(20);
/// A lease that outlives every test.
const LEASE: Duration = Duration::from_secs(600);

async fn claim_one(pool: &PgPool, job: JobId, worker: Uuid) -> Claim {
    claim_jobs(pool, &[job], worker, LEASE).await.unwrap().remove(0)
}

async fn finish_one(pool: &PgPool, job: JobId, fence: i64, ending: Ending) -> Option<JobState> {
    let ended = finish_jobs(pool, &[Finish { job_id: job, fence, ending }]).await.unwrap();
    ended.first().map(|(_, state)| *state)
}

fn success() -> Ending {
    Ending::Succeeded(json!({"answer": 42}))
}

/// Waits until `count` sessions of this database wait for a lock.
async fn wait_for_lock_waiters(pool: &PgPool, count: i64) {
    wait_until("sessions wait for a lock", SOON, || async {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        (waiting == count).then_some(())
    })
    .await;
}

/// Runs SQL that the program never would: to bring about what only an accident or a clock could.
async fn tamper(pool: &PgPool, sql: &'static str, job: JobId) {
    sqlx::query(sql).bind(job.0).execute(pool).await.unwrap();
}
