//! Jobs, workers, models, generations and entries, made through the functions that the program uses.

use std::time::Duration;

use serde_json::{Map, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::db::gallery::{self, NewEntry};
use crate::db::keys::{self, NewKey};
use crate::db::models::{self, NewModel};
use crate::db::queue::{self, Attempt, Claim, NewJob};
use crate::db::workers::{self, NewWorker};
use crate::db::{PgConnection, indexes};
use crate::domain::job::{JobId, JobKind};
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::jobs::{Noop, Submission};

/// The lease that [`start`] takes: longer than any test.
const LEASE: Duration = Duration::from_secs(600);

/// A job that does nothing, with three attempts.
pub fn a_job() -> NewJob {
    NewJob::new(&Noop {}, Submission::default(), None)
}

/// A job of that kind with an empty payload: enough for the queue, which does not look into it.
pub fn a_job_of(kind: JobKind) -> NewJob {
    NewJob { kind, ..a_job() }
}

/// Enqueues a job in a transaction of its own and gives its id.
///
/// # Panics
/// When the database refuses it.
pub async fn enqueue_one(pool: &PgPool, job: &NewJob) -> JobId {
    enqueue_all(pool, std::slice::from_ref(job)).await;
    job.id
}

/// Enqueues jobs in one transaction.
///
/// # Panics
/// When the database refuses them.
pub async fn enqueue_all(pool: &PgPool, jobs: &[NewJob]) {
    let mut tx = pool.begin().await.expect("the test database answers");
    queue::enqueue(&mut tx, jobs).await.expect("these jobs are valid");
    tx.commit().await.expect("the test database answers");
}

/// Claims a job for `worker`.
///
/// # Panics
/// When it may not start.
pub async fn start(pool: &PgPool, job: JobId, worker: Uuid) -> Attempt {
    let claims = queue::claim_jobs(pool, &[job], worker, LEASE).await.expect("the test database answers");
    match claims.as_slice() {
        [Claim::Started(attempt)] => attempt.clone(),
        other => panic!("job {job} was to start, but: {other:?}"),
    }
}

/// Lets the lease of a running job run out, as if its worker had not been heard of for long.
///
/// # Panics
/// When it holds none.
pub async fn expire_lease(pool: &PgPool, job: JobId) {
    let sql = "update jobs set lease_expires_at = now() - interval '1 second' where id = $1 and lease_expires_at is not null";
    let done = sqlx::query(sql).bind(job.0).execute(pool).await.expect("the test database answers");
    assert_eq!(done.rows_affected(), 1, "job {job} holds no lease");
}

/// Makes a schedule due, as if its time had come.
///
/// # Panics
/// When there is none of that name, or it is paused.
pub async fn make_due(pool: &PgPool, schedule: &str) {
    let sql = "update schedules set due_at = now() - interval '1 second', next_at = now() where name = $1 and not paused";
    let done = sqlx::query(sql).bind(schedule).execute(pool).await.expect("the test database answers");
    assert_eq!(done.rows_affected(), 1, "schedule {schedule} cannot be due");
}

/// Registers a worker and gives its id.
///
/// # Panics
/// When the database refuses it.
pub async fn a_worker(pool: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    let worker = NewWorker {
        id,
        name: "tester".to_owned(),
        host: "localhost".to_owned(),
        pid: 1,
        version: "0.0.0".to_owned(),
        device: "cpu".to_owned(),
        device_name: "a processor".to_owned(),
        engine: "torch".to_owned(),
        queues: vec!["maintenance".to_owned()],
    };
    workers::insert_worker(pool, &worker).await.expect("a new id");
    id
}

/// Stores a key of that name and scope and gives its id; its secret is its name.
///
/// # Panics
/// When the name is taken or no valid one.
pub async fn a_key(pool: &PgPool, name: &str, scope: Scope) -> Uuid {
    let id = Uuid::now_v7();
    let parsed: Name = name.parse().expect("a valid name");
    let hash = <sha2::Sha256 as sha2::Digest>::digest(name.as_bytes());
    let key = NewKey { id, name: &parsed, hash: &hash, hint: "test", scope, expires_at: None };
    keys::insert_key(pool, &key).await.expect("a free name");
    id
}

/// Stores a model of that name with these classes and embeddings of `embedding_dim` values; gives its id.
///
/// # Panics
/// When the database refuses it.
pub async fn a_model(pool: &PgPool, name: &str, classes: &[&str], embedding_dim: i32) -> Uuid {
    let id = Uuid::now_v7();
    let model = NewModel {
        id,
        name: name.parse().expect("a valid name"),
        backbone: "mobilenet_v2".to_owned(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        image_size: 64,
        embedding_dim,
        weights_key: format!("models/{id}.safetensors"),
        weights_bytes: 1,
        weights_sha256: vec![0; 32],
        origin: "imported",
        job_id: None,
        card: json!({}),
        labels: json!({}),
    };
    models::insert_model(pool, &model).await.expect("a new id");
    id
}

/// Makes an index of that name with an empty, active generation of `model`; gives the generation's number.
///
/// # Panics
/// When the name is taken.
pub async fn a_generation(pool: &PgPool, index: &str, model: Uuid, classes: i32, embedding_dim: i32) -> i32 {
    let id = Uuid::now_v7();
    let mut tx = pool.begin().await.expect("the test database answers");
    indexes::insert_index(&mut *tx, id, &index.parse().expect("a valid name")).await.expect("a free name");
    let begun = indexes::begin_generation(&mut tx, id, model, classes, embedding_dim).await;
    let generation = begun.expect("a new generation");
    indexes::activate_generation(&mut tx, id, generation).await.expect("a new generation");
    tx.commit().await.expect("the test database answers");
    generation
}

/// An entry of a class whose vectors are `probabilities` and `embedding`.
pub fn an_entry(uri: &str, class_id: i32, probabilities: &[f32], embedding: &[f32]) -> NewEntry {
    NewEntry {
        id: Uuid::now_v7(),
        class_id,
        uri: uri.to_owned(),
        probabilities: probabilities.to_vec(),
        embedding: embedding.to_vec(),
        width: 640,
        height: 480,
        bytes: 1_000,
        etag: "1".to_owned(),
        content_hash: [7; 32],
        perceptual_hash: 7 << 60,
        metadata: Map::new(),
        thumbnail: vec![0xff, 0xd8],
    }
}

/// Stores new entries the way a batch of an index job is stored: generation's row, vectors, manifest,
/// thumbnails and counts, in that order.
///
/// # Panics
/// When the database refuses them.
pub async fn commit_entries(tx: &mut PgConnection, generation: i32, entries: &[NewEntry], job: Uuid) {
    let state = gallery::lock_generation(&mut *tx, generation).await.expect("the test database answers");
    assert!(state.is_some(), "generation {generation} is gone");
    gallery::replace_entries(&mut *tx, generation, &[], entries, job).await.expect("valid entries");
}
