use lookalike_shared::config::Limits;
use lookalike_shared::db::models::{self, NewModel};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Send, TestApp, import_form, safetensors, squeezenet, squeezenet_tensors, write};

/// What of weights lies in the artifacts store.
fn stored_weights(app: &TestApp) -> Vec<std::path::PathBuf> {
    let Ok(folders) = std::fs::read_dir(app.artifacts().join("models")) else { return Vec::new() };
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn an_imported_model_is_listed_described_and_downloaded() {
    let app = TestApp::start().await;
    let weights = squeezenet(3);
    let form = import_form("scenes", weights.clone())
        .text("classes", "bowl\nteapot\nÜhr\n")
        .text("image_size", "96");
    let made = app.post_form("/v1/models/import", form).await;
    assert_eq!(made.header("location"), "/v1/models/scenes/1");
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(made["classes"], json!(["bowl", "teapot", "Ühr"]));
    assert_eq!(
        (&made["origin"], &made["image_size"], &made["embedding_dim"]),
        (&json!("imported"), &json!(96), &json!(512))
    );
    assert_eq!((&made["card"]["imported_by"], &made["is_default"]), (&json!("admin"), &json!(true)));

    let listed = app.get("/v1/models").await.expect(StatusCode::OK);
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["latest"]), (&json!("scenes"), &made));
    let versions = app.get("/v1/models/scenes").await.expect(StatusCode::OK);
    assert_eq!(versions["items"], json!([made]));
    for version in ["1", "default"] {
        assert_eq!(app.get(&format!("/v1/models/scenes/{version}")).await.expect(StatusCode::OK), made);
    }
    let file = app.get("/v1/models/scenes/1/weights").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"scenes-1.safetensors\"");
    assert_eq!(file.header("content-length"), weights.len().to_string());
    assert!(file.bytes == weights);
    app.get("/v1/models/scenes/1/confusion").await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.get("/v1/models/scenes/1/files").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn the_list_of_a_models_files_is_given_as_it_is_and_deleted_with_the_model() {
    let app = TestApp::start().await;
    let made = app.import("scenes", &["a", "b"]).await;
    let folder = app.artifacts().join("models").join(made["id"].as_str().unwrap());
    let list = b"{\"uri\":\"photos/a/1.jpg\"}\n";
    write(&folder.join("files.jsonl"), list);
    let given = app.get("/v1/models/scenes/default/files").await;
    assert_eq!((given.status, given.bytes.as_slice()), (StatusCode::OK, list.as_slice()));
    assert_eq!(given.header("content-type"), "application/jsonl");
    assert_eq!(given.header("content-disposition"), "attachment; filename=\"scenes-1.files.jsonl\"");
    let tag = given.header("etag").to_owned();
    let again = app.request(Method::GET, "/v1/models/scenes/1/files").header("if-none-match", tag);
    assert_eq!(again.reply().await.status, StatusCode::NOT_MODIFIED);
    app.delete("/v1/models/scenes/1").await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_trained_model_shows_what_was_measured() {
    let app = TestApp::start().await;
    let metrics = json!({"validation_accuracy": 0.75, "confusion": [[3, 1], [0, 4]],
                         "precision_at": {"embedding": {"1": 0.5}, "probabilities": {"1": 0.25}}});
    let model = NewModel {
        id: Uuid::now_v7(),
        name: "scenes".parse().unwrap(),
        backbone: "squeezenet1_1".to_owned(),
        classes: vec!["bowl".to_owned(), "teapot".to_owned()],
        image_size: 96,
        embedding_dim: 512,
        weights_key: "models/none/weights.safetensors".to_owned(),
        weights_bytes: 1,
        weights_sha256: vec![0; 32],
        origin: "trained",
        job_id: None,
        card: json!({"metrics": metrics}),
        labels: json!({}),
    };
    models::insert_model(&app.db.pool, &model).await.unwrap();
    let card = app.get("/v1/models/scenes/1").await.expect(StatusCode::OK);
    assert_eq!(
        (&card["validation_accuracy"], &card["precision_at"]),
        (&json!(0.75), &metrics["precision_at"])
    );
    assert_eq!(card["card"], json!({"metrics": metrics}));
    for (path, field) in [
        ("/v1/models", "/items/0/latest"),
        ("/v1/models", "/items/0/default"),
        ("/v1/models/scenes", "/items/0"),
    ] {
        let listed = app.get(path).await.expect(StatusCode::OK);
        let listed = listed.pointer(field).unwrap();
        assert_eq!(listed["precision_at"], metrics["precision_at"], "{path}");
        assert_eq!(listed.pointer("/card/metrics/confusion"), None, "{path}: a list has no matrices");
    }
    let confusion = app.get("/v1/models/scenes/default/confusion").await.expect(StatusCode::OK);
    assert_eq!(confusion, json!({"classes": ["bowl", "teapot"], "matrix": [[3, 1], [0, 4]]}));
    app.get("/v1/models/scenes/1/weights").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn an_unchanged_card_is_not_sent_again() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    for path in ["/v1/models/scenes/1", "/v1/models/scenes/1/weights"] {
        let tag = app.get(path).await.header("etag").to_owned();
        let again = app.request(Method::GET, path).header("if-none-match", tag).reply().await;
        assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
    }
}

#[tokio::test]
async fn every_tensor_that_does_not_fit_is_told_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let mut tensors = squeezenet_tensors(3);
    let missing = tensors.remove(0).0;
    tensors[3].1.push(1);
    tensors.push(("extra.weight".to_owned(), vec![2]));
    let form = import_form("scenes", safetensors(tensors.clone()));
    let refused = app.post_form("/v1/models/import", form).await;
    let errors = refused.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    assert_eq!(errors.len(), 3, "{errors:#?}");
    for (error, name) in errors.iter().zip([&*missing, &*tensors[3].0, "extra.weight"]) {
        assert!(error.starts_with(&format!("/file: `{name}`")), "{error}");
    }
    assert!(stored_weights(&app).is_empty(), "{:?}", stored_weights(&app));
    assert_eq!(app.get("/v1/models").await.json()["items"], json!([]));
}

#[tokio::test]
async fn every_bad_part_is_told_at_once() {
    let app = TestApp::start().await;
    let form = Form::new()
        .text("name", "Scenes!")
        .text("backbone", "resnet9000")
        .text("classes", "[\"a\", \"a\"]")
        .text("image_size", "0")
        .part("file", Part::bytes(b"GIF89a is no weights".to_vec()).file_name("w"));
    // The file is refused by its first bytes, before the rest of the form is judged.
    let told = app.post_form("/v1/models/import", form).await.broken_rule();
    assert!(told.starts_with("/file: the first 8 bytes announce"), "{told}");

    let form = Form::new()
        .text("name", "Scenes!")
        .text("backbone", "resnet9000")
        .text("classes", "[\"a\", \"a\"]")
        .text("image_size", "0");
    let errors = app.post_form("/v1/models/import", form).await;
    let errors = errors.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    let pointers: Vec<&str> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/backbone", "/image_size", "/classes/1", "/file"], "{errors:#?}");
    let unknown = import_form("scenes", squeezenet(2)).text("colour", "red");
    let told = app.post_form("/v1/models/import", unknown).await.broken_rule();
    assert!(told.starts_with("/colour: unknown part"), "{told}");
    let text = app.post("/v1/models/import", json!({})).await;
    text.refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    assert!(stored_weights(&app).is_empty());
}

#[tokio::test]
async fn a_file_of_pytorch_is_converted_or_told_what_is_wrong_with_it() {
    let app = TestApp::start().await;
    let plain = include_bytes!("../../src/weights/fixtures/plain.pth");
    let told = app.post_form("/v1/models/import", import_form("scenes", plain.to_vec())).await;
    let errors = told.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
    // It was read: its tensors are compared with those of the network, one by one.
    assert!(
        errors.iter().any(|error| error == "/file: `a.weight` is not part of this backbone"),
        "{errors:#?}"
    );
    let cut = plain[..plain.len() / 2].to_vec();
    let told = app.post_form("/v1/models/import", import_form("scenes", cut)).await.broken_rule();
    assert!(told.starts_with("/file: the archive cannot be read"), "{told}");
    assert!(stored_weights(&app).is_empty());
}

#[tokio::test]
async fn a_projection_in_the_file_gives_embeddings_of_its_length() {
    let app = TestApp::start().await;
    let variant = lookalike_shared::domain::backbone::variant("squeezenet1_1", 24).unwrap();
    let tensors = variant.parameters(2).into_iter().map(|parameter| (parameter.name, parameter.shape));
    let form = import_form("scenes", safetensors(tensors.collect()));
    let made = app.post_form("/v1/models/import", form).await.expect(StatusCode::CREATED);
    assert_eq!((&made["embedding_dim"], &made["backbone"]), (&json!(24), &json!("squeezenet1_1")));
}

#[tokio::test]
async fn a_model_is_downloaded_as_onnx() {
    let app = TestApp::start().await;
    app.import("scenes", &["bowl", "teapot"]).await;
    let path = "/v1/models/scenes/1/onnx";
    let file = app.get(path).await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"scenes-1.onnx\"");
    assert_eq!(file.header("content-length"), file.bytes.len().to_string());
    // IR version 7, then the producer.
    assert!(file.bytes.starts_with(b"\x08\x07\x12\x09lookalike"));
    let text = String::from_utf8_lossy(&file.bytes);
    assert!(text.contains("[\"bowl\",\"teapot\"]") && text.contains("scenes@1"));
    let tag = file.header("etag").to_owned();
    assert_ne!(tag, app.get("/v1/models/scenes/1/weights").await.header("etag"));
    let again = app.request(Method::GET, path).header("if-none-match", tag).reply().await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    app.get("/v1/models/scenes/2/onnx").await.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn class_names_must_match_the_head() {
    let app = TestApp::start().await;
    let form = import_form("scenes", squeezenet(3)).text("classes", "[\"a\", \"b\"]");
    let told = app.post_form("/v1/models/import", form).await.broken_rule();
    assert_eq!(told, "/classes: 2 names for the 3 classes that the file's head tells apart");
    let classes = Part::bytes(b"a,b,c".to_vec()).file_name("classes.txt");
    let form = import_form("scenes", squeezenet(3)).part("classes", classes);
    let made = app.post_form("/v1/models/import", form).await.expect(StatusCode::CREATED);
    assert_eq!(made["classes"], json!(["a", "b", "c"]));
    let made = app.post_form("/v1/models/import", import_form("scenes", squeezenet(3))).await;
    assert_eq!(
        made.expect(StatusCode::CREATED)["classes"],
        json!(["class_0000", "class_0001", "class_0002"])
    );
}

#[tokio::test]
async fn two_imports_at_once_get_versions_one_and_two() {
    let app = TestApp::start().await;
    let import = || app.post_form("/v1/models/import", import_form("scenes", squeezenet(2)));
    let (a, b) = tokio::join!(import(), import());
    let mut versions: Vec<Value> =
        [a, b].iter().map(|made| made.expect(StatusCode::CREATED)["version"].clone()).collect();
    versions.sort_by_key(Value::as_i64);
    assert_eq!(versions, [json!(1), json!(2)]);
    assert_eq!(stored_weights(&app).len(), 2);
}

#[tokio::test]
async fn a_repeated_import_makes_no_second_version() {
    let app = TestApp::start().await;
    let import = || {
        let request = app.request(Method::POST, "/v1/models/import").header("idempotency-key", "i1");
        request.multipart(import_form("scenes", squeezenet(2))).reply()
    };
    let first = import().await.expect(StatusCode::CREATED);
    let again = import().await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(StatusCode::CREATED), first);
    assert_eq!(stored_weights(&app).len(), 1);
}

#[tokio::test]
async fn weights_over_the_limit_are_refused_and_not_kept() {
    let app = TestApp::start_with(Limits { max_upload_bytes: 100_000, ..Limits::default() }).await;
    let refused = app.post_form("/v1/models/import", import_form("scenes", squeezenet(2))).await;
    refused.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
    assert!(refused.json()["detail"].as_str().unwrap().contains("100000 bytes"), "{}", refused.json());
    assert!(stored_weights(&app).is_empty());
}

#[tokio::test]
async fn the_default_is_the_newest_until_one_is_pinned() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    app.import("scenes", &["a", "b"]).await;
    assert_eq!(app.get("/v1/models/scenes/default").await.json()["version"], 2);
    let pinned =
        app.request(Method::PUT, "/v1/models/scenes/default").json(&json!({"version": 1})).reply().await;
    assert_eq!(pinned.expect(StatusCode::OK)["version"], 1);
    assert_eq!(app.get("/v1/models/scenes/default").await.json()["version"], 1);
    let listed = app.get("/v1/models").await.json();
    let name = &listed["items"][0];
    assert_eq!((&name["default_version"], &name["default"]["version"]), (&json!(1), &json!(1)));
    assert_eq!(name["latest"]["version"], 2);
    let refused =
        app.request(Method::PUT, "/v1/models/scenes/default").json(&json!({"version": 9})).reply().await;
    assert_eq!(refused.broken_rule(), "/version: model \"scenes\" has no version 9");
    let refused =
        app.request(Method::PUT, "/v1/models/none/default").json(&json!({"version": 1})).reply().await;
    refused.refusal(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_model_in_use_is_kept_and_its_users_are_named() {
    let app = TestApp::start().await;
    app.import("scenes", &["a", "b"]).await;
    app.import("scenes", &["a", "b"]).await;
    app.make_index("gallery", "scenes@2").await;
    for path in ["/v1/models/scenes/2", "/v1/models/scenes"] {
        let refused = app.delete(path).await;
        refused.refusal(StatusCode::CONFLICT, "conflict");
        assert!(refused.json()["detail"].as_str().unwrap().contains("gallery"), "{}", refused.json());
    }
    app.delete("/v1/models/scenes/1").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(stored_weights(&app).len(), 1);
    app.delete("/v1/indexes/gallery").await.expect(StatusCode::NO_CONTENT);
    app.delete("/v1/models/scenes").await.expect(StatusCode::NO_CONTENT);
    assert!(stored_weights(&app).is_empty());
    for path in ["/v1/models/scenes", "/v1/models/scenes/1", "/v1/models/scenes/x"] {
        app.get(path).await.refusal(StatusCode::NOT_FOUND, "not_found");
    }
}
