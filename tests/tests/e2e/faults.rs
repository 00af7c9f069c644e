//! Parts are killed while they work: nothing is lost, nothing is done twice, nothing has to be repaired by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lookalike_shared::testing::wait_until;
use lookalike_tests::{Client, Fault, FaultProxy, Job, Options, Request, S3Server, Samples, Stack};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{CLASSES, entries, indexing, put, stack_on, training, upload_gallery};

/// The last pictures come only when the worker has been killed often enough, so the job cannot end sooner.
#[tokio::test]
async fn an_index_is_whole_after_its_worker_was_killed_twice() {
    const EACH: u32 = 150;
    const HELD: [&str; 2] = ["gallery/held/0.jpg", "gallery/held/1.jpg"];
    let samples = Samples::draw(4, EACH, 0).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start(folder.path()).await.unwrap();
    let bucket = server.remote().open().unwrap();
    let keys = upload_gallery(&bucket, &samples).await;
    for key in HELD {
        put(&bucket, key, &samples.path().join(&keys[0])).await;
    }
    let kills = Arc::new(AtomicUsize::new(0));
    let killed = kills.clone();
    let hold = move |request: &Request| {
        let held = &HELD[killed.load(Ordering::SeqCst)..];
        held.iter().any(|key| request.is_get() && request.target.contains(key)).then_some(Fault::Silence)
    };
    let proxy = FaultProxy::start(server.remote().address().unwrap(), hold).await.unwrap();
    let behind = server.remote().through(proxy.address());
    let options = Options::default().source("photos", samples.path()).remote("bucket", &behind);
    let mut stack = Stack::start(options).await.unwrap();
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    let mut request = indexing("gallery", "scenes");
    request["source"] = json!("bucket");
    let job = client.submit("index", &request).await.unwrap();
    let mut done = 0;
    for attempt in 1..=2 {
        let further = |job: &Job| job.attempt() == attempt && job.state() == "running" && job.done() > done;
        done = client.wait_until(job.id(), "some progress", further).await.unwrap().done();
        stack.kill_worker().unwrap();
        kills.fetch_add(1, Ordering::SeqCst);
    }
    let ended = client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    assert_eq!(ended.attempt(), 3);
    assert_eq!(ended.result()["failed"], json!(0));
    assert_eq!(entries(&client, "gallery").await, u64::from(EACH * CLASSES) + 2);
    assert!(stack.terminate().await.unwrap().success());
}

/// As many searches as there are groups on their way at a time ask a bucket that says nothing.
#[tokio::test]
async fn a_search_does_not_wait_for_a_bucket_that_others_ask() {
    const HELD: &str = "queries/held.jpg";
    let samples = Samples::draw(4, 2, 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start(folder.path()).await.unwrap();
    let query = samples.pictures("queries").unwrap().remove(0);
    put(&server.remote().open().unwrap(), HELD, &query).await;
    let hold = |request: &Request| request.is_get().then_some(Fault::Silence);
    let proxy = FaultProxy::start(server.remote().address().unwrap(), hold).await.unwrap();
    let behind = server.remote().through(proxy.address());
    let options = Options::default().source("photos", samples.path()).remote("bucket", &behind);
    let mut stack = Stack::start(options).await.unwrap();
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    client.run("index", &indexing("gallery", "scenes")).await.unwrap();
    let held = json!({"index": "gallery", "source": "bucket", "key": HELD});
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let job = client.submit("search", &held).await.unwrap();
        client.wait_until(job.id(), "its attempt", |job| job.state() == "running").await.unwrap();
        waiting.push(job);
    }
    client.run("search", &Client::search_request("gallery", &query, 3).unwrap()).await.unwrap();
    for job in &waiting {
        assert_eq!(client.job(job.id()).await.unwrap().state(), "running");
        client.cancel(job.id()).await.unwrap();
        assert_eq!(client.wait(job.id()).await.unwrap().state(), "cancelled");
    }
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn no_accepted_job_is_lost_when_the_database_is_killed_under_load() {
    let samples = Samples::draw(1, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let (load, stop) = submit_without_pause(stack.client.clone());
    for _ in 0..2 {
        expect_more_successes(&stack.client, 30).await;
        stack.kill_postgres().unwrap();
    }
    expect_more_successes(&stack.client, 30).await;
    stop.send(()).unwrap();
    let accepted = load.await.unwrap();
    assert!(accepted.len() >= 90, "{}", accepted.len());
    for job in &accepted {
        stack.client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    }
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn no_accepted_job_is_lost_when_the_api_is_killed_under_load() {
    let samples = Samples::draw(1, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let (load, stop) = submit_without_pause(stack.client.clone());
    expect_more_successes(&stack.client, 30).await;
    stack.kill_up().await.unwrap();
    stop.send(()).unwrap();
    let accepted = load.await.unwrap();
    assert!(accepted.len() >= 30, "{}", accepted.len());
    stack.restart().await.unwrap();
    for job in &accepted {
        stack.client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    }
    assert!(stack.terminate().await.unwrap().success());
}

/// Submits jobs that do nothing, one after the other, until told to stop; gives those that were accepted.
fn submit_without_pause(client: Client) -> (JoinHandle<Vec<Job>>, oneshot::Sender<()>) {
    let (stop, mut stopped) = oneshot::channel();
    let load = tokio::spawn(async move {
        let mut accepted = Vec::new();
        while stopped.try_recv().is_err() {
            // What is refused or broken off was not accepted.
            if let Ok(job) = client.submit("noop", &json!({})).await {
                accepted.push(job);
            }
        }
        accepted
    });
    (load, stop)
}

/// Waits until `more` jobs have been submitted anew and have succeeded.
async fn expect_more_successes(client: &Client, more: usize) {
    let mut successes = 0;
    while successes < more {
        let job = wait_until("a job is accepted", Duration::from_secs(60), || async {
            client.submit("noop", &json!({})).await.ok()
        })
        .await;
        client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
        successes += 1;
    }
}

#[tokio::test]
async fn everything_goes_on_after_a_power_cut() {
    const EACH: u32 = 100;
    let samples = Samples::draw(4, EACH, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    stack.client.run("train", &training("scenes", 1)).await.unwrap();
    let job = stack.client.submit("index", &indexing("gallery", "scenes")).await.unwrap();
    stack.client.wait_until(job.id(), "some progress", |job| job.done() > 0).await.unwrap();
    stack.kill_everything().await.unwrap();
    stack.restart().await.unwrap();
    let ended = stack.client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    assert_eq!(ended.result()["failed"], json!(0));
    assert_eq!(entries(&stack.client, "gallery").await, u64::from(EACH * CLASSES));
    assert!(stack.terminate().await.unwrap().success());
}

/// A running job stops at its next batch.
#[tokio::test]
async fn ten_cancels_in_a_row_each_take_less_than_two_seconds() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    for round in 0..10 {
        let job = client.submit("train", &training("scenes", 1_000)).await.unwrap();
        client
            .wait_until(job.id(), "some progress", |job| job.state() == "running" && job.done() > 0)
            .await
            .unwrap();
        let begun = Instant::now();
        client.cancel(job.id()).await.unwrap();
        let ended = client.wait(job.id()).await.unwrap();
        println!("cancel {round} took {:?}", begun.elapsed());
        assert_eq!(ended.state(), "cancelled");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert!(stack.terminate().await.unwrap().success());
}
