//! Events over HTTP: complete, in order, and resumable.

use lookalike_tests::{Samples, ServerEvent};

use super::{stack_on, training};

fn ids(events: &[ServerEvent]) -> Vec<u64> {
    events.iter().map(|event| event.id.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_without_gaps_or_repeats() {
    let samples = Samples::draw(8, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let job = client.submit("train", &training("scenes", 3)).await.unwrap();
    let path = format!("/v1/jobs/{}/events", job.id());
    let mut seen: Vec<ServerEvent> = Vec::new();
    loop {
        // Two events, then the line is cut; the next one begins after the last that was seen.
        let last = seen.last().map(|event| event.id.clone());
        let mut stream = client.events(&path, last.as_deref()).await.unwrap();
        let mut some = Vec::new();
        while some.len() < 2 {
            match stream.next().await.unwrap() {
                Some(event) => some.push(event),
                None => break,
            }
        }
        if some.is_empty() {
            break;
        }
        seen.extend(some);
    }
    let whole = client.events(&path, Some("0")).await.unwrap().rest().await.unwrap();
    assert_eq!(ids(&seen), ids(&whole));
    assert!(ids(&seen).is_sorted_by(|a, b| a < b));
    assert_eq!(whole.first().unwrap().event, "queued");
    assert_eq!(whole.last().unwrap().event, "succeeded");
    assert_eq!(whole.iter().filter(|event| event.event == "metrics").count(), 3);
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn the_stream_of_all_jobs_outlives_a_restart() {
    let samples = Samples::draw(1, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let first = stack.client.run("noop", &serde_json::json!({})).await.unwrap();
    let mut stream = stack.client.events("/v1/events", Some("0")).await.unwrap();
    let mut last = stream.next().await.unwrap().unwrap();
    while last.event != "succeeded" {
        last = stream.next().await.unwrap().unwrap();
    }
    assert!(stack.terminate().await.unwrap().success());
    stack.restart().await.unwrap();
    let second = stack.client.run("noop", &serde_json::json!({})).await.unwrap();
    assert_ne!(first.id(), second.id());
    let mut stream = stack.client.events("/v1/events", Some(&last.id)).await.unwrap();
    let next = stream.next().await.unwrap().unwrap();
    assert_eq!((next.event.as_str(), next.data["job_id"].as_str()), ("queued", Some(second.id())));
    assert!(stack.terminate().await.unwrap().success());
}
