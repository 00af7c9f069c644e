use std::os::unix::fs::symlink;

use lookalike_shared::testing::{an_entry, commit_entries};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Send, TestApp, png, write};

/// An index `gallery` with one entry per uri, of alternating classes; gives the entries' ids.
async fn filled(app: &TestApp, uris: &[&str]) -> Vec<Uuid> {
    app.import("scenes", &["bowl", "teapot"]).await;
    let generation = app.make_index("gallery", "scenes").await;
    let classes = (0..2).cycle();
    let entry = |(uri, class): (&&str, i32)| an_entry(uri, class, &[0.5, 0.5], &[0.0; 512]);
    let entries: Vec<_> = uris.iter().zip(classes).map(entry).collect();
    let mut tx = app.db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, &entries, Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    entries.iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn entries_are_listed_in_pages_and_by_class() {
    let app = TestApp::start().await;
    let ids = filled(&app, &["photos/a.jpg", "photos/b.jpg", "photos/c.jpg"]).await;
    let first = app.get("/v1/indexes/gallery/entries?limit=2").await.expect(StatusCode::OK);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next =
        format!("/v1/indexes/gallery/entries?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = app.get(&next).await.expect(StatusCode::OK);
    assert_eq!((&second["items"][0]["uri"], &second["next_cursor"]), (&json!("photos/c.jpg"), &json!(null)));
    let teapots = app.get("/v1/indexes/gallery/entries?class=teapot").await.expect(StatusCode::OK);
    let teapots = teapots["items"].as_array().unwrap();
    assert_eq!(teapots.len(), 1);
    assert_eq!((&teapots[0]["entry_id"], &teapots[0]["class"]), (&json!(ids[1]), &json!("teapot")));
    assert_eq!(teapots[0]["thumbnail"], format!("/v1/indexes/gallery/entries/{}/thumbnail", ids[1]));
    let told = app.get("/v1/indexes/gallery/entries?class=cup").await.broken_rule();
    assert_eq!(told, "/class: scenes@1 has no class \"cup\"");
}

#[tokio::test]
async fn a_deleted_entry_leaves_its_partition() {
    let app = TestApp::start().await;
    let ids = filled(&app, &["photos/a.jpg", "photos/b.jpg"]).await;
    let path = format!("/v1/indexes/gallery/entries/{}", ids[1]);
    assert_eq!(app.get(&path).await.expect(StatusCode::OK)["uri"], "photos/b.jpg");
    app.delete(&path).await.expect(StatusCode::NO_CONTENT);
    app.delete(&path).await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get(&path).await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get(&format!("{path}/thumbnail")).await.refusal(StatusCode::NOT_FOUND, "not_found");
    let index = app.get("/v1/indexes/gallery").await.expect(StatusCode::OK);
    let rows: Vec<_> = index["partitions"].as_array().unwrap().iter().map(|p| &p["rows"]).collect();
    assert_eq!(json!(rows), json!([1, 0]));
}

#[tokio::test]
async fn pictures_are_served_as_pictures_only() {
    let app = TestApp::start().await;
    app.photo("a.png", &png(3, 2));
    app.photo("page.jpg", b"<script>alert(1)</script>");
    let ids = filled(&app, &["photos/a.png", "photos/page.jpg"]).await;
    let thumbnail = app.get(&format!("/v1/indexes/gallery/entries/{}/thumbnail", ids[0])).await;
    assert_eq!((thumbnail.status, thumbnail.header("content-type")), (StatusCode::OK, "image/jpeg"));
    assert_eq!(thumbnail.bytes, [0xff, 0xd8]);

    let path = format!("/v1/indexes/gallery/entries/{}/image", ids[0]);
    let image = app.get(&path).await;
    assert_eq!((image.status, image.header("content-type")), (StatusCode::OK, "image/png"));
    assert_eq!(image.bytes, png(3, 2));
    assert_eq!(image.header("x-content-type-options"), "nosniff");
    assert!(image.header("content-security-policy").contains("sandbox"));
    let again = app.request(Method::GET, &path).header("if-none-match", image.header("etag")).reply().await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);

    let page = app.get(&format!("/v1/indexes/gallery/entries/{}/image", ids[1])).await;
    assert_eq!(page.header("content-type"), "application/octet-stream");
    assert_eq!(page.header("content-disposition"), "attachment");
}

#[tokio::test]
async fn a_picture_that_left_its_source_is_not_found() {
    let app = TestApp::start().await;
    let secret = app.artifacts().join("secret.png");
    write(&secret, &png(1, 1));
    symlink(&secret, app.photos().join("link.png")).unwrap();
    let uris = ["photos/gone.png", "photos/link.png", "nowhere/a.png", "photos/../artifacts/secret.png"];
    for id in filled(&app, &uris).await {
        let refused = app.get(&format!("/v1/indexes/gallery/entries/{id}/image")).await;
        refused.refusal(StatusCode::NOT_FOUND, "not_found");
    }
}
