//! Searching from end to end over HTTP, as clients do, against decoding and forward passes on their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use lookalike_shared::db::gallery::{MatchQuery, match_entries};
use lookalike_shared::domain::search::RankBy;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::device::{Figures, index_rate};
use super::indexing::{Indexed, fill_up};
use super::report::{Report, percentile};
use super::stage::{CLASSES, IMAGE_SIZE, Stage};
use crate::inference::{Inference, Options as InferenceOptions, Priority};
use crate::network::Pictures;
use crate::picture::{Limits, decode, prepare};

/// Searches that are timed one by one, after some that are not.
const SINGLES: usize = 200;
const WARM_UP: usize = 20;
/// Searches under way at a time, and for how long.
const CONCURRENCIES: [usize; 4] = [1, 8, 64, 256];
const SPAN: Duration = Duration::from_secs(6);
/// Entries of the index that a worker starts with, and how long it has to get ready.
const MANY: usize = 200_000;
const READY: Duration = Duration::from_secs(5);
/// Hits of a search.
const K: usize = 20;

/// Where the API is that searches are sent to.
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// The server that searches are sent to
    #[arg(long, env = "LOOKALIKE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// A key of it with scope submit
    #[arg(long, env = "LOOKALIKE_KEY", value_name = "KEY", hide_env_values = true)]
    pub key: Option<String>,
}

/// Searches by picture: one at a time, then many together.
///
/// # Errors
/// What could not be measured.
pub async fn searching(
    stage: &Stage,
    server: &Server,
    index: &Indexed,
    device: &Figures,
    report: &mut Report,
) -> anyhow::Result<()> {
    let client = SearchClient::new(stage, server, index)?;
    let mut times = Vec::new();
    let mut steps: Vec<(String, Vec<f64>)> = Vec::new();
    for number in 0..WARM_UP + SINGLES {
        let started = Instant::now();
        let job = client.search(number).await?;
        let taken = started.elapsed().as_secs_f64() * 1e3;
        if number >= WARM_UP {
            times.push(taken);
            note_steps(&mut steps, &job, taken);
        }
    }
    let limit = device.decode_ms + device.forward_ms;
    let against = "decoding and a forward pass of one picture";
    let p50 = percentile(&mut times, 0.5);
    report.row("search_idle_p50_ms", p50, "ms", limit, against);
    report.row("search_idle_p99_ms", percentile(&mut times, 0.99), "ms", p50, "the median");
    report.limit("search_overhead_p50_ms", p50 - limit, "ms");
    for (step, times) in &mut steps {
        report.limit(&format!("search.step.{step}"), percentile(times, 0.5), "ms");
    }
    plain(stage, index, limit, report).await?;
    for together in CONCURRENCIES {
        let before = index_rate(stage, &stage.model).await?;
        let rate = client.rate(together).await?;
        let after = index_rate(stage, &stage.model).await?;
        let limit = f64::midpoint(before, after);
        let against = "decoding and the engine in full batches, just before and after";
        report.row(&format!("search_rate.{together}"), rate, "searches/s", limit, against);
        report.row(&format!("search_throughput_ratio.{together}"), rate / limit, "", 1.0, against);
    }
    Ok(())
}

/// The first search of a worker that has just been started, with [`MANY`] entries in the index: the worker from the first
/// line of its start to the answer, which is asked for at once; and the same once it has had time to get ready.
///
/// # Errors
/// What could not be measured.
pub async fn first(
    stage: &Stage,
    server: &Server,
    index: &Indexed,
    report: &mut Report,
) -> anyhow::Result<()> {
    fill_up(stage, index.generation, MANY).await?;
    let client = SearchClient::new(stage, server, index)?;
    let started = Instant::now();
    let (worker, job) = tokio::join!(stage.start_worker(), client.search(0));
    let at_once = started.elapsed().as_secs_f64() * 1e3;
    let mut steps = Vec::new();
    note_steps(&mut steps, &job?, at_once);
    report.limit("search_first_ms.from_start", at_once, "ms");
    for (step, times) in &mut steps {
        report.limit(&format!("search_first.step.{step}"), percentile(times, 0.5), "ms");
    }
    worker?.stop().await?;
    let worker = stage.start_worker().await?;
    tokio::time::sleep(READY).await;
    let started = Instant::now();
    client.search(1).await?;
    report.limit("search_first_ms.when_ready", started.elapsed().as_secs_f64() * 1e3, "ms");
    worker.stop().await
}

/// Notes the milliseconds of each step: those that the worker tells, and what the database's clock says of the rest.
fn note_steps(steps: &mut Vec<(String, Vec<f64>)>, job: &Value, taken: f64) {
    let at = |field: &str| job[field].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
    let (Some(created), Some(started), Some(finished)) =
        (at("created_at"), at("started_at"), at("finished_at"))
    else {
        return;
    };
    let ms = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).as_seconds_f64() * 1e3;
    let told = job["result"]["timings_ms"].as_object().into_iter().flatten();
    let told = told.map(|(step, ms)| (step.clone(), ms.as_f64().unwrap_or(f64::NAN)));
    let rest = [
        ("from_insert_to_claim".to_owned(), ms(created, started)),
        ("from_claim_to_finish".to_owned(), ms(started, finished)),
        ("before_insert_and_after_finish".to_owned(), taken - ms(created, finished)),
    ];
    for (step, ms) in told.chain(rest) {
        match steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, times)) => times.push(ms),
            None => steps.push((step, vec![ms])),
        }
    }
}

/// The same pictures without jobs and API: decode, embed, and ask pgvector for the nearest of all entries.
async fn plain(stage: &Stage, index: &Indexed, limit: f64, report: &mut Report) -> anyhow::Result<()> {
    let inference = Inference::start(stage.chosen.device, InferenceOptions::for_device(stage.chosen.device))?;
    let classes: Vec<i32> = (0..i32::try_from(CLASSES)?).collect();
    let mut times = Vec::new();
    for number in 0..WARM_UP + SINGLES {
        let started = Instant::now();
        let file = stage.files[number % stage.files.len()].clone();
        let pixels = tokio::task::spawn_blocking(move || {
            decode(&file, &Limits::default()).map(|picture| prepare(&picture, IMAGE_SIZE))
        });
        let pictures = Pictures::new(IMAGE_SIZE as usize, pixels.await??)?;
        let answers = inference.embed(&stage.model, pictures, Priority::Search).await?;
        let query = MatchQuery {
            classes: &classes,
            approximate: &[],
            rank_by: RankBy::Embedding,
            vector: answers.embedding(0),
            k: K as i64,
            exclude: &[],
            uri_prefix: None,
            metadata: None,
            max_distance: None,
        };
        match_entries(&stage.db, index.generation, &query).await?;
        if number >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    let against = "decoding and a forward pass of one picture";
    report.row("search_plain_pgvector_p50_ms", percentile(&mut times, 0.5), "ms", limit, against);
    Ok(())
}

/// Sends searches.
#[derive(Clone)]
struct SearchClient {
    http: Client,
    url: String,
    key: String,
    index: String,
    files: Arc<Vec<bytes::Bytes>>,
}

impl SearchClient {
    fn new(stage: &Stage, server: &Server, index: &Indexed) -> anyhow::Result<Self> {
        let url = server.url.as_deref().context("the server's URL: --url or LOOKALIKE_URL")?;
        Ok(Self {
            http: Client::new(),
            url: format!("{}/v1/jobs/search", url.trim_end_matches('/')),
            key: server.key.clone().context("a key: --key or LOOKALIKE_KEY")?,
            index: index.name.to_string(),
            files: stage.files.clone(),
        })
    }

    /// One search, from sending it until its answer is there; gives the job.
    async fn search(&self, number: usize) -> anyhow::Result<Value> {
        let picture = self.files[number % self.files.len()].clone();
        let length = picture.len() as u64;
        let picture = Part::stream_with_length(picture, length).file_name("query.jpg");
        let form = Form::new().text("index", self.index.clone()).part("image", picture);
        let sent = self.http.post(&self.url).bearer_auth(&self.key).header("prefer", "wait=60");
        let answer = sent.multipart(form).send().await?.error_for_status()?;
        let body = answer.bytes().await?;
        let job: Value = serde_json::from_slice(&body)?;
        anyhow::ensure!(job["state"] == "succeeded", "a search ended {}: {}", job["state"], job["error"]);
        Ok(job)
    }

    /// Searches per second with so many under way at a time.
    async fn rate(&self, together: usize) -> anyhow::Result<f64> {
        let (done, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let started = Instant::now();
        let one = async || -> anyhow::Result<()> {
            while started.elapsed() < SPAN {
                self.search(next.fetch_add(1, Ordering::Relaxed)).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        try_join_all((0..together).map(|_| one())).await?;
        Ok(done.into_inner() as f64 / started.elapsed().as_secs_f64())
    }
}
