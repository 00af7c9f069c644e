use std::io::{Cursor, Write};

use lookalike_shared::config::Limits;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Reply, Send, TestApp};

fn file(bytes: &[u8], name: &str) -> Part {
    Part::bytes(bytes.to_vec()).file_name(name.to_owned())
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

async fn post_zip(app: &TestApp, set: &str, archive: Vec<u8>) -> Reply {
    let request = app.request(Method::POST, &format!("/v1/uploads/{set}"));
    request.header("content-type", "application/zip").body(archive).reply().await
}

fn paths(listed: &Value) -> Vec<&str> {
    listed["items"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

fn skipped(report: &Value) -> Vec<&str> {
    report["skipped"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_file_of_any_name_is_stored_replaced_and_listed() {
    let app = TestApp::start().await;
    let path = "/v1/uploads/pots/tee%20kanne/%22%C3%BC%22%20100%25%20%5B1%5D.jpg";
    let stored = app.put(path, "one").await.expect(StatusCode::CREATED);
    assert_eq!(stored["path"], "tee kanne/\"ü\" 100% [1].jpg");
    assert_eq!(stored["uri"], "uploads/pots/tee kanne/\"ü\" 100% [1].jpg");
    app.put(path, "three").await.expect(StatusCode::OK);
    app.put("/v1/uploads/pots/top.jpg", "x").await.expect(StatusCode::CREATED);

    let listed = app.get("/v1/uploads/pots").await.expect(StatusCode::OK);
    assert_eq!(paths(&listed), ["tee kanne/\"ü\" 100% [1].jpg", "top.jpg"]);
    assert_eq!((&listed["files"], &listed["bytes"]), (&json!(2), &json!(6)));
    assert_eq!(listed["folders"], json!({"": 1, "tee kanne": 1}));
    let first = app.get("/v1/uploads/pots?limit=1").await.expect(StatusCode::OK);
    let next = format!("/v1/uploads/pots?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = app.get(&next).await.expect(StatusCode::OK);
    assert_eq!((paths(&second), &second["next_cursor"]), (vec!["top.jpg"], &Value::Null));
    let browsed =
        app.get("/v1/sources/uploads/objects?prefix=pots/tee%20kanne/").await.expect(StatusCode::OK);
    assert_eq!(browsed["items"][0]["key"], "pots/tee kanne/\"ü\" 100% [1].jpg");
}

#[tokio::test]
async fn a_deleted_set_is_gone() {
    let app = TestApp::start().await;
    for set in ["a", "b"] {
        app.put(&format!("/v1/uploads/{set}/deep/x.jpg"), "x").await.expect(StatusCode::CREATED);
    }
    app.delete("/v1/uploads/a").await.expect(StatusCode::NO_CONTENT);
    app.delete("/v1/uploads/a").await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get("/v1/uploads/a").await.refusal(StatusCode::NOT_FOUND, "not_found");
    let sets = app.get("/v1/uploads").await.expect(StatusCode::OK);
    assert_eq!(sets["items"], json!([{"name": "b", "source": "uploads", "prefix": "b/"}]));
}

#[tokio::test]
async fn a_path_that_leaves_its_set_is_refused() {
    let app = TestApp::start().await;
    for path in [
        "%2e%2e%2fescape",
        "a%2f..%2f..%2fescape",
        "%2fetc%2fpasswd",
        "a%00b",
        "a%5c..%5c..%5cb",
        "x.jpg%231",
    ] {
        let told = app.put(&format!("/v1/uploads/pots/{path}"), "x").await.broken_rule();
        assert!(told.starts_with("/path: the path "), "{path}: {told}");
    }
    app.put("/v1/uploads/Bad%20Set/x.jpg", "x").await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get("/v1/uploads/pots").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_form_keeps_folders_and_tells_what_it_left_out() {
    let app = TestApp::start().await;
    let form = Form::new()
        .part("file", file(b"1", "teapot/a.jpg"))
        .part("file", file(b"22", "../../escape.jpg"))
        .part("file", file(b"333", "teapot/.DS_Store"))
        .text("path", "bowl/named \"here\".jpg")
        .part("file", file(b"4444", "ignored.jpg"))
        .part("files", file(&zip(&[("cup/c.jpg", b"55555")]), "more.ZIP"))
        .text("note", "no file");
    let report = app.post_form("/v1/uploads/mixed", form).await.expect(StatusCode::CREATED);
    assert_eq!((&report["files"], &report["bytes"]), (&json!(3), &json!(10)));
    assert_eq!(skipped(&report), ["../../escape.jpg", "teapot/.DS_Store", "note"]);
    assert_eq!(report["skipped"][0]["reason"], "the path has an empty part, '.' or '..'");
    let listed = app.get("/v1/uploads/mixed").await.expect(StatusCode::OK);
    assert_eq!(paths(&listed), ["bowl/named \"here\".jpg", "cup/c.jpg", "teapot/a.jpg"]);
}

#[tokio::test]
async fn an_archive_cannot_write_outside_its_set() {
    let app = TestApp::start().await;
    let archive = zip(&[
        ("good/a.jpg", b"a"),
        ("../evil.jpg", b"x"),
        ("/abs.jpg", b"x"),
        ("good/../../evil.jpg", b"x"),
        ("..\\evil.jpg", b"x"),
        ("__MACOSX/good/._a.jpg", b"x"),
        ("grün/ä.jpg", b"bb"),
    ]);
    let report = post_zip(&app, "pots", archive).await.expect(StatusCode::CREATED);
    assert_eq!(
        (&report["files"], &report["bytes"], &report["skipped_total"]),
        (&json!(2), &json!(3), &json!(5))
    );
    let listed = app.get("/v1/uploads/pots").await.expect(StatusCode::OK);
    assert_eq!(paths(&listed), ["good/a.jpg", "grün/ä.jpg"]);
    let folder = app.artifacts();
    let mut find = std::process::Command::new("find");
    let found = find.arg(folder.parent().unwrap()).args(["-name", "*evil*"]).output().unwrap();
    assert!(found.status.success() && found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[tokio::test]
async fn an_archive_of_nothing_but_escapes_is_refused() {
    let app = TestApp::start().await;
    let told = post_zip(&app, "pots", zip(&[("../evil.jpg", b"x")])).await.broken_rule();
    assert_eq!(told, ": \"../evil.jpg\": the path has an empty part, '.' or '..'");
    let told = post_zip(&app, "pots", b"no archive".to_vec()).await.broken_rule();
    assert!(told.contains("the zip archive cannot be read"), "{told}");
    let told = app.post_form("/v1/uploads/pots", Form::new().text("path", "a.jpg")).await.broken_rule();
    assert_eq!(told, ": the upload has no file");
    let text = app.request(Method::POST, "/v1/uploads/pots").header("content-type", "text/plain").body("x");
    text.reply().await.refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let limits = Limits { max_upload_bytes: 100_000, ..Limits::default() };
    let app = TestApp::start_with(limits).await;
    let archive = zip(&[("a.jpg", &[0; 60_000]), ("b.jpg", &[0; 60_000])]);
    assert!(archive.len() < 1_000, "it is small: {}", archive.len());
    post_zip(&app, "pots", archive).await.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
    app.get("/v1/uploads/pots").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn what_is_over_a_limit_is_not_stored() {
    let limits = Limits { max_picture_bytes: 1_000, max_upload_bytes: 50_000, ..Limits::default() };
    let app = TestApp::start_with(limits).await;
    let large = vec![b'x'; 1_001];
    let refused = app.put("/v1/uploads/pots/large.jpg", large.clone()).await;
    refused.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
    assert!(refused.json()["detail"].as_str().unwrap().contains("1000 bytes"), "{}", refused.json());

    let chunks = futures::stream::iter(vec![
        Ok::<_, std::io::Error>(large[..600].to_vec()),
        Ok(large[..600].to_vec()),
    ]);
    let refused = app.put("/v1/uploads/pots/large.jpg", reqwest::Body::wrap_stream(chunks)).await;
    refused.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");

    let form = Form::new().part("file", file(&large, "large.jpg")).part("file", file(b"x", "small.jpg"));
    let report = app.post_form("/v1/uploads/pots", form).await.expect(StatusCode::CREATED);
    assert_eq!((&report["files"], skipped(&report)), (&json!(1), vec!["large.jpg"]));
    let report = post_zip(&app, "pots", zip(&[("large.jpg", &large), ("tiny.jpg", b"x")])).await;
    let report = report.expect(StatusCode::CREATED);
    assert_eq!((&report["files"], skipped(&report)), (&json!(1), vec!["large.jpg"]));

    let form = Form::new().part("file", file(&vec![0; 60_000], "huge.jpg"));
    app.post_form("/v1/uploads/pots", form).await.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
    let listed = app.get("/v1/uploads/pots").await.expect(StatusCode::OK);
    assert_eq!(paths(&listed), ["small.jpg", "tiny.jpg"]);
}

#[tokio::test]
async fn uploading_needs_more_than_reading() {
    let app = TestApp::start().await;
    let made =
        app.post("/v1/keys", json!({"name": "reader", "scope": "read"})).await.expect(StatusCode::CREATED);
    let refused =
        app.request_as(made["key"].as_str().unwrap(), Method::PUT, "/v1/uploads/pots/a.jpg").body("x");
    refused.reply().await.refusal(StatusCode::FORBIDDEN, "forbidden");
}

#[tokio::test]
async fn an_upload_that_is_sent_twice_is_stored_once() {
    let app = TestApp::start().await;
    let request = || app.request(Method::POST, "/v1/uploads/pots");
    let send_zip = async |archive: Vec<u8>| {
        let request = request().header("idempotency-key", "z").header("content-type", "application/zip");
        request.body(archive).reply().await
    };
    // Every form has a boundary of its own.
    let send_form = async |bytes: &[u8]| {
        let form = Form::new().part("file", file(bytes, "b/y.jpg"));
        request().header("idempotency-key", "f").multipart(form).reply().await
    };
    let first = send_zip(zip(&[("a/x.jpg", b"one")])).await.expect(StatusCode::CREATED);
    let second = send_form(b"one").await.expect(StatusCode::CREATED);
    app.delete("/v1/uploads/pots").await.expect(StatusCode::NO_CONTENT);

    let again = send_zip(zip(&[("a/x.jpg", b"one")])).await;
    assert_eq!((again.header("idempotent-replayed"), again.json()), ("true", first));
    let again = send_form(b"one").await;
    assert_eq!((again.header("idempotent-replayed"), again.json()), ("true", second));
    let other = send_zip(zip(&[("a/x.jpg", b"two")])).await;
    other.refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
    let other = send_form(b"two").await;
    other.refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
    app.get("/v1/uploads/pots").await.refusal(StatusCode::NOT_FOUND, "not_found");
}
