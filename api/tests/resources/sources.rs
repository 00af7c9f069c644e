use std::os::unix::fs::symlink;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{TestApp, write};

#[tokio::test]
async fn declared_sources_are_listed_with_their_place() {
    let app = TestApp::start().await;
    let listed = app.get("/v1/sources").await.expect(StatusCode::OK);
    let told: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (&s["name"], &s["kind"], &s["writable"]))
        .collect();
    assert_eq!(json!(told), json!([["photos", "file", false], ["uploads", "file", true]]));
}

#[tokio::test]
async fn a_source_is_browsed_folder_by_folder_in_pages() {
    let app = TestApp::start().await;
    for key in ["a.jpg", "b \"q\".jpg", "zoo/lion.jpg", "zoo/deep/x.jpg", "ähre/1.jpg"] {
        app.photo(key, b"x");
    }
    let mut keys = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/sources/photos/objects?limit=2&cursor={cursor}");
        let page = app.get(&path).await.expect(StatusCode::OK);
        keys.extend(page["items"].as_array().unwrap().iter().map(|o| o["key"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(keys, ["zoo/", "ähre/", "a.jpg", "b \"q\".jpg"]);
    let below = app.get("/v1/sources/photos/objects?prefix=zoo/").await.expect(StatusCode::OK);
    let told: Vec<_> = below["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (&o["key"], &o["is_prefix"], &o["size_bytes"]))
        .collect();
    assert_eq!(json!(told), json!([["zoo/deep/", true, null], ["zoo/lion.jpg", false, 1]]));
}

#[tokio::test]
async fn nothing_outside_a_source_is_shown() {
    let app = TestApp::start().await;
    let outside = app.artifacts().join("secret/inside.txt");
    write(&outside, b"secret");
    symlink(outside.parent().unwrap(), app.photos().join("link")).unwrap();
    for prefix in ["../", "/etc/", "a/../../", "%2e%2e%2f", "link/", "link"] {
        let refused = app.get(&format!("/v1/sources/photos/objects?prefix={prefix}")).await;
        refused.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    }
    app.get("/v1/sources/nowhere/objects").await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get("/v1/sources/..%2fx/objects").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_source_is_tested_and_what_is_wrong_with_it_is_the_answer() {
    let app = TestApp::start().await;
    app.photo("zoo/lion.jpg", b"x");
    let told = app.post("/v1/sources/photos/test", json!({})).await.expect(StatusCode::OK);
    assert_eq!(
        (&told["ok"], &told["objects_seen"], &told["complete"], &told["sample"]["key"], &told["error"]),
        (&json!(true), &json!(1), &json!(true), &json!("zoo/lion.jpg"), &json!(null))
    );
    std::fs::remove_dir_all(app.photos()).unwrap();
    let told = app.post("/v1/sources/photos/test", json!({})).await.expect(StatusCode::OK);
    assert_eq!(
        (&told["ok"], &told["error"]["code"]),
        (&json!(false), &json!("storage_unavailable")),
        "{told}"
    );
    app.post("/v1/sources/nowhere/test", json!({})).await.refusal(StatusCode::NOT_FOUND, "not_found");
}
