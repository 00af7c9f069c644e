//! The registry: labels, comparison, promotion and rollback.

use lookalike_shared::db::models::{self, NewModel};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Reply, Send, TestApp};

/// Stores a trained version of `scenes` with these classes and this card.
async fn trained(app: &TestApp, classes: &[&str], card: Value) -> i32 {
    let model = NewModel {
        id: Uuid::now_v7(),
        name: "scenes".parse().unwrap(),
        backbone: "squeezenet1_1".to_owned(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        image_size: 96,
        embedding_dim: 512,
        weights_key: "models/none/weights.safetensors".to_owned(),
        weights_bytes: 1,
        weights_sha256: vec![0; 32],
        origin: "trained",
        job_id: None,
        card,
        labels: json!({}),
    };
    models::insert_model(&app.db.pool, &model).await.unwrap()
}

fn card(accuracy: f64, recall: f64, epochs: u32, fingerprint: &str) -> Value {
    json!({
        "metrics": {
            "validation_accuracy": accuracy,
            "precision_at": {"embedding": {"10": accuracy}},
            "per_class": [{"class": 0, "recall": recall, "precision": 0.5, "precision_at": {"embedding": {"10": 0.25}}},
                          {"class": 1, "recall": 1.0, "precision": 1.0, "precision_at": {"embedding": {"10": 1.0}}}],
        },
        "recipe": {"epochs": epochs, "seed": 1},
        "dataset": {"source": "photos", "fingerprint": fingerprint},
    })
}

async fn label(app: &TestApp, version: i32, labels: Value) -> Reply {
    let path = format!("/v1/models/scenes/{version}");
    app.request(Method::PATCH, &path).json(&json!({"labels": labels})).reply().await
}

#[tokio::test]
async fn labels_are_merged_taken_away_and_found() {
    let app = TestApp::start().await;
    let first = trained(&app, &["a", "b"], json!({})).await;
    trained(&app, &["a", "b"], json!({})).await;
    let tag = app.get("/v1/models/scenes/1").await.header("etag").to_owned();
    let set = label(&app, first, json!({"team": "x", "stage": "test"})).await;
    assert_ne!(set.header("etag"), tag);
    assert_eq!(set.expect(StatusCode::OK)["labels"], json!({"team": "x", "stage": "test"}));
    let changed = label(&app, first, json!({"stage": null, "note": ""})).await.expect(StatusCode::OK);
    assert_eq!(changed["labels"], json!({"team": "x", "note": ""}));
    for query in ["label=team:x", "label=team=x"] {
        let names = app.get(&format!("/v1/models?{query}")).await.expect(StatusCode::OK);
        assert_eq!(names["items"][0]["name"], "scenes", "{query}");
        let versions = app.get(&format!("/v1/models/scenes?{query}")).await.expect(StatusCode::OK);
        assert_eq!((&versions["items"][0]["version"], &versions["items"][1]), (&json!(1), &Value::Null));
    }
    for path in ["/v1/models?label=team:y", "/v1/models/scenes?label=team:y"] {
        assert_eq!(app.get(path).await.expect(StatusCode::OK)["items"], json!([]));
    }
}

#[tokio::test]
async fn labels_out_of_bounds_change_nothing() {
    let app = TestApp::start().await;
    let version = trained(&app, &["a"], json!({})).await;
    let told = label(&app, version, json!({"": "x"})).await.broken_rule();
    assert!(told.starts_with("/labels/: a label's name has 1 to 63 bytes"), "{told}");
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("l{n}"), json!("x"))).collect();
    let told = label(&app, version, Value::Object(many)).await.broken_rule();
    assert_eq!(told, "/labels: scenes@1 would have more than 20 labels");
    label(&app, version, json!({"a": 1})).await.broken_rule();
    label(&app, 9, json!({"a": "b"})).await.refusal(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.get("/v1/models/scenes/1").await.json()["labels"], json!({}));
}

#[tokio::test]
async fn a_rollback_undoes_a_promotion_and_says_when_there_is_none() {
    let app = TestApp::start().await;
    let back = || app.post("/v1/models/scenes/rollback", json!({}));
    back().await.refusal(StatusCode::NOT_FOUND, "not_found");
    trained(&app, &["a"], json!({})).await;
    let refused = back().await;
    refused.refusal(StatusCode::CONFLICT, "conflict");
    let detail = refused.json()["detail"].clone();
    assert_eq!(detail, "no version of model \"scenes\" but 1 was its default before");
    trained(&app, &["a"], json!({})).await;
    trained(&app, &["a"], json!({})).await;
    let promoted =
        app.request(Method::PUT, "/v1/models/scenes/default").json(&json!({"version": 1})).reply().await;
    promoted.expect(StatusCode::OK);
    for version in [3, 2, 1] {
        let model = back().await.expect(StatusCode::OK);
        assert_eq!((&model["version"], &model["is_default"]), (&json!(version), &json!(true)));
    }
    back().await.refusal(StatusCode::CONFLICT, "conflict");
}

#[tokio::test]
async fn two_versions_are_told_side_by_side() {
    let app = TestApp::start().await;
    trained(&app, &["a", "b"], card(0.5, 0.25, 3, "f1")).await;
    trained(&app, &["a", "b"], card(0.75, 0.5, 9, "f1")).await;
    let told = app.get("/v1/models/scenes/compare?a=1&b=2").await.expect(StatusCode::OK);
    assert_eq!((&told["a"]["reference"], &told["b"]["reference"]), (&json!("scenes@1"), &json!("scenes@2")));
    let first = json!({"name": "validation_accuracy", "a": 0.5, "b": 0.75, "difference": 0.25, "higher_is_better": true});
    assert_eq!(told["metrics"][0], first);
    assert_eq!(told["metrics"][1]["name"], "precision_at.embedding.10");
    assert_eq!(told["recipe"], json!([{"field": "epochs", "a": 3, "b": 9}]));
    assert_eq!((&told["dataset"], &told["same_dataset"]), (&json!([]), &json!(true)));
    let class = &told["per_class"][0];
    assert_eq!((&class["class"], &class["recall"]["difference"]), (&json!("a"), &json!(0.25)));
    let same = app.get("/v1/models/scenes/compare?a=1").await.expect(StatusCode::OK);
    assert_eq!(same, told, "b is the default version when not given");
}

#[tokio::test]
async fn models_of_other_names_and_classes_are_compared_as_far_as_can_be() {
    let app = TestApp::start().await;
    trained(&app, &["a", "b"], card(0.5, 0.25, 3, "f1")).await;
    app.import("other", &["b", "c"]).await;
    let told = app.get("/v1/models/scenes/compare?a=default&b=other@1").await.expect(StatusCode::OK);
    assert_eq!(told["classes"], json!({"same": false, "only_a": ["a"], "only_b": ["c"]}));
    assert_eq!((&told["per_class"], &told["same_dataset"]), (&Value::Null, &Value::Null));
    assert_eq!((&told["metrics"][0]["b"], &told["metrics"][0]["difference"]), (&Value::Null, &Value::Null));
    let refused = app.get("/v1/models/scenes/compare?a=1&b=Other!").await.broken_rule();
    assert!(refused.starts_with("/b: neither a version nor name@version"), "{refused}");
    app.get("/v1/models/scenes/compare?a=1&b=7").await.refusal(StatusCode::NOT_FOUND, "not_found");
}
