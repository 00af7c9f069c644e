use lookalike_shared::testing::queue_as_text;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Send, TestApp};

#[tokio::test]
async fn a_training_is_enqueued_with_its_defaults() {
    let app = TestApp::start().await;
    let body = json!({"model": "scenes", "dataset": {"source": "photos", "prefix": "train/"}, "priority": 5,
                      "labels": {"team": "x"}, "max_attempts": 2});
    let answer = app.post("/v1/jobs/train", body).await;
    let job = answer.expect(StatusCode::ACCEPTED);
    assert_eq!(answer.header("location"), format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(
        (&job["kind"], &job["state"], &job["priority"]),
        (&json!("train"), &json!("queued"), &json!(5))
    );
    assert_eq!((&job["params"]["batch_size"], &job["labels"]["team"]), (&json!(64), &json!("x")));
    assert_eq!(queue_as_text(&app.db.pool).await, "a train train queued attempt 0/2 fence 0 | Pending due");
}

#[tokio::test]
async fn every_broken_rule_of_a_training_is_told_at_once() {
    let app = TestApp::start().await;
    app.import("start", &["a", "b"]).await;
    let refused = app.post("/v1/jobs/train", json!({
        "model": "scenes", "dataset": {"source": "nowhere", "prefix": "../"}, "validation": {"source": "gone"},
        "pretrained": "missing@3", "epochs": 0, "priority": 1000
    })).await;
    let errors = refused.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    let pointers: Vec<&str> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
    assert_eq!(
        pointers,
        ["/dataset/prefix", "/epochs", "/priority", "/dataset/source", "/validation/source", "/pretrained"]
    );
    let dataset = json!({"source": "photos"});
    for (field, value, rule) in [
        ("backbone", json!("mobilenet_v2"), "/pretrained: start@1 is a squeezenet1_1, not a mobilenet_v2"),
        ("learning_rat", json!(0.1), "/learning_rat: unknown field `learning_rat`"),
        ("epochs", json!("many"), "/epochs: invalid type: string \"many\""),
        ("labels", json!({"team": 7}), "/labels/team: invalid type: integer `7`"),
        ("dataset", json!({}), "/dataset/source: missing field `source`"),
        ("model", json!("A"), "/model: \"A\" is no valid name"),
    ] {
        let mut body = json!({"model": "scenes", "dataset": dataset, "pretrained": "start"});
        body[field] = value;
        let told = app.post("/v1/jobs/train", body).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    assert_eq!(queue_as_text(&app.db.pool).await, "");
}

#[tokio::test]
async fn an_index_is_made_with_the_job_that_fills_it() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    let told =
        app.post("/v1/jobs/index", json!({"index": "gallery", "source": "photos"})).await.broken_rule();
    assert_eq!(told, "/model: there is no index \"gallery\" yet: name the model to make it with");
    let body = json!({"index": "gallery", "model": "scenes", "source": "photos", "prefix": "gallery/", "mode": "sync"});
    app.post("/v1/jobs/index", body.clone()).await.expect(StatusCode::ACCEPTED);
    assert_eq!(app.get("/v1/indexes/gallery").await.expect(StatusCode::OK)["model"], "scenes@1");
    app.post("/v1/jobs/index", body).await.expect(StatusCode::ACCEPTED);
    app.post("/v1/jobs/index", json!({"index": "gallery", "source": "uploads"}))
        .await
        .expect(StatusCode::ACCEPTED);

    app.import("scenes", &["a", "b"]).await;
    let other = json!({"index": "gallery", "model": "scenes@2", "source": "photos"});
    let told = app.post("/v1/jobs/index", other).await.broken_rule();
    assert!(told.contains("uses scenes@1, not scenes@2") && told.contains("rebuild"), "{told}");
    // A request that worked goes on working when a newer version comes.
    let same = json!({"index": "gallery", "model": "scenes", "source": "photos"});
    app.post("/v1/jobs/index", same).await.expect(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn an_index_that_is_refused_is_not_made() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    let body = json!({"index": "gallery", "model": "scenes", "source": "nowhere", "prefix": "/abs", "mode": "mirror"});
    app.post("/v1/jobs/index", body).await.broken_rule();
    let body = json!({"index": "gallery", "model": "scenes", "source": "nowhere", "prefix": "/abs"});
    let errors = app.post("/v1/jobs/index", body).await;
    let errors = errors.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    assert_eq!(errors.len(), 2, "{errors:#?}");
    app.get("/v1/indexes/gallery").await.refusal(StatusCode::NOT_FOUND, "index_not_found");
}

#[tokio::test]
async fn two_jobs_that_make_the_same_index_make_one() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    let body = json!({"index": "gallery", "model": "scenes", "source": "photos"});
    let submit = || app.post("/v1/jobs/index", body.clone());
    let (a, b) = tokio::join!(submit(), submit());
    a.expect(StatusCode::ACCEPTED);
    b.expect(StatusCode::ACCEPTED);
    assert_eq!(app.get("/v1/indexes").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_refers_to_an_unknown_index_is_not_found() {
    let app = TestApp::start().await;
    for (path, body) in [
        ("search", json!({"index": "none", "entry_id": "0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10"})),
        ("evaluate", json!({"index": "none", "source": "photos"})),
        ("rebuild", json!({"index": "none", "model": "scenes"})),
    ] {
        let refused = app.post(&format!("/v1/jobs/{path}"), body).await;
        refused.refusal(StatusCode::NOT_FOUND, "index_not_found");
    }
}

#[tokio::test]
async fn evaluations_rebuilds_and_reports_are_enqueued() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    app.make_index("gallery", "scenes").await;
    for (path, body) in [
        ("/v1/jobs/evaluate", json!({"index": "gallery", "source": "photos", "prefix": "val/", "k": [1, 5]})),
        ("/v1/jobs/rebuild", json!({"index": "gallery", "model": "scenes@1"})),
        (
            "/v1/sources/photos/validate",
            json!({"prefix": "train/", "labels": {"a": "b"},
            "validation": {"source": "photos", "prefix": "val/"}, "min_images_per_class": 4}),
        ),
    ] {
        app.post(path, body).await.expect(StatusCode::ACCEPTED);
    }
    assert_eq!(
        queue_as_text(&app.db.pool).await,
        "a evaluate index queued attempt 0/3 fence 0 | Pending due\n\
         b rebuild index queued attempt 0/3 fence 0 | Pending due\n\
         c validate maintenance queued attempt 0/3 fence 0 | Pending due"
    );
    let told =
        app.post("/v1/jobs/rebuild", json!({"index": "gallery", "model": "other"})).await.broken_rule();
    assert_eq!(told, "/model: there is no model \"other\"");
    let told =
        app.post("/v1/jobs/evaluate", json!({"index": "gallery", "source": "none"})).await.broken_rule();
    assert!(
        told.starts_with("/source: there is no source \"none\"; declared are: photos, uploads"),
        "{told}"
    );
    let refused = app.post("/v1/sources/none/validate", json!({})).await;
    refused.refusal(StatusCode::NOT_FOUND, "not_found");
    let unknown = json!({"validation": {"source": "none"}});
    let told = app.post("/v1/sources/photos/validate", unknown).await.broken_rule();
    assert!(told.starts_with("/validation/source: there is no source \"none\""), "{told}");
}

#[tokio::test]
async fn a_request_without_a_body_asks_for_nothing_in_particular() {
    let app = TestApp::start().await;
    for path in ["/v1/jobs/noop", "/v1/sources/photos/validate"] {
        app.request(Method::POST, path).reply().await.expect(StatusCode::ACCEPTED);
    }
    let told = app.request(Method::POST, "/v1/jobs/train").reply().await;
    told.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
}

#[tokio::test]
async fn a_repeated_submission_gets_the_first_job() {
    let app = TestApp::start().await;
    let submit = |priority: i32| {
        let request = app.request(Method::POST, "/v1/jobs/noop").header("idempotency-key", "n1");
        request.json(&json!({"priority": priority})).reply()
    };
    let first = submit(1).await.expect(StatusCode::ACCEPTED);
    let again = submit(1).await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(StatusCode::ACCEPTED)["id"], first["id"]);
    submit(2).await.refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
}

#[tokio::test]
async fn submitting_needs_its_scope() {
    let app = TestApp::start().await;
    let made =
        app.post("/v1/keys", json!({"name": "reader", "scope": "read"})).await.expect(StatusCode::CREATED);
    let key = made["key"].as_str().unwrap();
    for path in ["/v1/jobs/noop", "/v1/jobs/search", "/v1/sources/photos/validate"] {
        let refused = app.request_as(key, Method::POST, path).json(&Value::Null).reply().await;
        refused.refusal(StatusCode::FORBIDDEN, "forbidden");
    }
}
