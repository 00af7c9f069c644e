//! Enqueueing, dispatch and draining, against what the database does on its own.

use std::time::{Duration, Instant};

use anyhow::ensure;
use lookalike_shared::db::gallery::list_entries;
use lookalike_shared::db::items::{NewItem, insert_items};
use lookalike_shared::db::jobs::{Job, delete_jobs, get_job};
use lookalike_shared::db::queue::{Claim, Ending, Finish, NewJob, claim_jobs, finish_jobs};
use lookalike_shared::domain::job::{JobId, JobState};
use lookalike_shared::jobs::{Dataset, Noop, Query, Search, Submission, Train};
use serde_json::{from_value, json};
use uuid::Uuid;

use super::indexing::Indexed;
use super::report::{Report, percentile};
use super::stage::{SOURCE, Stage, next_change};

/// Jobs per statement, as in the worker's batches.
const BATCH: usize = 256;
/// Jobs or rows per transaction in bulk.
const BULK: usize = 1_000;
/// Single jobs and commits that are timed.
const SINGLES: usize = 200;
/// Jobs whose dispatch is timed.
const DISPATCHES: usize = 300;
/// The pause before each, so that each finds its queue idle.
const PAUSE: Duration = Duration::from_millis(30);

/// The limits that the database sets, found by [`enqueueing`].
pub struct DatabaseFigures {
    /// A durable commit of one row, median, in milliseconds.
    pub commit_ms: f64,
    /// Jobs per second through the statements that start and end them, and nothing else.
    pub statements_rate: f64,
}

/// Times enqueueing while no worker runs: one by one against bare commits, in bulk against a bare insert of as
/// many rows; then the statements that start and end jobs, without deliveries.
pub async fn enqueueing(stage: &Stage, count: u32, report: &mut Report) -> anyhow::Result<DatabaseFigures> {
    let singles = noops(SINGLES);
    let started = Instant::now();
    for job in &singles {
        stage.enqueue(std::slice::from_ref(job)).await?;
    }
    let single_rate = per_second(singles.len(), started);
    let commit_ms = commit_ms(stage, singles[0].id).await?;
    report.limit("database.commit.p50", commit_ms, "ms");
    report.row("enqueue.single", single_rate, "jobs/s", 1e3 / commit_ms, "commits of one row");

    let many = noops(count as usize);
    let started = Instant::now();
    for jobs in many.chunks(BULK) {
        stage.enqueue(jobs).await?;
    }
    let bulk_rate = per_second(many.len(), started);
    let bare_rate = bare_insert_rate(stage, singles[0].id, many.len()).await?;
    report.row("enqueue.bulk", bulk_rate, "jobs/s", bare_rate, "an insert of as many plain rows");

    let started = Instant::now();
    for jobs in many.chunks(BATCH) {
        start_and_end(stage, jobs).await?;
    }
    let statements_rate = per_second(many.len(), started);
    start_and_end(stage, &singles).await?;
    let ids: Vec<JobId> = many.iter().chain(&singles).map(|job| job.id).collect();
    for ids in ids.chunks(BULK) {
        delete_jobs(&stage.db, ids).await?;
    }
    Ok(DatabaseFigures { commit_ms, statements_rate })
}

fn noops(count: usize) -> Vec<NewJob> {
    (0..count).map(|_| NewJob::new(&Noop {}, Submission::default(), None)).collect()
}

fn per_second(count: usize, started: Instant) -> f64 {
    count as f64 / started.elapsed().as_secs_f64()
}

fn plain_rows(count: usize) -> Vec<NewItem> {
    let row =
        |n| NewItem { uri: Uuid::now_v7().to_string(), code: "bench".to_owned(), detail: format!("row {n}") };
    (0..count).map(row).collect()
}

async fn commit_ms(stage: &Stage, owner: JobId) -> anyhow::Result<f64> {
    let mut commits = Vec::new();
    for _ in 0..SINGLES {
        let rows = plain_rows(1);
        let started = Instant::now();
        insert_items(&stage.db, owner, &rows).await?;
        commits.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut commits, 0.5))
}

async fn bare_insert_rate(stage: &Stage, owner: JobId, count: usize) -> anyhow::Result<f64> {
    let rows = plain_rows(count);
    let started = Instant::now();
    for rows in rows.chunks(BULK) {
        insert_items(&stage.db, owner, rows).await?;
    }
    Ok(per_second(count, started))
}

async fn start_and_end(stage: &Stage, jobs: &[NewJob]) -> anyhow::Result<()> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let claims = claim_jobs(&stage.relaxed, &ids, Uuid::now_v7(), Duration::from_secs(60)).await?;
    let mut finishes = Vec::new();
    for claim in claims {
        let Claim::Started(attempt) = claim else { anyhow::bail!("a new job did not start: {claim:?}") };
        let ending = Ending::Succeeded(json!({}));
        finishes.push(Finish { job_id: attempt.job_id, fence: attempt.fence, ending });
    }
    finish_jobs(&stage.db, &finishes).await?;
    Ok(())
}

/// Enqueues jobs that do nothing, to be drained once a worker runs.
pub async fn fill(stage: &Stage, count: u32) -> anyhow::Result<Vec<JobId>> {
    let jobs = noops(count as usize);
    for jobs in jobs.chunks(BULK) {
        stage.enqueue(jobs).await?;
    }
    Ok(jobs.iter().map(|job| job.id).collect())
}

/// Waits until a worker has done all of these jobs, and tells how fast it was from the first start to the last
/// end.
///
/// # Errors
/// One was run twice, or did not succeed.
pub async fn draining(
    stage: &Stage,
    jobs: &[JobId],
    database: &DatabaseFigures,
    report: &mut Report,
) -> anyhow::Result<()> {
    stage.wait(&mut stage.listen().await?, jobs).await?;
    let mut done: Vec<Job> = Vec::with_capacity(jobs.len());
    for id in jobs {
        done.push(get_job(&stage.db, *id).await?);
    }
    let once = done.iter().all(|job| job.attempt == 1 && job.state == JobState::Succeeded);
    ensure!(once, "a job was run more than once, or failed");
    let first = done.iter().filter_map(|job| job.started_at).min();
    let last = done.iter().filter_map(|job| job.finished_at).max();
    let seconds = first.zip(last).map_or(f64::NAN, |(first, last)| (last - first).as_seconds_f64());
    let rate = done.len() as f64 / seconds;
    report.row("drain", rate, "jobs/s", database.statements_rate, "the statements that start and end jobs");
    Ok(())
}

/// Times searches, one at a time, from the enqueueing transaction to the first line of their code.
pub async fn dispatch(
    stage: &Stage,
    index: &Indexed,
    when: &str,
    database: &DatabaseFigures,
    report: &mut Report,
) -> anyhow::Result<()> {
    let entries = list_entries(&stage.db, index.generation, None, None, 1).await?;
    let entry_id = entries.first().map(|entry| entry.entry_id).unwrap_or_default();
    let mut listener = stage.listen().await?;
    let mut waits = Vec::new();
    for _ in 0..DISPATCHES {
        tokio::time::sleep(PAUSE).await;
        let search = search(index, Query::Entry { entry_id });
        let job = stage.run(&mut listener, NewJob::new(&search, Submission::default(), None)).await?;
        let result = job.result.unwrap_or_default();
        waits.push(result["timings_ms"]["queued"].as_f64().unwrap_or(f64::NAN));
    }
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let wait = percentile(&mut waits, share);
        report.row(&format!("dispatch.{when}.{name}"), wait, "ms", database.commit_ms, "a commit of one row");
    }
    Ok(())
}

/// A search of an index.
pub fn search(index: &Indexed, query: Query) -> Search {
    Search {
        index: index.name.clone(),
        query,
        k: 20,
        probes: Default::default(),
        rank_by: Default::default(),
        filter: Default::default(),
        min_similarity: None,
        collapse_duplicates: false,
    }
}

/// Starts a training that lasts until it is cancelled, and waits until it learns.
pub async fn start_training(stage: &Stage) -> anyhow::Result<JobId> {
    let dataset = Dataset { source: SOURCE.parse()?, prefix: String::new() };
    let training: Train = from_value(json!({
        "model": stage.name("training"), "dataset": dataset, "backbone": "resnet18", "image_size": 96,
        "epochs": 1_000, "min_images_per_class": 4
    }))?;
    let job = NewJob::new(&training, Submission::default(), None);
    let id = job.id;
    let mut listener = stage.listen().await?;
    stage.enqueue(&[job]).await?;
    loop {
        let job = get_job(&stage.db, id).await?;
        ensure!(!job.state.is_final(), "the training ended early: {:?}", job.error);
        if job.progress.is_some_and(|progress| progress.phase == "training" && progress.done > 0) {
            return Ok(id);
        }
        next_change(&mut listener).await;
    }
}
