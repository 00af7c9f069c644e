//! Schedules: a due time is one job, never two at once, whoever deals with it.

use chrono::{DateTime, TimeDelta, Utc};
use insta::assert_snapshot;
use lookalike_shared::db::jobs::get_job;
use lookalike_shared::db::queue::{cancel_jobs, retry_jobs};
use lookalike_shared::db::schedules::{
    Definition, NewSchedule, Outcome, Schedule, claim_due, delete_schedule, get_schedule, insert_schedule,
    list_schedules, lock_schedule, start_now, update_schedule,
};
use lookalike_shared::db::{DbError, indexes};
use lookalike_shared::domain::job::{JobId, JobState};
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::schedule::{Due, Timing};
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::jobs::IndexMode;
use lookalike_shared::testing::{TestDatabase, a_generation, a_key, a_model, a_worker, queue_as_text, start};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::{finish_one, success, tamper, wait_for_lock_waiters};

/// A database with the index `gallery` and a schedule of it, due every quarter of an hour.
async fn with_schedule() -> (TestDatabase, Name) {
    let db = TestDatabase::create().await;
    let model = a_model(&db.pool, "scenes", &["bowl", "teapot"], 4).await;
    a_generation(&db.pool, "gallery", model, 2, 4).await;
    let creator = a_key(&db.pool, "keeper", Scope::Manage).await;
    let name = a_schedule(&db.pool, "follow", Some(creator)).await;
    (db, name)
}

async fn a_schedule(pool: &PgPool, name: &str, created_by: Option<Uuid>) -> Name {
    let name: Name = name.parse().unwrap();
    let index = indexes::get_index(pool, &"gallery".parse().unwrap()).await.unwrap();
    let (id, now) = (Uuid::now_v7(), Utc::now());
    let timing = Timing { every_seconds: Some(900), ..Timing::default() };
    let due = timing.parse().unwrap().next(id, now, now);
    let source = "photos".parse().unwrap();
    let prefix = "gallery/".to_owned();
    let definition = Definition { source, prefix, mode: IndexMode::Sync, timing, paused: false };
    let new = NewSchedule {
        id,
        name: name.clone(),
        index_id: index.id,
        definition,
        anchor_at: now,
        due,
        created_by,
    };
    insert_schedule(pool, &new).await.unwrap();
    name
}

/// Lets so much time go by for every schedule, as if their due times and all they remember lay that much earlier.
async fn pass(pool: &PgPool, interval: &str) {
    let sql = "update schedules set anchor_at = anchor_at - $1::text::interval, due_at = due_at - $1::text::interval,
                   next_at = next_at - $1::text::interval, touched_at = touched_at - $1::text::interval";
    sqlx::query(sql).bind(interval).execute(pool).await.unwrap();
}

async fn claim(pool: &PgPool) -> Vec<(Name, Outcome)> {
    let mut tx = pool.begin().await.unwrap();
    let outcomes = claim_due(&mut tx, 10).await.unwrap();
    tx.commit().await.unwrap();
    outcomes
}

/// The one job that was started.
async fn claim_job(pool: &PgPool) -> JobId {
    let outcomes = claim(pool).await;
    match outcomes.as_slice() {
        [(_, Outcome::Started(job))] => *job,
        other => panic!("one job was to be started, but: {other:?}"),
    }
}

async fn get(pool: &PgPool, name: &Name) -> Schedule {
    get_schedule(pool, name).await.unwrap()
}

async fn succeed(pool: &PgPool, job: JobId) {
    let attempt = start(pool, job, a_worker(pool).await).await;
    assert_eq!(finish_one(pool, job, attempt.fence, success()).await, Some(JobState::Succeeded));
}

async fn count_jobs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from jobs").fetch_one(pool).await.unwrap()
}

fn next_at(schedule: &Schedule) -> DateTime<Utc> {
    schedule.due.unwrap().next_at
}

#[tokio::test]
async fn a_due_time_is_one_job_that_says_what_it_belongs_to() {
    let (db, name) = with_schedule().await;
    assert_eq!(claim(&db.pool).await, [], "not due yet");
    pass(&db.pool, "15 minutes").await;
    let job = claim_job(&db.pool).await;
    assert_eq!(claim(&db.pool).await, [], "dealt with");
    assert_snapshot!(queue_as_text(&db.pool).await, @"a index index queued attempt 0/3 fence 0 | Pending due");
    let stored = get_job(&db.pool, job).await.unwrap();
    assert_eq!(
        stored.params,
        json!({"index": "gallery", "source": "photos", "prefix": "gallery/", "mode": "sync"})
    );
    assert_eq!(
        (stored.labels, stored.created_by.as_deref()),
        (json!({"schedule": "follow"}), Some("keeper"))
    );
    let schedule = get(&db.pool, &name).await;
    assert_eq!(schedule.running, Some(job));
    assert_eq!(schedule.last_job.map(|last| (last.id, last.state)), Some((job, JobState::Queued)));
    assert!(schedule.last_at.is_some() && schedule.skipped == 0);
    assert!(schedule.due.unwrap().next_at > Utc::now());
}

#[tokio::test]
async fn a_due_time_is_skipped_and_counted_while_a_job_has_not_ended() {
    let (db, name) = with_schedule().await;
    pass(&db.pool, "15 minutes").await;
    let first = claim_job(&db.pool).await;
    let attempt = start(&db.pool, first, a_worker(&db.pool).await).await;
    for skipped in 1..=2 {
        pass(&db.pool, "15 minutes").await;
        assert_eq!(claim(&db.pool).await, [(name.clone(), Outcome::Skipped(first))]);
        let schedule = get(&db.pool, &name).await;
        assert_eq!((schedule.skipped, schedule.running), (skipped, Some(first)));
        assert!(schedule.last_skipped_at.is_some() && next_at(&schedule) > Utc::now());
    }
    finish_one(&db.pool, first, attempt.fence, success()).await;
    pass(&db.pool, "15 minutes").await;
    let second = claim_job(&db.pool).await;
    assert_ne!(first, second);
    assert_eq!(get(&db.pool, &name).await.skipped, 2);
}

#[tokio::test]
async fn an_earlier_job_that_was_sent_back_to_its_queue_counts_too() {
    let (db, name) = with_schedule().await;
    pass(&db.pool, "15 minutes").await;
    let first = claim_job(&db.pool).await;
    cancel_jobs(&db.pool, &[first]).await.unwrap();
    pass(&db.pool, "15 minutes").await;
    let second = claim_job(&db.pool).await;
    succeed(&db.pool, second).await;
    retry_jobs(&db.pool, &[first]).await.unwrap();
    pass(&db.pool, "15 minutes").await;
    assert_eq!(claim(&db.pool).await, [(name, Outcome::Skipped(first))]);
}

#[tokio::test]
async fn many_missed_due_times_are_one_job() {
    let (db, name) = with_schedule().await;
    let before = next_at(&get(&db.pool, &name).await);
    pass(&db.pool, "10 days").await;
    let job = claim_job(&db.pool).await;
    succeed(&db.pool, job).await;
    assert_eq!(claim(&db.pool).await, []);
    assert_eq!((count_jobs(&db.pool).await, get(&db.pool, &name).await.skipped), (1, 0));
    let after = next_at(&get(&db.pool, &name).await);
    let now = Utc::now();
    assert!(after > now && after <= now + TimeDelta::minutes(15), "{after}");
    assert_eq!((before - after).num_seconds() % 900, 0, "the rhythm stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_deal_with_a_due_time_at_once_one_enqueues() {
    let (db, _) = with_schedule().await;
    for round in 1..=10 {
        pass(&db.pool, "15 minutes").await;
        let claims = (0..4).map(|_| {
            let pool = db.pool.clone();
            tokio::spawn(async move { claim(&pool).await })
        });
        let claims: Vec<_> =
            futures::future::join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
        let [(_, Outcome::Started(job))] = claims.as_slice() else { panic!("{claims:?}") };
        assert_eq!(count_jobs(&db.pool).await, round);
        succeed(&db.pool, *job).await;
    }
}

/// The race above, with the second one held at the row until the first commits: a job that is asked for by hand waits for
/// the due time, and then finds its job.
#[tokio::test]
async fn who_waits_for_the_row_sees_the_job_of_the_one_before() {
    let (db, name) = with_schedule().await;
    pass(&db.pool, "15 minutes").await;
    let mut first = db.pool.begin().await.unwrap();
    let outcomes = claim_due(&mut first, 10).await.unwrap();
    assert_eq!(claim(&db.pool).await, [], "what another one holds is left to it");
    let pool = db.pool.clone();
    let held = name.clone();
    let second = tokio::spawn(async move {
        let mut tx = pool.begin().await.unwrap();
        lock_schedule(&mut tx, &held).await.unwrap().running
    });
    wait_for_lock_waiters(&db.pool, 1).await;
    first.commit().await.unwrap();
    let [(_, Outcome::Started(job))] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(second.await.unwrap(), Some(*job));
}

#[tokio::test]
async fn a_job_asked_for_by_hand_leaves_the_due_time() {
    let (db, name) = with_schedule().await;
    let key = a_key(&db.pool, "hand", Scope::Submit).await;
    let mut tx = db.pool.begin().await.unwrap();
    let before = lock_schedule(&mut tx, &name).await.unwrap();
    let job = start_now(&mut tx, &before, key).await.unwrap();
    tx.commit().await.unwrap();
    let after = get(&db.pool, &name).await;
    assert_eq!((after.due, after.running), (before.due, Some(job)));
    assert_eq!(get_job(&db.pool, job).await.unwrap().created_by.as_deref(), Some("hand"));
    pass(&db.pool, "15 minutes").await;
    assert_eq!(claim(&db.pool).await, [(name, Outcome::Skipped(job))]);
}

#[tokio::test]
async fn a_paused_schedule_is_not_due() {
    let (db, name) = with_schedule().await;
    let schedule = get(&db.pool, &name).await;
    let paused = Definition { paused: true, ..schedule.definition };
    update_schedule(&db.pool, schedule.id, &paused, schedule.anchor_at, None).await.unwrap();
    pass(&db.pool, "10 days").await;
    assert_eq!(claim(&db.pool).await, []);
    let due = Due { due_at: Utc::now(), next_at: Utc::now() };
    let due_while_paused =
        update_schedule(&db.pool, schedule.id, &paused, schedule.anchor_at, Some(due)).await;
    assert!(due_while_paused.is_err(), "the table holds no paused schedule that is due");
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_silence_a_schedule() {
    let (db, name) = with_schedule().await;
    pass(&db.pool, "15 minutes").await;
    let job = claim_job(&db.pool).await;
    succeed(&db.pool, job).await;
    // As if all of that had happened in a year.
    pass(&db.pool, "-365 days").await;
    assert_eq!(claim(&db.pool).await, [(name.clone(), Outcome::Replanned)]);
    assert_eq!(claim(&db.pool).await, []);
    let next = next_at(&get(&db.pool, &name).await);
    let now = Utc::now();
    assert!(next > now && next <= now + TimeDelta::minutes(15), "{next}");
    assert_eq!(count_jobs(&db.pool).await, 1);
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_any_more_stops_no_other() {
    let (db, broken) = with_schedule().await;
    let sound = a_schedule(&db.pool, "sound", None).await;
    pass(&db.pool, "15 minutes").await;
    let sql = "update schedules set every_seconds = null, cron = 'x', timezone = 'Nowhere/At-all' where name = 'follow'";
    sqlx::query(sql).execute(&db.pool).await.unwrap();
    let mut outcomes = claim(&db.pool).await;
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<_> = outcomes.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [broken.clone(), sound.clone()]);
    assert_eq!(get(&db.pool, &broken).await.due, None);
    assert!(get(&db.pool, &sound).await.due.is_some());
    assert_eq!(claim(&db.pool).await, []);
}

#[tokio::test]
async fn a_schedule_goes_with_its_index() {
    let (db, name) = with_schedule().await;
    pass(&db.pool, "15 minutes").await;
    let job = claim_job(&db.pool).await;
    let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap();
    indexes::delete_index(&db.pool, index.id).await.unwrap();
    let gone = get_schedule(&db.pool, &name).await;
    assert!(matches!(gone, Err(DbError::NotFound { what: "schedule", .. })), "{gone:?}");
    pass(&db.pool, "15 minutes").await;
    assert_eq!(claim(&db.pool).await, []);
    assert_eq!(get_job(&db.pool, job).await.unwrap().state, JobState::Queued, "its jobs stay");
}

#[tokio::test]
async fn names_are_unique_lists_are_in_their_order_and_a_job_that_is_gone_leaves_its_time() {
    let (db, name) = with_schedule().await;
    let other = a_schedule(&db.pool, "early", None).await;
    let listed = list_schedules(&db.pool, Some(&"gallery".parse().unwrap()), "", 10).await.unwrap();
    assert_eq!(listed.iter().map(|each| &each.name).collect::<Vec<_>>(), [&other, &name]);
    assert_eq!(list_schedules(&db.pool, Some(&"nothing".parse().unwrap()), "", 10).await.unwrap(), []);
    assert_eq!(list_schedules(&db.pool, None, "early", 10).await.unwrap().len(), 1);
    let again = insert_again(&db.pool, &name).await;
    assert!(matches!(&again, DbError::Conflict(detail) if detail.contains("schedule")), "{again}");

    delete_schedule(&db.pool, &other).await.unwrap();
    pass(&db.pool, "15 minutes").await;
    let job = claim_job(&db.pool).await;
    tamper(&db.pool, "delete from jobs where id = $1", job).await;
    let schedule = get(&db.pool, &name).await;
    assert_eq!((schedule.last_job, schedule.running), (None, None));
    assert!(schedule.last_at.is_some());
    assert!(delete_schedule(&db.pool, &name).await.unwrap());
    assert!(!delete_schedule(&db.pool, &name).await.unwrap());
}

async fn insert_again(pool: &PgPool, name: &Name) -> DbError {
    let Schedule { definition, anchor_at, due, .. } = get(pool, name).await;
    let index_id = indexes::get_index(pool, &"gallery".parse().unwrap()).await.unwrap().id;
    let id = Uuid::now_v7();
    let new = NewSchedule { id, name: name.clone(), index_id, definition, anchor_at, due, created_by: None };
    insert_schedule(pool, &new).await.unwrap_err()
}
