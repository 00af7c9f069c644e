use std::time::Duration;

use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::{a_key, make_due, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Reply, Send, TestApp};

/// Long enough to see any wait end that should end.
const SOON: Duration = Duration::from_secs(30);

/// A service with the index `gallery`.
async fn with_index() -> TestApp {
    let app = TestApp::start().await;
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await;
    app
}

/// A request for the schedule `follow`, with these fields on top.
fn follow(more: Value) -> Value {
    let mut body = json!({"name": "follow", "index": "gallery", "source": "photos", "every_seconds": 900});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn make(app: &TestApp, more: Value) -> Reply {
    app.post("/v1/schedules", follow(more)).await
}

async fn patch(app: &TestApp, body: Value) -> Reply {
    app.request(Method::PATCH, "/v1/schedules/follow").json(&body).reply().await
}

#[tokio::test]
async fn a_schedule_is_made_seen_changed_and_deleted() {
    let app = with_index().await;
    let reply = make(&app, json!({"prefix": "gallery/", "jitter_seconds": 30})).await;
    let made = reply.expect(StatusCode::CREATED);
    assert_eq!(reply.header("location"), "/v1/schedules/follow");
    assert_eq!((&made["mode"], &made["every_seconds"]), (&json!("sync"), &json!(900)));
    assert_eq!(
        (&made["cron"], &made["timezone"], &made["last_job"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!(
        (&made["skipped"], &made["paused"], &made["running"]),
        (&json!(0), &json!(false), &json!(null))
    );
    let next = made["next"].as_array().unwrap();
    assert_eq!((next.len(), &next[0]), (5, &made["next_at"]));

    let seen = app.get("/v1/schedules/follow").await;
    assert_eq!(seen.expect(StatusCode::OK), made);
    let tag = seen.header("etag").to_owned();
    let again = app.request(Method::GET, "/v1/schedules/follow").header("if-none-match", tag).reply().await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);

    let nightly = json!({"cron": "0 3 * * *", "timezone": "Europe/Vienna", "mode": "add", "prefix": ""});
    let changed = patch(&app, nightly).await.expect(StatusCode::OK);
    assert_eq!((&changed["every_seconds"], &changed["cron"]), (&json!(null), &json!("0 3 * * *")));
    assert_eq!((&changed["timezone"], &changed["mode"]), (&json!("Europe/Vienna"), &json!("add")));
    assert_eq!((&changed["jitter_seconds"], &changed["source"]), (&json!(30), &json!("photos")));
    let back = patch(&app, json!({"every_seconds": 3600})).await.expect(StatusCode::OK);
    assert_eq!((&back["cron"], &back["timezone"]), (&json!(null), &json!(null)));

    app.delete("/v1/schedules/follow").await.expect(StatusCode::NO_CONTENT);
    app.get("/v1/schedules/follow").await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.delete("/v1/schedules/follow").await.refusal(StatusCode::NOT_FOUND, "not_found");
    patch(&app, json!({"paused": true})).await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_broken_rule_names_the_field_the_value_and_the_bound() {
    let app = with_index().await;
    for (more, rule) in [
        (json!({"every_seconds": 30}), "/every_seconds: 30 is out of range, 60 to 31536000 expected"),
        (json!({"every_seconds": null}), "/every_seconds: one of every_seconds and cron is needed"),
        (json!({"cron": "0 3 * * *"}), "/cron: every_seconds says when already"),
        (json!({"every_seconds": null, "cron": "0 25 * * *"}), "/cron: \"0 25 * * *\" is no cron expression"),
        (
            json!({"every_seconds": null, "cron": "0 3 * * *", "timezone": "Wien"}),
            "/timezone: \"Wien\" is no time zone",
        ),
        (json!({"jitter_seconds": 900}), "/jitter_seconds: 900 is out of range, 0 to 899 expected"),
        (json!({"source": "nothing"}), "/source: "),
        (json!({"prefix": "../up"}), "/prefix: \"../up\" leaves its source"),
        (json!({"mode": "mirror"}), "/mode: unknown variant `mirror`"),
        (json!({"name": "No Name"}), "/name: \"No Name\" is no valid name"),
        (json!({"evry": 5}), "/evry: unknown field"),
    ] {
        let told = make(&app, more).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    let several = make(&app, json!({"source": "nothing", "prefix": "/", "every_seconds": 1})).await;
    assert_eq!(several.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request").len(), 3);
    make(&app, json!({"index": "nothing"})).await.refusal(StatusCode::NOT_FOUND, "index_not_found");
    assert_eq!(app.get("/v1/schedules").await.json()["items"], json!([]));

    make(&app, json!({})).await.expect(StatusCode::CREATED);
    make(&app, json!({})).await.refusal(StatusCode::CONFLICT, "conflict");
    let told = patch(&app, json!({"timezone": "UTC"})).await.broken_rule();
    assert!(told.starts_with("/timezone: an interval has no time zone"), "{told}");
    let told = patch(&app, json!({"every_seconds": 59})).await.broken_rule();
    assert!(told.starts_with("/every_seconds: 59 is out of range"), "{told}");
}

#[tokio::test]
async fn a_repeated_request_makes_one_schedule() {
    let app = with_index().await;
    let send = async |body: Value| {
        app.request(Method::POST, "/v1/schedules").header("idempotency-key", "k").json(&body).reply().await
    };
    let first = send(follow(json!({}))).await.expect(StatusCode::CREATED);
    let second = send(follow(json!({}))).await;
    assert_eq!((second.expect(StatusCode::CREATED), second.header("idempotent-replayed")), (first, "true"));
    let other = send(follow(json!({"paused": true}))).await;
    other.refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
}

#[tokio::test]
async fn a_preview_tells_the_next_due_times_and_what_is_wrong() {
    let app = TestApp::start().await;
    let preview = async |body: Value| app.post("/v1/schedules/preview", body).await;
    let nightly =
        preview(json!({"cron": "0 3 * * *", "timezone": "Asia/Tokyo"})).await.expect(StatusCode::OK);
    let next: Vec<_> = nightly["next"].as_array().unwrap().iter().map(|at| at.as_str().unwrap()).collect();
    assert!(next.len() == 5 && next.iter().all(|at| at.ends_with("T18:00:00Z")), "{next:?}");
    let told = preview(json!({"cron": "0 0 31 2 *"})).await.broken_rule();
    assert_eq!(told, "/cron: \"0 0 31 2 *\" names a time that never comes");
    preview(json!({})).await.broken_rule();
}

#[tokio::test]
async fn a_due_time_becomes_a_job_by_itself_and_the_next_is_skipped_while_it_lasts() {
    let app = with_index().await;
    make(&app, json!({})).await.expect(StatusCode::CREATED);
    make_due(&app.db.pool, "follow").await;
    let schedule = async || app.get("/v1/schedules/follow").await.json();
    let job = wait_until("a job is enqueued", SOON, || async {
        schedule().await["running"].as_str().map(str::to_owned)
    })
    .await;
    let seen = schedule().await;
    assert_eq!((&seen["last_job"]["id"], &seen["last_job"]["state"]), (&json!(job), &json!("queued")));
    let stored = app.get(&format!("/v1/jobs/{job}")).await.json();
    assert_eq!((&stored["kind"], &stored["labels"]), (&json!("index"), &json!({"schedule": "follow"})));
    assert_eq!(app.get("/v1/jobs?label=schedule%3Dfollow").await.json()["items"][0]["id"], json!(job));

    make_due(&app.db.pool, "follow").await;
    wait_until("the due time is skipped", SOON, || async {
        (schedule().await["skipped"] == json!(1)).then_some(())
    })
    .await;
    let refused = app.post("/v1/schedules/follow/run", json!({})).await;
    refused.refusal(StatusCode::CONFLICT, "conflict");
    assert!(refused.json()["detail"].as_str().unwrap().contains(&job), "the detail names the job");
    assert_eq!(app.get("/v1/jobs?kind=index").await.json()["items"].as_array().unwrap().len(), 1);

    app.post(&format!("/v1/jobs/{job}/cancel"), json!({})).await;
    let again = app.post("/v1/schedules/follow/run", json!({})).await;
    let started = again.expect(StatusCode::ACCEPTED);
    assert_eq!(again.header("location"), format!("/v1/jobs/{}", started["id"].as_str().unwrap()));
    assert_eq!(schedule().await["running"], started["id"]);
}

#[tokio::test]
async fn a_paused_schedule_is_not_due_until_it_is_resumed() {
    let app = with_index().await;
    make(&app, json!({})).await.expect(StatusCode::CREATED);
    for _ in 0..2 {
        let paused = patch(&app, json!({"paused": true})).await.expect(StatusCode::OK);
        assert_eq!((&paused["next_at"], &paused["next"]), (&json!(null), &json!([])));
    }
    let by_hand = app.post("/v1/schedules/follow/run", json!({})).await.expect(StatusCode::ACCEPTED);
    assert_eq!(by_hand["state"], "queued");
    let resumed = patch(&app, json!({"paused": false})).await.expect(StatusCode::OK);
    assert_eq!(resumed["next"].as_array().unwrap().len(), 5);
    let kept = patch(&app, json!({"prefix": "new/"})).await.expect(StatusCode::OK);
    assert_eq!(kept["next"], resumed["next"], "what says nothing of times moves none");
}

#[tokio::test]
async fn lists_are_of_one_index_if_asked_and_a_deleted_index_takes_its_schedules_along() {
    let app = with_index().await;
    app.make_index("other", "scenes").await;
    make(&app, json!({"name": "b"})).await.expect(StatusCode::CREATED);
    make(&app, json!({"name": "a"})).await.expect(StatusCode::CREATED);
    make(&app, json!({"name": "c", "index": "other"})).await.expect(StatusCode::CREATED);
    let names = async |path: &str| {
        let listed = app.get(path).await.expect(StatusCode::OK);
        json!(listed["items"].as_array().unwrap().iter().map(|each| &each["name"]).collect::<Vec<_>>())
    };
    assert_eq!(names("/v1/schedules").await, json!(["a", "b", "c"]));
    assert_eq!(names("/v1/schedules?index=gallery").await, json!(["a", "b"]));
    let first = app.get("/v1/schedules?limit=2").await.json();
    let rest = format!("/v1/schedules?cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(names(&rest).await, json!(["c"]));
    app.delete("/v1/indexes/gallery").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(names("/v1/schedules").await, json!(["c"]));
}

#[tokio::test]
async fn who_may_only_read_sees_and_who_may_submit_runs() {
    let app = with_index().await;
    make(&app, json!({})).await.expect(StatusCode::CREATED);
    a_key(&app.db.pool, "reader", Scope::Read).await;
    a_key(&app.db.pool, "submitter", Scope::Submit).await;
    app.request_as("reader", Method::GET, "/v1/schedules/follow").reply().await.expect(StatusCode::OK);
    let run = app.request_as("reader", Method::POST, "/v1/schedules/follow/run").reply().await;
    run.refusal(StatusCode::FORBIDDEN, "forbidden");
    for (method, path) in [(Method::PATCH, "/v1/schedules/follow"), (Method::DELETE, "/v1/schedules/follow")]
    {
        let refused = app.request_as("submitter", method, path).json(&json!({})).reply().await;
        refused.refusal(StatusCode::FORBIDDEN, "forbidden");
    }
    let refused = app.request_as("submitter", Method::POST, "/v1/schedules").json(&follow(json!({})));
    refused.reply().await.refusal(StatusCode::FORBIDDEN, "forbidden");
    let run = app.request_as("submitter", Method::POST, "/v1/schedules/follow/run").reply().await;
    run.expect(StatusCode::ACCEPTED);
}
