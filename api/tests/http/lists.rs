//! Pages, filters and counts.

use std::collections::BTreeSet;

use lookalike_shared::domain::job::JobKind;
use lookalike_shared::jobs::Submission;
use lookalike_shared::testing::{a_job, a_job_of, a_worker, enqueue_all, enqueue_one, start};
use serde_json::{Value, json};

use crate::app::TestApp;

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_every_job_once_newest_first_while_others_arrive() {
    let app = TestApp::start().await;
    let jobs: Vec<_> = (0..7).map(|_| a_job()).collect();
    enqueue_all(app.db(), &jobs).await;
    let mut expected: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
    expected.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/jobs?limit=3&cursor={cursor}")).await.body;
        seen.extend(ids(&page));
        enqueue_one(app.db(), &a_job()).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn filters_narrow_and_combine() {
    let app = TestApp::start().await;
    let labels = [("team".to_owned(), "x".to_owned()), ("run".to_owned(), "1:2,3".to_owned())];
    let mut labelled = a_job();
    labelled.submission = Submission { labels: labels.into(), ..Submission::default() };
    let labelled = enqueue_one(app.db(), &labelled).await.to_string();
    let train = enqueue_one(app.db(), &a_job_of(JobKind::Train)).await;
    let index = enqueue_one(app.db(), &a_job_of(JobKind::Index)).await.to_string();
    start(app.db(), train, a_worker(app.db()).await).await;
    let train = train.to_string();
    let all = [&labelled, &train, &index];
    let found = async |query: &str| {
        let found: BTreeSet<String> =
            ids(&app.get(&format!("/v1/jobs?{query}")).await.body).into_iter().collect();
        all.map(|id| found.contains(id))
    };
    assert_eq!(found("").await, [true, true, true]);
    assert_eq!(found("kind=train,index").await, [false, true, true]);
    assert_eq!(found("kind=train&kind=noop").await, [true, true, false]);
    assert_eq!(found("state=running").await, [false, true, false]);
    assert_eq!(found("queue=maintenance").await, [true, false, false]);
    assert_eq!(found("label=team:x").await, [true, false, false]);
    assert_eq!(found("label=team:x&label=run:1:2,3").await, [true, false, false]);
    assert_eq!(found("label=team:x&label=run:9").await, [false, false, false]);
    assert_eq!(found("kind=index&state=running").await, [false, false, false]);
    assert_eq!(found("since=2100-01-01T00:00:00Z").await, [false, false, false]);
    assert_eq!(found("since=2020-01-01T00:00:00+00:00").await, [true, true, true]);
}

#[tokio::test]
async fn counts_name_every_state_and_kind() {
    let app = TestApp::start().await;
    enqueue_all(app.db(), &[a_job(), a_job(), a_job_of(JobKind::Train)]).await;
    let counts = app.get("/v1/jobs/counts").await.body;
    assert_eq!(counts["by_state"]["queued"], 3);
    assert_eq!(
        (counts["by_state"].as_object().unwrap().len(), &counts["by_state"]["failed"]),
        (8, &json!(0))
    );
    assert_eq!((&counts["by_kind"]["noop"], &counts["by_kind"]["train"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn queues_are_listed_paused_and_resumed() {
    let app = TestApp::start().await;
    enqueue_all(app.db(), &[a_job(), a_job()]).await;
    let queues = app.get("/v1/queues").await.body;
    let names: Vec<_> =
        queues["items"].as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search", "index", "train", "maintenance"]);
    let queue = &queues["items"][3];
    assert_eq!((&queue["depth"], &queue["paused"], &queue["running"]), (&json!(2), &json!(false), &json!(0)));
    assert!(queue["oldest_age_seconds"].as_f64().is_some());
    for (action, paused) in [("pause", true), ("pause", true), ("resume", false), ("resume", false)] {
        let answer = app.post(&format!("/v1/queues/maintenance/{action}"), json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["paused"]), (200, &json!(paused)), "{action}");
    }
    assert_eq!(app.get("/v1/queues/maintenance").await.body["depth"], 2);
    app.post("/v1/queues/none/pause", json!({})).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn workers_show_their_device_and_what_they_run() {
    let app = TestApp::start().await;
    let worker = a_worker(app.db()).await;
    let job = enqueue_one(app.db(), &a_job()).await;
    start(app.db(), job, worker).await;
    let sample = lookalike_shared::db::workers::DeviceUse {
        utilisation_percent: 50.0,
        memory_used_bytes: 1,
        memory_total_bytes: 2,
    };
    lookalike_shared::db::workers::insert_sample(app.db(), worker, &sample).await.unwrap();
    let shown = app.get("/v1/workers").await.body["items"][0].clone();
    assert_eq!((&shown["id"], &shown["state"]), (&json!(worker), &json!("starting")));
    assert_eq!(shown["jobs"], json!([{"id": job, "kind": "noop"}]));
    assert_eq!((&shown["device"], &shown["utilisation_percent"]), (&json!("cpu"), &json!(50.0)));
    let samples = app.get(&format!("/v1/workers/{worker}/samples")).await.body;
    assert_eq!(samples["items"][0]["memory_total_bytes"], 2);
    let later = samples["items"][0]["at"].as_str().unwrap();
    let none = app.get(&format!("/v1/workers/{worker}/samples?since={later}")).await.body;
    assert_eq!(none["items"], json!([]));
    app.get(&format!("/v1/workers/{job}/samples")).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn queue_samples_are_paged_even_within_one_moment() {
    let app = TestApp::start().await;
    let now = chrono::Utc::now();
    lookalike_shared::db::queues::insert_samples(app.db(), now).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app
            .get(&format!("/v1/queues/samples?limit=1&since=2020-01-01T00:00:00Z&cursor={cursor}"))
            .await
            .body;
        seen.push(page["items"][0]["queue"].as_str().unwrap().to_owned());
        match page["next_cursor"].as_str() {
            Some(next) if seen.len() < 4 => cursor = next.to_owned(),
            _ => break,
        }
    }
    assert_eq!(seen, ["index", "maintenance", "search", "train"]);
}

#[tokio::test]
async fn short_lists_have_pages_too() {
    let app = TestApp::start().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/queues?limit=3&cursor={cursor}")).await.body;
        let names =
            page["items"].as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap().to_owned());
        seen.extend(names);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["search", "index", "train", "maintenance"]);
    for list in ["queues", "workers", "sources"] {
        for wrong in ["limit=0", "limit=1001", "cursor=!!"] {
            app.get(&format!("/v1/{list}?{wrong}")).await.assert_problem(422, "invalid_request");
        }
    }
}
