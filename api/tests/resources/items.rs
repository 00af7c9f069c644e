use lookalike_shared::db::items::{NewItem, insert_items};
use lookalike_shared::db::queue::{Ending, Finish, NewJob, enqueue, finish_jobs};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::jobs::{Index, IndexMode, Noop, Submission};
use lookalike_shared::testing::{a_worker, start};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Send, TestApp};

/// An index job that has failed with these pictures, each for its reason.
async fn indexed(app: &TestApp, failures: &[(&str, &str)]) -> JobId {
    let payload = Index {
        index: "gallery".parse().unwrap(),
        model: Some("scenes".parse().unwrap()),
        source: "photos".parse().unwrap(),
        prefix: "a/".to_owned(),
        mode: IndexMode::Sync,
        dry_run: false,
        failed_of: None,
        failed_codes: Vec::new(),
    };
    let submission =
        Submission { labels: [("team".to_owned(), "x".to_owned())].into(), ..Submission::default() };
    let job = enqueued(app, NewJob::new(&payload, submission, None)).await;
    let item = |(uri, code): &(&str, &str)| NewItem {
        uri: (*uri).to_owned(),
        code: (*code).to_owned(),
        detail: "it is broken".to_owned(),
    };
    insert_items(&app.db.pool, job, &failures.iter().map(item).collect::<Vec<_>>()).await.unwrap();
    job
}

async fn enqueued(app: &TestApp, job: NewJob) -> JobId {
    let mut tx = app.db.pool.begin().await.unwrap();
    enqueue(&mut tx, std::slice::from_ref(&job)).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

async fn end(app: &TestApp, job: JobId) {
    let attempt = start(&app.db.pool, job, a_worker(&app.db.pool).await).await;
    let finish = Finish { job_id: job, fence: attempt.fence, ending: Ending::Succeeded(json!({})) };
    finish_jobs(&app.db.pool, &[finish]).await.unwrap();
}

const FAILURES: [(&str, &str); 3] =
    [("photos/a/1.jpg", "corrupt"), ("photos/a/2.jpg", "gone"), ("photos/a/3.jpg", "corrupt")];

#[tokio::test]
async fn failed_pictures_are_filtered_counted_and_exported_by_reason() {
    let app = TestApp::start().await;
    let job = indexed(&app, &FAILURES).await;
    let uris = async |query: &str| -> Vec<String> {
        let page = app.get(&format!("/v1/jobs/{job}/items{query}")).await.expect(StatusCode::OK);
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["uri"].as_str().unwrap().replace("photos/a/", "")).collect()
    };
    assert_eq!(uris("").await, ["1.jpg", "2.jpg", "3.jpg"]);
    assert_eq!(uris("?status=failed&code=corrupt").await, ["1.jpg", "3.jpg"]);
    assert_eq!(uris("?code=gone,corrupt").await.len(), 3);
    assert_eq!(uris("?code=gone&code=corrupt").await.len(), 3);
    assert_eq!(uris("?code=unheard_of").await, [""; 0]);
    let summary = app.get(&format!("/v1/jobs/{job}/items/summary")).await.expect(StatusCode::OK);
    let counts = json!([{"code": "corrupt", "count": 2}, {"code": "gone", "count": 1}]);
    assert_eq!(summary, json!({"failed": 3, "codes": counts}));
    let path = format!("/v1/jobs/{job}/items?code=gone");
    let file = app.request(Method::GET, &path).header("accept", "text/csv").reply().await;
    let lines = String::from_utf8(file.bytes).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("photos/a/2.jpg,failed,gone,it is broken,"), "{lines}");
    let nowhere = format!("/v1/jobs/{}/items/summary", JobId::generate());
    app.get(&nowhere).await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn only_the_failed_pictures_of_an_index_job_are_tried_again() {
    let app = TestApp::start().await;
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await;
    let job = indexed(&app, &FAILURES).await;
    let path = format!("/v1/jobs/{job}/items/retry");
    app.post(&path, json!({})).await.refusal(StatusCode::CONFLICT, "conflict");
    end(&app, job).await;

    let retried = app.post(&path, json!({"codes": ["corrupt"], "labels": {"try": "2"}})).await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.json());
    let retried = retried.json();
    let expected = json!({
        "index": "gallery", "source": "photos", "prefix": "a/", "mode": "add", "failed_of": job, "failed_codes": ["corrupt"]
    });
    assert_eq!(retried["params"], expected);
    assert_eq!((&retried["kind"], &retried["labels"]), (&json!("index"), &json!({"team": "x", "try": "2"})));
    let whole = app.request(Method::POST, &path).reply().await.expect(StatusCode::ACCEPTED);
    assert_eq!(whole["params"].get("failed_codes"), None::<&Value>);

    app.post(&path, json!({"codes": ["unheard_of"]})).await.refusal(StatusCode::CONFLICT, "conflict");
    assert_eq!(
        app.post(&path, json!({"codes": [""]})).await.broken_rule(),
        "/codes: a reason has 1 to 63 bytes and no NUL"
    );
}

#[tokio::test]
async fn a_retry_that_is_sent_twice_is_carried_out_once() {
    let app = TestApp::start().await;
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await;
    let job = indexed(&app, &FAILURES).await;
    end(&app, job).await;
    let path = format!("/v1/jobs/{job}/items/retry");
    let send = async |body: Value| {
        app.request(Method::POST, &path).header("idempotency-key", "one").json(&body).reply().await
    };
    let (first, second) = (send(json!({})).await, send(json!({})).await);
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert_eq!(second.header("idempotent-replayed"), "true");
    send(json!({"codes": ["gone"]}))
        .await
        .refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
}

#[tokio::test]
async fn what_has_no_failed_pictures_to_try_again_is_refused() {
    let app = TestApp::start().await;
    let fine = indexed(&app, &[]).await;
    end(&app, fine).await;
    let retry = async |job: JobId| app.post(&format!("/v1/jobs/{job}/items/retry"), json!({})).await;
    retry(fine).await.refusal(StatusCode::CONFLICT, "conflict");
    let other = enqueued(&app, NewJob::new(&Noop {}, Submission::default(), None)).await;
    end(&app, other).await;
    retry(other).await.refusal(StatusCode::CONFLICT, "conflict");
    let orphan = indexed(&app, &FAILURES).await;
    end(&app, orphan).await;
    retry(orphan).await.refusal(StatusCode::NOT_FOUND, "index_not_found");
    retry(JobId::generate()).await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn an_index_job_names_an_earlier_one_of_the_same_index() {
    let app = TestApp::start().await;
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await;
    app.make_index("other", "scenes").await;
    let job = indexed(&app, &FAILURES).await;
    let submit = async |index: &str, job: JobId, mode: &str| {
        let body = json!({"index": index, "source": "photos", "failed_of": job, "mode": mode});
        app.post("/v1/jobs/index", body).await
    };
    submit("gallery", job, "add").await.expect(StatusCode::ACCEPTED);
    let told = submit("other", job, "add").await.broken_rule();
    assert_eq!(told, format!("/failed_of: job \"{job}\" filled no index \"other\""));
    let unknown = JobId::generate();
    let told = submit("gallery", unknown, "add").await.broken_rule();
    assert_eq!(told, format!("/failed_of: there is no job \"{unknown}\""));
    assert!(submit("gallery", job, "sync").await.broken_rule().starts_with("/mode: sync with failed_of"));
}
