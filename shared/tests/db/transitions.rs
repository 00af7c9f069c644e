//! `JobState::exits` is the one table of transitions; here SQL is held to it, in both directions.
//!
//! Every statement that can move a job is tried on a job in every state, with its lease alive and run out, with
//! attempts left and used up. What moves must be in the table, and all that is in the table must move.

use std::collections::BTreeSet;

use chrono::Utc;
use lookalike_shared::db::jobs::get_job;
use lookalike_shared::db::pausing::{pause_jobs, resume_jobs};
use lookalike_shared::db::queue::{
    Ending, cancel_jobs, mark_progress, mark_released, mark_retrying, promote_due, recover_lost,
    renew_leases, retry_jobs,
};
use lookalike_shared::domain::job::{JobFailure, JobId, JobState, Progress};
use lookalike_shared::testing::{TestDatabase, a_job, enqueue_one};
use sqlx::PgPool;
use uuid::Uuid;

use super::{LEASE, claim_one, finish_one, success};

/// A statement that a worker, a client or the maintenance may run.
#[derive(Debug, Clone, Copy)]
enum Statement {
    Claim,
    Progress,
    Renew,
    Succeed,
    Fail,
    StopOnCancel,
    Retrying,
    Release,
    Cancel,
    Retry,
    Promote,
    Recover,
    Pause,
    Resume,
}

const STATEMENTS: [Statement; 14] = [
    Statement::Claim,
    Statement::Progress,
    Statement::Renew,
    Statement::Succeed,
    Statement::Fail,
    Statement::StopOnCancel,
    Statement::Retrying,
    Statement::Release,
    Statement::Cancel,
    Statement::Retry,
    Statement::Promote,
    Statement::Recover,
    Statement::Pause,
    Statement::Resume,
];

/// What else matters of a job's row beside its state.
#[derive(Debug, Clone, Copy)]
struct Situation {
    expired: bool,
    exhausted: bool,
}

#[tokio::test]
async fn statements_move_jobs_along_the_table_of_exits_and_nowhere_else() {
    let db = TestDatabase::create().await;
    let mut moves = BTreeSet::new();
    for from in JobState::ALL {
        for statement in STATEMENTS {
            for (expired, exhausted) in [(false, false), (true, false), (false, true), (true, true)] {
                let situation = Situation { expired, exhausted };
                if from == JobState::Scheduled && exhausted {
                    continue; // It has used up no attempt yet.
                }
                let to = apply(&db.pool, from, situation, statement).await;
                if to != from {
                    moves.insert((from.as_str(), to.as_str()));
                    assert!(
                        from.exits().contains(&to),
                        "{statement:?} moved {from:?} to {to:?} ({situation:?})"
                    );
                }
            }
        }
    }
    let table =
        JobState::ALL.iter().flat_map(|from| from.exits().iter().map(|to| (from.as_str(), to.as_str())));
    assert_eq!(moves, table.collect());
}

/// Brings a new job into a state, runs the statement with the right fence and gives the state it ends in.
async fn apply(pool: &PgPool, from: JobState, situation: Situation, statement: Statement) -> JobState {
    let job = enqueue_one(pool, &a_job()).await;
    force(pool, job, from, situation).await;
    let failure = JobFailure::new("x", "y");
    match statement {
        Statement::Claim => _ = claim_one(pool, job, Uuid::now_v7()).await,
        Statement::Progress => _ = mark_progress(pool, job, 1, &Progress::default(), None).await.unwrap(),
        Statement::Renew => _ = renew_leases(pool, &[(job, 1)], LEASE).await.unwrap(),
        Statement::Succeed => _ = finish_one(pool, job, 1, success()).await,
        Statement::Fail => _ = finish_one(pool, job, 1, Ending::Failed(failure)).await,
        // A worker ends an attempt so only when it was told to stop.
        Statement::StopOnCancel if from == JobState::Running => {}
        Statement::StopOnCancel => _ = finish_one(pool, job, 1, Ending::Cancelled).await,
        Statement::Retrying => _ = mark_retrying(pool, job, 1, &failure, Utc::now(), true).await.unwrap(),
        Statement::Release => _ = mark_released(pool, job, 1).await.unwrap(),
        Statement::Cancel => _ = cancel_jobs(pool, &[job]).await.unwrap(),
        Statement::Retry => _ = retry_jobs(pool, &[job]).await.unwrap(),
        Statement::Promote => _ = promote_due(pool).await.unwrap(),
        Statement::Recover => _ = recover_lost(pool).await.unwrap(),
        Statement::Pause => _ = pause_jobs(pool, &[job]).await.unwrap(),
        Statement::Resume => {
            pause_jobs(pool, &[job]).await.unwrap();
            resume_jobs(pool, &[job]).await.unwrap();
        }
    }
    let state = get_job(pool, job).await.unwrap().state;
    // Out of the way of the statements that look at every job.
    sqlx::query("delete from jobs").execute(pool).await.unwrap();
    state
}

/// Writes a state into a job's row, with the times that belong to it.
async fn force(pool: &PgPool, job: JobId, state: JobState, situation: Situation) {
    let leased = matches!(state, JobState::Running | JobState::Cancelling);
    sqlx::query(
        "update jobs set state = $2, fence = 1, attempt = case when $3 then max_attempts else 1 end,
             lease_expires_at = case when $4 then now() + case when $5 then interval '-1 second' else interval '1 hour' end end,
             finished_at = case when $6 then now() end,
             scheduled_at = case when $2 = 'scheduled' then now() - interval '1 second' end,
             next_attempt_at = case when $2 = 'retrying' then now() - interval '1 second' end
         where id = $1",
    )
    .bind(job.0)
    .bind(state.as_str())
    .bind(situation.exhausted)
    .bind(leased)
    .bind(situation.expired)
    .bind(state.is_final())
    .execute(pool)
    .await
    .unwrap();
}
