//! Live streams: replay, follow, resume, resync and end.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use lookalike_shared::db::queue::{self, Ending, Finish};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::testing::{a_job, a_worker, enqueue_one, start};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Answer, LONG, TestApp};

/// One stream, read frame by frame.
struct Stream {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

#[derive(Debug)]
struct Frame {
    id: i64,
    r#type: String,
    data: Value,
}

impl Stream {
    async fn open(app: &TestApp, path: &str, last_event_id: Option<i64>) -> Self {
        let mut request = app.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut stream = Self { bytes: response.bytes_stream().boxed(), text: String::new() };
        assert_eq!(stream.block().await.as_deref(), Some(": connected"));
        stream
    }

    /// The next block of lines; none when the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let block = std::mem::replace(&mut self.text, rest);
                return Some(block.trim_end().to_owned());
            }
            let chunk =
                tokio::time::timeout(LONG, self.bytes.next()).await.expect("the stream goes on or ends")?;
            self.text.push_str(std::str::from_utf8(&chunk.expect("an unbroken stream")).expect("text"));
        }
    }

    /// The next event.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let (Some(id), Some(r#type), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
                let data = serde_json::from_str(&data).expect("JSON");
                return Some(Frame { id: id.parse().expect("a number"), r#type, data });
            }
        }
    }

    async fn types(&mut self, count: usize) -> Vec<String> {
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(self.next().await.expect("another event").r#type);
        }
        types
    }
}

async fn finish(app: &TestApp, id: JobId, fence: i64) {
    let finish = Finish { job_id: id, fence, ending: Ending::Succeeded(json!({})) };
    queue::finish_jobs(app.db(), &[finish]).await.unwrap();
}

async fn run(app: &TestApp, id: JobId) {
    let fence = start(app.db(), id, a_worker(app.db()).await).await.fence;
    finish(app, id, fence).await;
}

#[tokio::test]
async fn a_jobs_stream_tells_what_was_and_what_comes_and_ends_with_the_job() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let mut stream = Stream::open(&app, &format!("/v1/jobs/{id}/events"), None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.r#type.as_str(), &first.data["job_id"]), ("queued", &json!(id)));
    enqueue_one(app.db(), &a_job()).await;
    let fence = start(app.db(), id, a_worker(app.db()).await).await.fence;
    let started = stream.next().await.unwrap();
    let fields: Vec<_> = started.data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["at", "attempt", "data", "error", "id", "job_id", "kind", "progress", "queue", "state"]
    );
    assert_eq!((started.r#type.as_str(), &started.data["id"]), ("started", &json!(started.id)));
    assert_eq!((&started.data["state"], &started.data["attempt"]), (&json!("running"), &json!(1)));
    finish(&app, id, fence).await;
    assert_eq!(stream.next().await.unwrap().r#type, "succeeded");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_that_the_client_has() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let path = format!("/v1/jobs/{id}/events");
    let first = Stream::open(&app, &path, None).await.next().await.unwrap();
    run(&app, id).await;
    let mut by_header = Stream::open(&app, &path, Some(first.id)).await;
    assert_eq!(by_header.types(2).await, ["started", "succeeded"]);
    assert!(by_header.next().await.is_none());
    let mut by_query = Stream::open(&app, &format!("{path}?after={}", first.id), None).await;
    assert_eq!(by_query.types(2).await, ["started", "succeeded"]);
}

#[tokio::test]
async fn a_client_that_has_seen_the_end_is_told_not_to_come_back() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    run(&app, id).await;
    let path = format!("/v1/jobs/{id}/events");
    let mut stream = Stream::open(&app, &path, None).await;
    let mut last = 0;
    while let Some(event) = stream.next().await {
        last = event.id;
    }
    assert_eq!(app.get(&format!("{path}?after={last}")).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_retried_jobs_stream_goes_on_after_its_earlier_end() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    queue::cancel_jobs(app.db(), &[id]).await.unwrap();
    queue::retry_jobs(app.db(), &[id]).await.unwrap();
    let mut stream = Stream::open(&app, &format!("/v1/jobs/{id}/events"), None).await;
    assert_eq!(stream.types(3).await, ["queued", "cancelled", "queued"]);
    run(&app, id).await;
    assert_eq!(stream.types(2).await, ["started", "succeeded"]);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn the_stream_of_all_begins_now_or_where_the_client_was() {
    let app = TestApp::start().await;
    enqueue_one(app.db(), &a_job()).await;
    let mut live = Stream::open(&app, "/v1/events", None).await;
    let second = enqueue_one(app.db(), &a_job()).await;
    assert_eq!(live.next().await.unwrap().data["job_id"], json!(second));
    let mut all = Stream::open(&app, "/v1/events?after=0", None).await;
    assert_eq!(all.types(2).await, ["queued", "queued"]);
}

#[tokio::test]
async fn an_id_that_never_was_or_is_no_longer_kept_makes_the_client_start_over() {
    let app = TestApp::start().await;
    let id = enqueue_one(app.db(), &a_job()).await;
    let resync = Stream::open(&app, "/v1/events", Some(1_000_000)).await.next().await.unwrap();
    assert_eq!((resync.r#type.as_str(), &resync.data["job_id"]), ("resync", &Value::Null));
    assert!(resync.id < 1_000_000);

    // Everything so far grows old and is thrown away, as `prune` does.
    let keep = lookalike_shared::config::Retention { events: Duration::ZERO, ..Default::default() };
    lookalike_shared::db::retention::prune(app.db(), &keep).await.unwrap();
    let fence = start(app.db(), id, a_worker(app.db()).await).await.fence;
    let mut stream = Stream::open(&app, &format!("/v1/jobs/{id}/events?after=0"), None).await;
    assert_eq!(stream.types(2).await, ["resync", "started"]);
    finish(&app, id, fence).await;
    assert_eq!(stream.types(1).await, ["succeeded"]);
}

#[tokio::test]
async fn a_burst_reaches_every_client_whole_and_in_order() {
    let app = TestApp::start().await;
    let mut live = Stream::open(&app, "/v1/events", None).await;
    let jobs: Vec<_> = (0..5_000).map(|_| a_job()).collect();
    lookalike_shared::testing::enqueue_all(app.db(), &jobs).await;
    let mut last = 0;
    for job in &jobs {
        let event = live.next().await.unwrap();
        assert_eq!(event.data["job_id"], json!(job.id));
        assert!(event.id > last);
        last = event.id;
    }
}

#[tokio::test]
async fn a_stop_ends_streams_at_once() {
    let mut app = TestApp::start().await;
    let mut stream = Stream::open(&app, "/v1/events", None).await;
    let begun = std::time::Instant::now();
    app.stop().await;
    assert!(stream.next().await.is_none());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stream_of_no_job_is_refused() {
    let app = TestApp::start().await;
    let path = format!("/v1/jobs/{}/events", JobId::generate());
    Answer::of(app.request(Method::GET, &path)).await.assert_problem(404, "not_found");
}
