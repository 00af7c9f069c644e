use lookalike_shared::db::{gallery, indexes};
use lookalike_shared::testing::{an_entry, commit_entries};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Send, TestApp};

/// An index `gallery` of a model with classes `bowl` and `teapot`; gives its generation.
async fn gallery_of_two(app: &TestApp) -> i32 {
    app.import("scenes", &["bowl", "teapot"]).await;
    app.make_index("gallery", "scenes").await
}

async fn fill(app: &TestApp, generation: i32, class: i32, uris: &[&str]) {
    let entries: Vec<_> = uris.iter().map(|uri| an_entry(uri, class, &[0.5, 0.5], &[0.0; 512])).collect();
    let mut tx = app.db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, &entries, Uuid::now_v7()).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_new_index_is_empty_and_has_a_partition_per_class() {
    let app = TestApp::start().await;
    let generation = gallery_of_two(&app).await;
    let index = app.get("/v1/indexes/gallery").await.expect(StatusCode::OK);
    assert_eq!((&index["model"], &index["entries"]), (&json!("scenes@1"), &json!(0)));
    assert_eq!(
        index["partitions"],
        json!([
            {"class": "bowl", "class_id": 0, "rows": 0, "version": 0, "graph": null},
            {"class": "teapot", "class_id": 1, "rows": 0, "version": 0, "graph": null}
        ])
    );
    assert_eq!(index["generations"][0]["id"], generation);
    assert_eq!(index["generations"][0]["state"], "active");
    let listed = app.get("/v1/indexes").await.expect(StatusCode::OK);
    let listed = &listed["items"][0];
    assert_eq!(
        (&listed["name"], &listed["partitions_count"], &listed["building"]),
        (&json!("gallery"), &json!(2), &Value::Null)
    );
}

#[tokio::test]
async fn an_index_needs_a_free_name_and_a_model_that_exists() {
    let app = TestApp::start().await;
    gallery_of_two(&app).await;
    let taken = app.post("/v1/indexes", json!({"name": "gallery", "model": "scenes"})).await;
    taken.refusal(StatusCode::CONFLICT, "conflict");
    for (model, rule) in [
        ("nothing", "/model: there is no model \"nothing\""),
        ("scenes@7", "/model: there is no model \"scenes@7\""),
        ("scenes@x", "/model: \"x\" is no valid model version"),
    ] {
        let told = app.post("/v1/indexes", json!({"name": "other", "model": model})).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    app.get("/v1/indexes/other").await.refusal(StatusCode::NOT_FOUND, "index_not_found");
}

#[tokio::test]
async fn a_cleared_index_keeps_its_partitions() {
    let app = TestApp::start().await;
    let generation = gallery_of_two(&app).await;
    fill(&app, generation, 1, &["photos/a.jpg", "photos/b.jpg"]).await;
    let before = app.get("/v1/indexes/gallery").await.expect(StatusCode::OK);
    assert_eq!((&before["entries"], &before["partitions"][1]["rows"]), (&json!(2), &json!(2)));
    let after = app.post("/v1/indexes/gallery/clear", json!({})).await.expect(StatusCode::OK);
    assert_eq!((&after["entries"], &after["partitions"][1]["rows"]), (&json!(0), &json!(0)));
    assert!(after["partitions"][1]["version"].as_i64() > before["partitions"][1]["version"].as_i64());
    assert_eq!(app.get("/v1/indexes/gallery/entries").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_rollback_swaps_the_newest_retired_generation_in() {
    let app = TestApp::start().await;
    let first = gallery_of_two(&app).await;
    app.post("/v1/indexes/gallery/rollback", json!({})).await.refusal(StatusCode::CONFLICT, "conflict");
    let index = indexes::get_index(&app.db.pool, &"gallery".parse().unwrap()).await.unwrap();
    let mut tx = app.db.pool.begin().await.unwrap();
    let second = indexes::insert_generation(&mut *tx, index.id, index.model_id.unwrap(), 2).await.unwrap();
    gallery::create_tables(&mut tx, second, 2, 512).await.unwrap();
    indexes::activate_generation(&mut tx, index.id, second).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.get("/v1/indexes/gallery").await.json()["generation"], second);
    let back = app.post("/v1/indexes/gallery/rollback", json!({})).await.expect(StatusCode::OK);
    assert_eq!(back["generation"], first);
    let states: Vec<_> =
        back["generations"].as_array().unwrap().iter().map(|g| (&g["id"], &g["state"])).collect();
    assert_eq!(json!(states), json!([[second, "retired"], [first, "active"]]));
}

/// Adds a generation to the index `gallery`.
async fn another_generation(app: &TestApp, active: bool) -> i32 {
    let index = indexes::get_index(&app.db.pool, &"gallery".parse().unwrap()).await.unwrap();
    let mut tx = app.db.pool.begin().await.unwrap();
    let begun = indexes::begin_generation(&mut tx, index.id, index.model_id.unwrap(), 2, 512).await.unwrap();
    if active {
        indexes::activate_generation(&mut tx, index.id, begun).await.unwrap();
    }
    tx.commit().await.unwrap();
    begun
}

#[tokio::test]
async fn a_rollback_leads_to_the_generation_that_was_active_last_whatever_its_number() {
    let app = TestApp::start().await;
    let first = gallery_of_two(&app).await;
    another_generation(&app, true).await;
    app.post("/v1/indexes/gallery/rollback", json!({})).await.expect(StatusCode::OK);
    another_generation(&app, true).await;
    let back = app.post("/v1/indexes/gallery/rollback", json!({})).await.expect(StatusCode::OK);
    assert_eq!(back["generation"], first);
}

#[tokio::test]
async fn a_clear_leaves_nothing_that_a_rebuild_could_bring_back() {
    let app = TestApp::start().await;
    let active = gallery_of_two(&app).await;
    another_generation(&app, false).await;
    let cleared = app.post("/v1/indexes/gallery/clear", json!({})).await.expect(StatusCode::OK);
    assert_eq!(cleared["building"], Value::Null);
    let left: Vec<_> = cleared["generations"].as_array().unwrap().iter().map(|g| &g["id"]).collect();
    assert_eq!(json!(left), json!([active]));
}

#[tokio::test]
async fn a_deleted_index_leaves_no_tables() {
    let app = TestApp::start().await;
    gallery_of_two(&app).await;
    app.delete("/v1/indexes/gallery").await.expect(StatusCode::NO_CONTENT);
    for (method, path) in [
        (Method::GET, "/v1/indexes/gallery"),
        (Method::DELETE, "/v1/indexes/gallery"),
        (Method::POST, "/v1/indexes/gallery/clear"),
        (Method::POST, "/v1/indexes/gallery/rollback"),
        (Method::GET, "/v1/indexes/gallery/entries"),
        (Method::GET, "/v1/indexes/Not%20a%20name"),
    ] {
        let reply = app.request(method, path).reply().await;
        let code = if path.ends_with("name") { "not_found" } else { "index_not_found" };
        reply.refusal(StatusCode::NOT_FOUND, code);
    }
    app.make_index("gallery", "scenes").await;
}
