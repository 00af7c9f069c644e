use lookalike_shared::db::queue::mark_progress;
use lookalike_shared::db::{generations, indexes};
use lookalike_shared::domain::job::{JobKind, Progress};
use lookalike_shared::testing::{a_job_of, a_worker, an_entry, commit_entries, enqueue_one, start};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Reply, Send, TestApp};

/// An index `gallery` with one active generation; gives its number.
async fn gallery(app: &TestApp) -> i32 {
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await
}

/// Begins another generation of the index `gallery`, as a rebuild does.
async fn building(app: &TestApp) -> i32 {
    let index = indexes::get_index(&app.db.pool, &"gallery".parse().unwrap()).await.unwrap();
    let mut tx = app.db.pool.begin().await.unwrap();
    let begun = indexes::begin_generation(&mut tx, index.id, index.model_id.unwrap(), 2, 512).await.unwrap();
    tx.commit().await.unwrap();
    begun
}

/// Another generation of the index `gallery` that waits to be activated.
async fn ready(app: &TestApp) -> i32 {
    let begun = building(app).await;
    assert!(generations::mark_ready(&app.db.pool, begun).await.unwrap());
    begun
}

async fn activate(app: &TestApp, generation: i32) -> Reply {
    app.post("/v1/indexes/gallery/activate", json!({"generation": generation})).await
}

async fn states(app: &TestApp) -> Value {
    let page = app.get("/v1/indexes/gallery/generations").await.expect(StatusCode::OK);
    let items = page["items"].as_array().unwrap().iter();
    items.map(|each| json!([each["id"], each["state"]])).collect()
}

async fn drop_generation(app: &TestApp, generation: i32) -> Reply {
    app.delete(&format!("/v1/indexes/gallery/generations/{generation}")).await
}

/// Stores an entry and gives its id.
async fn store(app: &TestApp, generation: i32, uri: &str) -> Uuid {
    let entry = an_entry(uri, 0, &[0.5, 0.5], &[0.0; 512]);
    let mut tx = app.db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, std::slice::from_ref(&entry), Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    entry.id
}

#[tokio::test]
async fn a_ready_generation_is_listed_with_its_size_and_activated() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    let second = ready(&app).await;
    let page = app.get("/v1/indexes/gallery/generations").await.expect(StatusCode::OK);
    let newest = &page["items"][0];
    assert_eq!(
        (&newest["id"], &newest["state"], &newest["model"]),
        (&json!(second), &json!("ready"), &json!("scenes@1"))
    );
    assert!(newest["size_bytes"].as_i64().unwrap() > 0 && newest["ready_at"].is_string(), "{newest}");
    assert_eq!((&newest["activated_at"], &newest["entries"]), (&Value::Null, &json!(0)));
    assert_eq!(app.get("/v1/indexes/gallery").await.json()["building"], Value::Null);

    let swapped = activate(&app, second).await.expect(StatusCode::OK);
    assert_eq!((&swapped["generation"], &swapped["keep_generations"]), (&json!(second), &json!(1)));
    assert_eq!(states(&app).await, json!([[second, "active"], [first, "retired"]]));
    activate(&app, second).await.expect(StatusCode::OK);
    assert_eq!(activate(&app, first).await.expect(StatusCode::OK)["generation"], first);
    assert_eq!(states(&app).await, json!([[second, "retired"], [first, "active"]]));
}

#[tokio::test]
async fn only_a_whole_generation_of_the_index_is_activated() {
    let app = TestApp::start().await;
    gallery(&app).await;
    let begun = building(&app).await;
    activate(&app, begun).await.refusal(StatusCode::CONFLICT, "conflict");
    assert_eq!(activate(&app, 99).await.broken_rule(), "/generation: index \"gallery\" has no generation 99");
    app.post("/v1/indexes/other/activate", json!({"generation": 1}))
        .await
        .refusal(StatusCode::NOT_FOUND, "index_not_found");
    app.get("/v1/indexes/other/generations").await.refusal(StatusCode::NOT_FOUND, "index_not_found");
}

#[tokio::test]
async fn an_index_keeps_as_many_retired_generations_as_it_is_told() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    let keep = async |count: Value| {
        let request =
            app.request(Method::PATCH, "/v1/indexes/gallery").json(&json!({"keep_generations": count}));
        request.reply().await
    };
    assert_eq!(keep(json!(2)).await.expect(StatusCode::OK)["keep_generations"], 2);
    assert_eq!(
        keep(json!(11)).await.broken_rule(),
        "/keep_generations: 11 is out of range, 0 to 10 expected"
    );
    assert_eq!(
        keep(json!(-1)).await.broken_rule(),
        "/keep_generations: -1 is out of range, 0 to 10 expected"
    );
    let (second, third) = (ready(&app).await, ready(&app).await);
    activate(&app, second).await.expect(StatusCode::OK);
    activate(&app, third).await.expect(StatusCode::OK);
    assert_eq!(states(&app).await, json!([[third, "active"], [second, "retired"], [first, "retired"]]));
    keep(json!(0)).await.expect(StatusCode::OK);
    assert_eq!(states(&app).await.as_array().unwrap().len(), 3, "it counts from the next swap on");
    activate(&app, second).await.expect(StatusCode::OK);
    assert_eq!(states(&app).await, json!([[second, "active"]]));
    app.post("/v1/indexes/gallery/rollback", json!({})).await.refusal(StatusCode::CONFLICT, "conflict");
}

#[tokio::test]
async fn a_generation_in_use_is_not_dropped() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    let second = ready(&app).await;
    let refused = drop_generation(&app, first).await;
    refused.refusal(StatusCode::CONFLICT, "conflict");
    drop_generation(&app, second).await.expect(StatusCode::NO_CONTENT);
    drop_generation(&app, second).await.refusal(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(states(&app).await, json!([[first, "active"]]));

    let filled = building(&app).await;
    let job = enqueue_one(&app.db.pool, &a_job_of(JobKind::Rebuild)).await;
    let attempt = start(&app.db.pool, job, a_worker(&app.db.pool).await).await;
    let checkpoint = json!({"generation": filled});
    mark_progress(&app.db.pool, job, attempt.fence, &Progress::default(), Some(&checkpoint)).await.unwrap();
    drop_generation(&app, filled).await.refusal(StatusCode::CONFLICT, "conflict");
    assert_eq!(states(&app).await, json!([[filled, "building"], [first, "active"]]));
}

#[tokio::test]
async fn thumbnails_of_hits_outlive_a_swap() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    let entry = store(&app, first, "photos/a.jpg").await;
    let second = ready(&app).await;
    activate(&app, second).await.expect(StatusCode::OK);
    let path = format!("/v1/indexes/gallery/entries/{entry}");
    app.get(&path).await.refusal(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.get(&format!("{path}/thumbnail")).await.bytes, [0xff, 0xd8]);
    drop_generation(&app, first).await.expect(StatusCode::NO_CONTENT);
    app.get(&format!("{path}/thumbnail")).await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_clear_leaves_ready_and_retired_generations() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    let entry = store(&app, first, "photos/a.jpg").await;
    let (second, begun) = (ready(&app).await, building(&app).await);
    let cleared = app.post("/v1/indexes/gallery/clear", json!({})).await.expect(StatusCode::OK);
    assert_eq!((&cleared["entries"], &cleared["building"]), (&json!(0), &Value::Null));
    assert_eq!(states(&app).await, json!([[second, "ready"], [first, "active"]]), "{begun} is gone");
    app.delete(&format!("/v1/indexes/gallery/entries/{entry}"))
        .await
        .refusal(StatusCode::NOT_FOUND, "not_found");
}

/// A reader that does not end is waited for, then the client is told to try again; nobody waits meanwhile for long.
#[tokio::test]
async fn a_clear_waits_for_a_reader_and_then_goes_on() {
    let app = TestApp::start().await;
    let first = gallery(&app).await;
    store(&app, first, "photos/a.jpg").await;
    let mut reader = app.db.pool.begin().await.unwrap();
    let read =
        lookalike_shared::db::gallery::list_entries(&mut *reader, first, None, None, 10).await.unwrap();
    assert_eq!(read.len(), 1);
    let request = app.request(Method::POST, "/v1/indexes/gallery/clear").json(&json!({}));
    let clear = tokio::spawn(async move { request.reply().await });
    // The first try gives up after 50 ms: then others have read again.
    app.get("/v1/indexes/gallery/entries").await.expect(StatusCode::OK);
    reader.commit().await.unwrap();
    assert_eq!(clear.await.unwrap().expect(StatusCode::OK)["entries"], 0);
}

#[tokio::test]
async fn an_evaluation_names_a_whole_generation_of_its_index() {
    let app = TestApp::start().await;
    gallery(&app).await;
    let (second, begun) = (ready(&app).await, building(&app).await);
    let submit = async |generation: i32| {
        let body =
            json!({"index": "gallery", "source": "photos", "prefix": "val/", "generation": generation});
        app.post("/v1/jobs/evaluate", body).await
    };
    let job = submit(second).await.expect(StatusCode::ACCEPTED);
    assert_eq!(job["params"]["generation"], second);
    assert_eq!(submit(99).await.broken_rule(), "/generation: index \"gallery\" has no generation 99");
    let told = submit(begun).await.broken_rule();
    assert_eq!(
        told,
        format!("/generation: generation {begun} is building: ready, active or retired expected")
    );
}

#[tokio::test]
async fn a_rebuild_says_whether_it_swaps() {
    let app = TestApp::start().await;
    gallery(&app).await;
    let submit = async |more: Value| {
        let mut body = json!({"index": "gallery", "model": "scenes"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.post("/v1/jobs/rebuild", body).await.expect(StatusCode::ACCEPTED)["params"]["activate"].clone()
    };
    assert_eq!(submit(json!({})).await, true);
    assert_eq!(submit(json!({"activate": false})).await, false);
}
