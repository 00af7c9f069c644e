//! Searching from end to end, against decoding and forward passes on their own.

use std::time::Instant;

use lookalike_shared::db::pictures::insert_pictures;
use lookalike_shared::db::queue::{NewJob, enqueue};
use lookalike_shared::db::{self, PgListener};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::jobs::{Query, Submission};

use super::device::Figures;
use super::indexing::Indexed;
use super::queue::search;
use super::report::{Report, percentile};
use super::stage::Stage;

/// Searches that are timed one by one.
const SINGLES: usize = 100;
/// Searches under way at a time, and how many of them in all.
const TOGETHER: usize = 64;
const TOGETHER_TOTAL: usize = 256;

/// Searches by picture: one at a time, then many together.
pub async fn searching(
    stage: &Stage,
    index: &Indexed,
    device: &Figures,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut listener = stage.listen().await?;
    let mut times = Vec::new();
    for number in 0..SINGLES {
        let started = Instant::now();
        let id = enqueue_search(stage, index, number).await?;
        stage.wait(&mut listener, &[id]).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let limit = device.decode_ms + device.forward_ms;
    for (name, share) in [("search.p50", 0.5), ("search.p99", 0.99)] {
        let time = percentile(&mut times, share);
        report.row(name, time, "ms", limit, "decoding and a forward pass of one picture");
    }
    let rate = many_searches(stage, index, &mut listener).await?;
    report.row(
        "search.rate",
        rate,
        "searches/s",
        device.index_rate,
        "decoding and the engine in full batches",
    );
    Ok(())
}

/// Searches per second with [`TOGETHER`] under way at a time.
async fn many_searches(stage: &Stage, index: &Indexed, listener: &mut PgListener) -> anyhow::Result<f64> {
    let started = Instant::now();
    for first in (0..TOGETHER_TOTAL).step_by(TOGETHER) {
        let mut ids = Vec::with_capacity(TOGETHER);
        for number in first..first + TOGETHER {
            ids.push(enqueue_search(stage, index, number).await?);
        }
        stage.wait(listener, &ids).await?;
    }
    Ok(TOGETHER_TOTAL as f64 / started.elapsed().as_secs_f64())
}

/// Enqueues a search by one of the pictures, as the API does.
async fn enqueue_search(stage: &Stage, index: &Indexed, number: usize) -> anyhow::Result<JobId> {
    let job = NewJob::new(&search(index, Query::Picture), Submission::default(), None);
    let picture = stage.files[number % stage.files.len()].to_vec();
    let mut tx = db::begin(&stage.db).await?;
    enqueue(&mut tx, std::slice::from_ref(&job)).await?;
    insert_pictures(&mut *tx, job.id, &[(1.0, picture)]).await?;
    db::commit(tx).await?;
    Ok(job.id)
}
