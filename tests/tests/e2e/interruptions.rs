//! Trainings that are interrupted: on the CPU, in single precision, they end with the very weights of one that was not.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use lookalike_tests::{Client, Job, Samples};
use serde_json::{Value, json};

use super::{learning_curve, stack_on, training, wait_for_epochs};

const EPOCHS: u32 = 30;
/// Pictures that are learnt in a run: ten classes of twelve, a fraction of 0.23 held back of each.
const LEARNT: u64 = 30 * 10 * 9;

/// A training that makes a checkpoint whenever it may.
fn careful(model: &str) -> Value {
    let mut request = training(model, EPOCHS);
    request["checkpoint_minutes"] = json!(0.01);
    request["max_attempts"] = json!(9);
    request["ema_decay"] = json!(0.9);
    request["augment"] = json!({"resized_crop": 0.5, "color_jitter": 0.2, "mixup": 0.2});
    request
}

async fn weights(client: &Client, model: &str) -> Value {
    client.get(&format!("/v1/models/{model}/1")).await.unwrap()["weights_sha256"].clone()
}

async fn success(client: &Client, job: &Job) -> Job {
    client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap()
}

/// A training that was cancelled after some epochs.
async fn cancelled(client: &Client, request: &Value) -> Job {
    let job = client.submit("train", request).await.unwrap();
    wait_for_epochs(client, &job, 3).await;
    client.cancel(job.id()).await.unwrap();
    assert_eq!(client.wait(job.id()).await.unwrap().state(), "cancelled");
    job
}

/// The job's end after a retry, and its log.
async fn retried(client: &Client, job: &Job) -> (Job, String) {
    client.post(&format!("/v1/jobs/{}/retry", job.id()), &json!({})).await.unwrap();
    let ended = success(client, job).await;
    (ended, client.get(&format!("/v1/jobs/{}/logs", job.id())).await.unwrap().to_string())
}

#[tokio::test]
async fn a_training_whose_worker_is_killed_five_times_ends_with_the_same_weights() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let undisturbed = client.run("train", &careful("calm")).await.unwrap();
    let disturbed = client.submit("train", &careful("stormy")).await.unwrap();
    for kill in 0..5_u32 {
        // Anywhere in the next sixth of the run.
        let chance = RandomState::new().hash_one(kill) % 1000;
        let wanted = LEARNT * (u64::from(kill) * 1000 + chance) / 6000;
        let there = |job: &Job| {
            job.state() == "running" && job.attempt() == i64::from(kill) + 1 && job.done() > wanted
        };
        client.wait_until(disturbed.id(), "the moment of the next kill", there).await.unwrap();
        let (killed, at) = (stack.kill_worker().unwrap(), Instant::now());
        let next = |job: &Job| job.attempt() == i64::from(kill) + 2;
        let retaken = client.wait_until(disturbed.id(), "its next attempt", next).await.unwrap();
        println!("killed after {wanted} pictures, ran again after {:?}", at.elapsed());
        assert!(at.elapsed() < Duration::from_secs(30), "{retaken:?}");
        assert_ne!(stack.worker_pid().unwrap(), killed);
    }
    let ended = success(&client, &disturbed).await;
    assert_eq!(ended.attempt(), 6);
    assert_eq!(weights(&client, "stormy").await, weights(&client, "calm").await);
    assert_eq!(learning_curve(&client, &ended).await, learning_curve(&client, &undisturbed).await);
    assert_eq!(ended.result()["validation_accuracy"], undisturbed.result()["validation_accuracy"]);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_cancelled_training_keeps_its_last_checkpoint_and_goes_on_from_it_when_retried() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &careful("calm")).await.unwrap();
    let job = cancelled(&client, &careful("stormy")).await;
    let (_, logs) = retried(&client, &job).await;
    assert!(logs.contains("going on from the last checkpoint"), "{logs}");
    assert_eq!(weights(&client, "stormy").await, weights(&client, "calm").await);
    assert!(stack.terminate().await.unwrap().success());
}

/// A paused training gives its worker to others, and ends with the very numbers of one that was never paused.
#[tokio::test]
async fn a_paused_training_goes_on_where_it_was_and_uses_up_no_attempt() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let undisturbed = client.run("train", &careful("calm")).await.unwrap();
    let job = client.submit("train", &careful("paused")).await.unwrap();
    wait_for_epochs(&client, &job, 2).await;
    let begun = Instant::now();
    client.act(job.id(), "pause").await.unwrap();
    let paused = client.wait_until(job.id(), "a pause", |job| job.state() == "queued").await.unwrap();
    println!("the training was paused after {:?}", begun.elapsed());
    assert_eq!((&paused.0["paused"], &paused.0["state_reason"]), (&json!(true), &json!("paused")));
    assert_eq!(paused.attempt(), 0);
    let other = client.run("train", &training("other", 1)).await.unwrap();
    assert_eq!(other.state(), "succeeded", "its worker is free");
    assert_eq!(client.job(job.id()).await.unwrap().state(), "queued", "it is still paused");
    client.act(job.id(), "resume").await.unwrap();
    let ended = client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    assert_eq!(ended.attempt(), 1, "the pause used up no attempt");
    assert_eq!(learning_curve(&client, &ended).await, learning_curve(&client, &undisturbed).await);
    assert_eq!(weights(&client, "paused").await, weights(&client, "calm").await);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_training_is_handed_over_when_everything_is_stopped_and_started_again() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let job = stack.client.submit("train", &training("scenes", 40)).await.unwrap();
    wait_for_epochs(&stack.client, &job, 2).await;
    let begun = Instant::now();
    let status = stack.terminate().await.unwrap();
    println!("stopped in {:?}", begun.elapsed());
    assert_eq!(status.code(), Some(0));
    stack.restart().await.unwrap();
    let client = stack.client.clone();
    let before = learning_curve(&client, &job).await.len();
    let ended = client.wait_until(job.id(), "success", |job| job.state() == "succeeded").await.unwrap();
    assert_eq!(ended.attempt(), 1, "the stop used up no attempt");
    assert!(before >= 2);
    assert_eq!(learning_curve(&client, &ended).await.len(), 40);
    assert!(stack.terminate().await.unwrap().success());
}

/// What was learnt of some pictures is not judged by the split of others.
#[tokio::test]
async fn a_training_starts_over_when_its_pictures_are_not_the_same_any_more() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let job = cancelled(&client, &careful("changed")).await;
    std::fs::remove_file(&samples.pictures("train").unwrap()[0]).unwrap();
    let anew = client.run("train", &careful("anew")).await.unwrap();

    let (ended, logs) = retried(&client, &job).await;
    assert!(logs.contains("so it starts over"), "{logs}");
    assert_eq!(weights(&client, "changed").await, weights(&client, "anew").await);
    assert_eq!(learning_curve(&client, &ended).await, learning_curve(&client, &anew).await);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_training_goes_on_although_the_model_it_began_with_is_gone() {
    let samples = Samples::draw(12, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    client.run("train", &training("base", 1)).await.unwrap();
    let mut request = careful("child");
    request["pretrained"] = json!("base");
    let job = cancelled(&client, &request).await;
    client.run("train", &training("base", 1)).await.unwrap();
    let (status, _) =
        client.send(client.request(reqwest::Method::DELETE, "/v1/models/base/1")).await.unwrap();
    assert_eq!(status, 204);

    retried(&client, &job).await;
    let model = client.get("/v1/models/child/1").await.unwrap();
    assert_eq!(
        (&model["card"]["pretrained"], &model["card"]["created_by"]),
        (&json!("base@1"), &json!("admin"))
    );
    assert!(stack.terminate().await.unwrap().success());
}
