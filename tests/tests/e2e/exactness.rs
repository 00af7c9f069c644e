//! Bulk indexing under fire: whatever is killed, the index ends as if nothing had happened.

use std::path::Path;
use std::time::Duration;

use lookalike_shared::testing::wait_until;
use lookalike_tests::{Client, Job, Options, Samples, Stack};
use serde_json::{Value, json};

use super::{counts, failed_items, indexing, shown_entries, training};

/// Objects of the job; they repeat under other names after [`DIFFERENT`].
const OBJECTS: usize = 20_000;
const DIFFERENT: usize = 1_000;
/// How often the worker is killed, and how often the database.
const WORKER_KILLS: usize = 20;
const DATABASE_KILLS: usize = 5;

#[tokio::test]
async fn twenty_five_kills_leave_the_index_that_an_undisturbed_run_leaves() {
    let samples = Samples::draw(4, u32::try_from(DIFFERENT / 10).unwrap(), 0).await.unwrap();
    multiply(&samples);
    let mut stack = Stack::start(Options::default().source("photos", samples.path())).await.unwrap();
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    let undisturbed = client.run("index", &many("undisturbed")).await.unwrap();
    let mut request = many("disturbed");
    request["max_attempts"] = json!(100);
    let job = client.submit("index", &request).await.unwrap();
    for (kill, done) in thresholds().into_iter().enumerate() {
        let so_far = |job: &Job| job.state() == "running" && job.done() >= done;
        wait_through_outages(&client, &job, so_far).await;
        if kill % (1 + WORKER_KILLS / DATABASE_KILLS) == 0 {
            stack.kill_postgres().unwrap();
        } else {
            wait_until("a worker to kill", Duration::from_secs(60), || async { stack.kill_worker().ok() })
                .await;
        }
    }
    let ended = wait_through_outages(&client, &job, Job::has_ended).await;
    assert_eq!(ended.state(), "succeeded", "{ended:?}");
    assert!(ended.attempt() > i64::try_from(WORKER_KILLS / 2).unwrap(), "{} attempts", ended.attempt());
    assert_eq!(counts(&ended), counts(&undisturbed));
    assert_eq!(failed_items(&client, &ended).await, failed_items(&client, &undisturbed).await);
    let (left, right) =
        (shown_entries(&client, "disturbed").await, shown_entries(&client, "undisturbed").await);
    assert_eq!(left.len(), OBJECTS);
    for (uri, entry) in &right {
        assert_eq!(left.get(uri), Some(entry), "{uri}");
    }
    assert!(stack.terminate().await.unwrap().success());
}

/// Where the next part is killed: spread at random, the same in every run.
fn thresholds() -> Vec<u64> {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % (OBJECTS as u64 * 19 / 20)
    };
    let mut thresholds: Vec<u64> = (0..WORKER_KILLS + DATABASE_KILLS).map(|_| random()).collect();
    thresholds.sort_unstable();
    thresholds
}

/// Gives the pictures further names until there are [`OBJECTS`], among them some that are no pictures.
fn multiply(samples: &Samples) {
    let pictures = samples.pictures("gallery").unwrap();
    let bad = samples.path().join("gallery/bad");
    std::fs::create_dir(&bad).unwrap();
    for number in 0..20 {
        std::fs::write(bad.join(format!("{number}.jpg")), format!("no picture {number}")).unwrap();
    }
    for number in pictures.len()..OBJECTS {
        let folder = samples.path().join(format!("gallery/more/{:03}", number / DIFFERENT));
        std::fs::create_dir_all(&folder).unwrap();
        let copy: &Path = &folder.join(format!("{number:06}.jpg"));
        std::fs::hard_link(&pictures[number % pictures.len()], copy).unwrap();
    }
}

fn many(index: &str) -> Value {
    indexing(index, "scenes")
}

/// Asks again and again: while the database is away the API answers so.
async fn wait_through_outages(client: &Client, job: &Job, wanted: impl Fn(&Job) -> bool) -> Job {
    wait_until("the job to get so far", Duration::from_secs(300), || async {
        client.job(job.id()).await.ok().filter(|job| wanted(job) || job.has_ended())
    })
    .await
}
