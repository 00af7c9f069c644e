//! A cancel takes effect at once where nothing runs, and visibly where something does.

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::queue::{
    Claim, Ending, Finish, Hold, NewJob, cancel_jobs, finish_jobs, mark_progress, mark_released,
    mark_retrying, recover_lost, renew_leases, retry_jobs,
};
use lookalike_shared::db::{CANCEL_CHANNEL, PgListener};
use lookalike_shared::domain::job::{JobFailure, JobId, JobState, Progress};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_worker, enqueue_all, enqueue_one, expire_lease, queue_as_text, start,
};

use super::{LEASE, SOON, claim_one, finish_one, success};

#[tokio::test]
async fn a_cancel_of_each_state_does_what_that_state_allows() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let jobs =
        [NewJob { submission: later, ..a_job() }, a_job(), a_job(), a_job(), a_job(), a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut fences = Vec::new();
    for id in &ids[2..] {
        fences.push(start(&db.pool, *id, worker).await.fence);
    }
    let failure = JobFailure::new("x", "y");
    mark_retrying(&db.pool, ids[3], fences[1], &failure, Utc::now() + LEASE, true).await.unwrap();
    cancel_jobs(&db.pool, &[ids[4]]).await.unwrap();
    finish_one(&db.pool, ids[5], fences[3], success()).await;
    finish_one(&db.pool, ids[6], fences[4], Ending::Failed(failure)).await;
    let mut changed = cancel_jobs(&db.pool, &ids).await.unwrap();
    changed.sort_by_key(|(id, _)| *id);
    let expected = [
        (ids[0], JobState::Cancelled),
        (ids[1], JobState::Cancelled),
        (ids[2], JobState::Cancelling),
        (ids[3], JobState::Cancelled),
    ];
    assert_eq!(changed, expected);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance cancelled attempt 0/3 fence 0 | Killed later
    b noop maintenance cancelled attempt 0/3 fence 0 | Killed due
    c noop maintenance cancelling attempt 1/3 fence 1 leased | Pending due
    d noop maintenance cancelled attempt 1/3 fence 1 (x: y) | Killed later
    e noop maintenance cancelling attempt 1/3 fence 1 leased | Pending due
    f noop maintenance succeeded attempt 1/3 fence 1 | Pending due
    g noop maintenance failed attempt 1/3 fence 1 (x: y) | Pending due
    ");
    assert_eq!(claim_one(&db.pool, ids[1], worker).await, Claim::Settled(ids[1]));
}

#[tokio::test]
async fn the_workers_are_told_which_running_job_to_stop() {
    let db = TestDatabase::create().await;
    let mut listener = PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen(CANCEL_CHANNEL).await.unwrap();
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    start(&db.pool, jobs[1].id, a_worker(&db.pool).await).await;
    cancel_jobs(&db.pool, &[jobs[0].id, jobs[1].id]).await.unwrap();
    let told = tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
    assert_eq!(told.payload(), jobs[1].id.to_string());
    // Only that one: what the other session sends now comes next.
    sqlx::query("select pg_notify('job_cancel', 'end')").execute(&db.pool).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap().payload(), "end");
}

#[tokio::test]
async fn an_attempt_hears_of_the_cancel_with_every_write_and_may_store_its_last_progress() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    cancel_jobs(&db.pool, &[job]).await.unwrap();
    let progress = Progress::default();
    assert_eq!(mark_progress(&db.pool, job, fence, &progress, None).await.unwrap(), Hold::Cancelling);
    assert_eq!(renew_leases(&db.pool, &[(job, fence)], LEASE).await.unwrap(), [(job, Hold::Cancelling)]);
}

#[tokio::test]
async fn a_job_that_is_being_cancelled_ends_cancelled_even_when_its_attempt_succeeded() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    for ending in [success(), Ending::Failed(JobFailure::new("x", "y")), Ending::Cancelled] {
        let job = enqueue_one(&db.pool, &a_job()).await;
        let fence = start(&db.pool, job, worker).await.fence;
        cancel_jobs(&db.pool, &[job]).await.unwrap();
        assert_eq!(finish_one(&db.pool, job, fence, ending).await, Some(JobState::Cancelled));
        let stored = lookalike_shared::db::jobs::get_job(&db.pool, job).await.unwrap();
        assert_eq!((stored.result, stored.error), (None, None));
    }
}

#[tokio::test]
async fn a_job_that_is_being_cancelled_is_neither_retried_nor_handed_back() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    cancel_jobs(&db.pool, &[job]).await.unwrap();
    assert!(
        !mark_retrying(&db.pool, job, fence, &JobFailure::new("x", "y"), Utc::now(), true).await.unwrap()
    );
    assert!(!mark_released(&db.pool, job, fence).await.unwrap());
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), []);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance cancelling attempt 1/3 fence 1 leased | Pending due");
}

#[tokio::test]
async fn a_cancel_whose_worker_died_is_completed_by_recovery_or_by_the_next_claim() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    for job in &jobs {
        start(&db.pool, job.id, worker).await;
        cancel_jobs(&db.pool, &[job.id]).await.unwrap();
        expire_lease(&db.pool, job.id).await;
    }
    assert_eq!(claim_one(&db.pool, jobs[0].id, worker).await, Claim::Settled(jobs[0].id));
    assert_eq!(recover_lost(&db.pool).await.unwrap(), [(jobs[1].id, JobState::Cancelled)]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance cancelled attempt 1/3 fence 1 | Pending due
    b noop maintenance cancelled attempt 1/3 fence 1 | Killed due
    ");
}

#[tokio::test]
async fn a_cancelled_job_can_be_retried() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    cancel_jobs(&db.pool, &[job]).await.unwrap();
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), [job]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

/// Bulk statements lock rows in one order, so a bulk cancel, a heartbeat and a batch of endings never wait for
/// each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bulk_statements_on_the_same_jobs_do_not_deadlock() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    for _ in 0..5 {
        let jobs: Vec<NewJob> = (0..300).map(|_| a_job()).collect();
        enqueue_all(&db.pool, &jobs).await;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let claims = lookalike_shared::db::queue::claim_jobs(&db.pool, &ids, worker, LEASE).await.unwrap();
        let mut finishes: Vec<Finish> = Vec::new();
        for claim in &claims {
            let Claim::Started(attempt) = claim else { panic!("{claim:?}") };
            finishes.push(Finish { job_id: attempt.job_id, fence: attempt.fence, ending: success() });
        }
        finishes.sort_by_key(|finish| std::cmp::Reverse(finish.job_id));
        let held: Vec<(JobId, i64)> = finishes.iter().map(|finish| (finish.job_id, finish.fence)).collect();
        let (ended, cancelled, renewed) = tokio::join!(
            finish_jobs(&db.pool, &finishes),
            cancel_jobs(&db.pool, &ids),
            renew_leases(&db.pool, &held, LEASE),
        );
        ended.unwrap();
        cancelled.unwrap();
        renewed.unwrap();
    }
}

/// Whichever comes first, a cancel and a claim of the same job both succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancels_and_claims_of_the_same_jobs_at_once_leave_none_in_between() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    for _ in 0..10 {
        let jobs: Vec<NewJob> = (0..100).map(|_| a_job()).collect();
        enqueue_all(&db.pool, &jobs).await;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let (claims, cancelled) = tokio::join!(
            lookalike_shared::db::queue::claim_jobs(&db.pool, &ids, worker, LEASE),
            cancel_jobs(&db.pool, &ids),
        );
        let started = claims.unwrap().iter().filter(|claim| matches!(claim, Claim::Started(_))).count();
        let states: Vec<JobState> = cancelled.unwrap().into_iter().map(|(_, state)| state).collect();
        assert_eq!(states.len(), ids.len());
        assert_eq!(states.iter().filter(|state| **state == JobState::Cancelling).count(), started);
    }
}
