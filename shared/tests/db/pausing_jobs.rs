//! A paused job is never started, loses nothing, and goes on where it was; pausing stops an attempt without using it up.

use std::time::Duration;

use chrono::Utc;
use insta::assert_snapshot;
use lookalike_shared::db::jobs::{JobFilter, Standing, delete_jobs, get_job, list_jobs, list_standings};
use lookalike_shared::db::pausing::{pause_jobs, resume_jobs};
use lookalike_shared::db::queue::{
    Claim, Ending, Hold, NewJob, cancel_jobs, defer_deliveries, mark_progress, mark_released, mark_retrying,
    promote_due, recover_lost, redeliver_stranded, renew_leases, retry_jobs,
};
use lookalike_shared::db::queues::{list_queues, mark_paused, mark_resumed};
use lookalike_shared::db::{PAUSE_CHANNEL, PgListener};
use lookalike_shared::domain::job::{JobFailure, JobId, JobState, Progress, Queue};
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{
    TestDatabase, a_job, a_worker, enqueue_all, enqueue_one, events_as_text, expire_lease, queue_as_text,
    start,
};
use sqlx::PgPool;

use super::{LEASE, SOON, claim_one, finish_one, success, tamper};

async fn pause(pool: &PgPool, job: JobId) -> Option<JobState> {
    pause_jobs(pool, &[job]).await.unwrap().first().map(|(_, state)| *state)
}

async fn paused_running_job(pool: &PgPool) -> (JobId, i64) {
    let job = enqueue_one(pool, &a_job()).await;
    let fence = start(pool, job, a_worker(pool).await).await.fence;
    assert_eq!(pause(pool, job).await, Some(JobState::Running));
    (job, fence)
}

#[tokio::test]
async fn a_pause_of_each_state_does_what_that_state_allows() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    let later = Submission { scheduled_at: Some(Utc::now() + LEASE), ..Submission::default() };
    let jobs = [NewJob { submission: later, ..a_job() }, a_job(), a_job(), a_job(), a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    for id in &ids[2..] {
        start(&db.pool, *id, worker).await;
    }
    let failure = JobFailure::new("x", "y");
    mark_retrying(&db.pool, ids[3], 1, &failure, Utc::now() + LEASE, true).await.unwrap();
    cancel_jobs(&db.pool, &[ids[4]]).await.unwrap();
    finish_one(&db.pool, ids[5], 1, success()).await;
    let mut changed = pause_jobs(&db.pool, &ids).await.unwrap();
    changed.sort_by_key(|(id, _)| *id);
    let expected = [(ids[1], JobState::Queued), (ids[2], JobState::Running), (ids[3], JobState::Queued)];
    assert_eq!(changed, expected);
    assert_eq!(pause_jobs(&db.pool, &ids).await.unwrap(), [], "they are paused");
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance scheduled attempt 0/3 fence 0 | Pending later
    b noop maintenance queued paused attempt 0/3 fence 0 | Pending parked
    c noop maintenance running paused attempt 1/3 fence 1 leased | Pending due
    d noop maintenance queued paused attempt 1/3 fence 1 (x: y) | Pending parked
    e noop maintenance cancelling attempt 1/3 fence 1 leased | Pending due
    f noop maintenance succeeded attempt 1/3 fence 1 | Pending due
    ");
    let reasons = [get_job(&db.pool, ids[1]).await.unwrap(), get_job(&db.pool, ids[2]).await.unwrap()];
    assert_eq!(reasons.map(|job| job.state_reason.unwrap()), ["paused", "pausing"]);
}

#[tokio::test]
async fn a_running_job_is_given_back_without_using_up_its_attempt_and_goes_on_when_resumed() {
    let db = TestDatabase::create().await;
    let (job, fence) = paused_running_job(&db.pool).await;
    let progress = Progress { done: 3, ..Progress::default() };
    assert_eq!(mark_progress(&db.pool, job, fence, &progress, None).await.unwrap(), Hold::Pausing);
    assert_eq!(renew_leases(&db.pool, &[(job, fence)], LEASE).await.unwrap(), [(job, Hold::Pausing)]);
    assert!(mark_released(&db.pool, job, fence).await.unwrap());
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued paused attempt 0/3 fence 1 | Pending parked");
    let stored = get_job(&db.pool, job).await.unwrap();
    assert_eq!((stored.state_reason.as_deref(), stored.progress), (Some("paused"), Some(progress)));
    assert!(matches!(claim_one(&db.pool, job, a_worker(&db.pool).await).await, Claim::Later(..)));
    assert_eq!(resume_jobs(&db.pool, &[job]).await.unwrap(), [job]);
    assert_eq!(resume_jobs(&db.pool, &[job]).await.unwrap(), [], "it is not paused");
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 1 | Pending due");
    let again = start(&db.pool, job, a_worker(&db.pool).await).await;
    assert_eq!((again.number, again.fence), (1, 2));
    assert_snapshot!(events_as_text(&db.pool, 0).await, @"
    a queued queued attempt 0
    a started running attempt 1
    a pausing running attempt 1
    a progress running attempt 1
    a paused queued attempt 0
    a resumed queued attempt 0
    a started running attempt 1
    ");
}

#[tokio::test]
async fn the_workers_are_told_which_running_job_to_give_back() {
    let db = TestDatabase::create().await;
    let mut listener = PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen(PAUSE_CHANNEL).await.unwrap();
    let waiting = enqueue_one(&db.pool, &a_job()).await;
    pause(&db.pool, waiting).await;
    let (job, _) = paused_running_job(&db.pool).await;
    let told = tokio::time::timeout(SOON, listener.recv()).await.unwrap().unwrap();
    assert_eq!(told.payload(), job.to_string(), "only the one that runs");
}

/// A job that is resumed before its attempt has stopped is given back, and due at once.
#[tokio::test]
async fn a_resume_before_the_attempt_has_stopped_lets_it_start_anew() {
    let db = TestDatabase::create().await;
    let (job, fence) = paused_running_job(&db.pool).await;
    assert_eq!(resume_jobs(&db.pool, &[job]).await.unwrap(), [job]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance running attempt 1/3 fence 1 leased | Pending due");
    assert!(mark_released(&db.pool, job, fence).await.unwrap());
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 1 | Pending due");
}

#[tokio::test]
async fn a_job_that_ends_before_it_notices_the_pause_has_ended() {
    let db = TestDatabase::create().await;
    for (ending, state) in
        [(success(), JobState::Succeeded), (Ending::Failed(JobFailure::new("x", "y")), JobState::Failed)]
    {
        let (job, fence) = paused_running_job(&db.pool).await;
        assert_eq!(finish_one(&db.pool, job, fence, ending).await, Some(state));
        assert!(!get_job(&db.pool, job).await.unwrap().paused);
    }
}

#[tokio::test]
async fn an_attempt_that_fails_while_its_job_is_being_paused_waits_paused() {
    let db = TestDatabase::create().await;
    let (job, fence) = paused_running_job(&db.pool).await;
    let failure = JobFailure::new("x", "y");
    assert!(mark_retrying(&db.pool, job, fence, &failure, Utc::now(), true).await.unwrap());
    assert_eq!(promote_due(&db.pool).await.unwrap(), 0);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued paused attempt 1/3 fence 1 (x: y) | Pending parked");
}

#[tokio::test]
async fn a_job_whose_worker_is_lost_while_it_is_being_paused_ends_up_paused() {
    let db = TestDatabase::create().await;
    let (job, _) = paused_running_job(&db.pool).await;
    expire_lease(&db.pool, job).await;
    assert!(matches!(claim_one(&db.pool, job, a_worker(&db.pool).await).await, Claim::Later(..)));
    assert_eq!(recover_lost(&db.pool).await.unwrap(), [(job, JobState::Queued)]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued paused attempt 1/3 fence 1 | Pending parked");
    assert_eq!(get_job(&db.pool, job).await.unwrap().state_reason.as_deref(), Some("paused"));
    resume_jobs(&db.pool, &[job]).await.unwrap();
    assert_eq!(start(&db.pool, job, a_worker(&db.pool).await).await.number, 2);
}

#[tokio::test]
async fn a_job_that_lost_its_worker_in_its_last_attempt_fails_even_when_it_was_to_be_paused() {
    let db = TestDatabase::create().await;
    let (job, _) = paused_running_job(&db.pool).await;
    tamper(&db.pool, "update jobs set attempt = max_attempts where id = $1", job).await;
    expire_lease(&db.pool, job).await;
    assert_eq!(recover_lost(&db.pool).await.unwrap(), [(job, JobState::Failed)]);
}

#[tokio::test]
async fn a_paused_job_is_cancelled_deleted_and_retried_as_others() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    pause(&db.pool, job).await;
    assert_eq!(delete_jobs(&db.pool, &[job]).await.unwrap(), [], "it has not ended");
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), []);
    assert_eq!(cancel_jobs(&db.pool, &[job]).await.unwrap(), [(job, JobState::Cancelled)]);
    assert_eq!(resume_jobs(&db.pool, &[job]).await.unwrap(), [], "it has ended");
    assert_eq!(retry_jobs(&db.pool, &[job]).await.unwrap(), [job]);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
    let (running, fence) = paused_running_job(&db.pool).await;
    assert_eq!(cancel_jobs(&db.pool, &[running]).await.unwrap(), [(running, JobState::Cancelling)]);
    assert!(!mark_released(&db.pool, running, fence).await.unwrap());
    assert_eq!(finish_one(&db.pool, running, fence, Ending::Cancelled).await, Some(JobState::Cancelled));
    assert_eq!(delete_jobs(&db.pool, &[running]).await.unwrap(), [running]);
}

#[tokio::test]
async fn pauses_of_a_job_and_of_its_queue_hold_each_on_its_own() {
    let db = TestDatabase::create().await;
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    pause(&db.pool, jobs[0].id).await;
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    mark_resumed(&db.pool, Queue::Maintenance).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued paused attempt 0/3 fence 0 | Pending parked
    b noop maintenance queued attempt 0/3 fence 0 | Pending due
    ");
    let depth = list_queues(&db.pool).await.unwrap()[3].depth;
    assert_eq!(depth, 1, "a paused job waits for no worker");
    mark_paused(&db.pool, Queue::Maintenance).await.unwrap();
    resume_jobs(&db.pool, &[jobs[0].id]).await.unwrap();
    assert_snapshot!(queue_as_text(&db.pool).await, @"
    a noop maintenance queued attempt 0/3 fence 0 | Pending parked
    b noop maintenance queued attempt 0/3 fence 0 | Pending parked
    ");
    mark_resumed(&db.pool, Queue::Maintenance).await.unwrap();
    start(&db.pool, jobs[0].id, a_worker(&db.pool).await).await;
}

/// A worker may park a delivery just after its job was resumed: its claim came before, its write after.
#[tokio::test]
async fn a_delivery_parked_too_late_is_found_again_and_that_of_a_paused_job_is_left_alone() {
    let db = TestDatabase::create().await;
    let job = enqueue_one(&db.pool, &a_job()).await;
    pause(&db.pool, job).await;
    let Claim::Later(id, at) = claim_one(&db.pool, job, a_worker(&db.pool).await).await else {
        panic!("it started")
    };
    let long_ago = "update jobs set updated_at = now() - interval '1 minute' where id = $1";
    tamper(&db.pool, long_ago, job).await;
    assert_eq!(redeliver_stranded(&db.pool, Duration::from_secs(30)).await.unwrap(), 0);
    resume_jobs(&db.pool, &[job]).await.unwrap();
    defer_deliveries(&db.pool, &[(id, at)]).await.unwrap();
    tamper(&db.pool, long_ago, job).await;
    assert_eq!(redeliver_stranded(&db.pool, Duration::from_secs(30)).await.unwrap(), 1);
    assert_snapshot!(queue_as_text(&db.pool).await, @"a noop maintenance queued attempt 0/3 fence 0 | Pending due");
}

#[tokio::test]
async fn paused_jobs_can_be_listed() {
    let db = TestDatabase::create().await;
    let jobs = [a_job(), a_job()];
    enqueue_all(&db.pool, &jobs).await;
    pause(&db.pool, jobs[1].id).await;
    let filter = JobFilter { paused: Some(true), ..JobFilter::default() };
    let found = list_jobs(&db.pool, &filter, 10).await.unwrap();
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), [jobs[1].id]);
    let standing = Standing { state: JobState::Queued, paused: true };
    assert_eq!(list_standings(&db.pool, &[jobs[1].id]).await.unwrap(), [(jobs[1].id, standing)]);
}

/// Whoever comes first, a job is never started while it is paused, nor left out of the queue when it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pauses_resumes_and_claims_at_once_leave_each_job_in_one_piece() {
    let db = TestDatabase::create().await;
    let worker = a_worker(&db.pool).await;
    for _ in 0..5 {
        let jobs: Vec<NewJob> = (0..60).map(|_| a_job()).collect();
        enqueue_all(&db.pool, &jobs).await;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let backwards: Vec<JobId> = ids.iter().rev().copied().collect();
        let (claims, paused, resumed) = tokio::join!(
            lookalike_shared::db::queue::claim_jobs(&db.pool, &ids, worker, LEASE),
            pause_jobs(&db.pool, &backwards),
            resume_jobs(&db.pool, &ids),
        );
        resumed.unwrap();
        let running: Vec<JobId> =
            paused.unwrap().iter().filter(|(_, s)| *s == JobState::Running).map(|(id, _)| *id).collect();
        for claim in claims.unwrap() {
            match claim {
                Claim::Started(attempt) => {
                    mark_released(&db.pool, attempt.job_id, attempt.fence).await.unwrap();
                }
                Claim::Later(id, at) => {
                    assert!(!running.contains(&id), "it was paused before it started, and was running");
                    defer_deliveries(&db.pool, &[(id, at)]).await.unwrap();
                }
                Claim::Settled(id) => panic!("{id} is not done"),
            }
        }
        let standings = list_standings(&db.pool, &ids).await.unwrap();
        assert!(standings.iter().all(|(_, job)| job.state == JobState::Queued));
    }
}
