use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Send, TestApp};

#[tokio::test]
async fn a_secret_is_told_once_and_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let made =
        app.post("/v1/keys", json!({"name": "nightly", "scope": "read"})).await.expect(StatusCode::CREATED);
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with(made["hint"].as_str().unwrap()), "{made}");
    assert_eq!(app.request_as(secret, Method::GET, "/v1/models").reply().await.status, StatusCode::OK);

    let listed = app.get("/v1/keys").await;
    assert!(!String::from_utf8_lossy(&listed.bytes).contains(secret));
    let listed = listed.expect(StatusCode::OK);
    let names: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["nightly", "admin"]);

    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    app.delete(&path).await.expect(StatusCode::NO_CONTENT);
    let refused = app.request_as(secret, Method::GET, "/v1/models").reply().await;
    refused.refusal(StatusCode::UNAUTHORIZED, "unauthorized");
    app.delete(&path).await.refusal(StatusCode::NOT_FOUND, "not_found");
    app.post("/v1/keys", json!({"name": "nightly", "scope": "read"})).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn only_admins_see_and_make_keys() {
    let app = TestApp::start().await;
    let made =
        app.post("/v1/keys", json!({"name": "weak", "scope": "submit"})).await.expect(StatusCode::CREATED);
    let refused = app.request_as(made["key"].as_str().unwrap(), Method::GET, "/v1/keys").reply().await;
    refused.refusal(StatusCode::FORBIDDEN, "forbidden");
    assert!(refused.json()["detail"].as_str().unwrap().contains("manage, admin"), "{}", refused.json());
}

#[tokio::test]
async fn a_key_that_breaks_rules_is_refused_by_name() {
    let app = TestApp::start().await;
    for (body, rule) in [
        (json!({"name": "A b", "scope": "read"}), "/name: \"A b\" is no valid name"),
        (json!({"name": "a", "scope": "root"}), "/scope: unknown variant `root`"),
        (json!({"name": "a"}), "/scope: missing field `scope`"),
        (json!({"name": "a", "scope": "read", "color": 1}), "/color: unknown field `color`"),
        (
            json!({"name": "a", "scope": "read", "expires_at": "2020-01-01T00:00:00Z"}),
            "/expires_at: the time has passed",
        ),
    ] {
        let told = app.post("/v1/keys", body).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    app.post("/v1/keys", json!({"name": "taken", "scope": "read"})).await.expect(StatusCode::CREATED);
    let refused = app.post("/v1/keys", json!({"name": "taken", "scope": "read"})).await;
    refused.refusal(StatusCode::CONFLICT, "conflict");
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_key_and_no_second_secret() {
    let app = TestApp::start().await;
    let ask = || app.request(Method::POST, "/v1/keys").header("idempotency-key", "k1");
    let body = json!({"name": "once", "scope": "read"});
    let first = ask().json(&body).reply().await.expect(StatusCode::CREATED);
    let again = ask().json(&body).reply().await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    let again = again.expect(StatusCode::CREATED);
    assert_eq!((&again["id"], &again["key"]), (&first["id"], &Value::Null));
    let other = ask().json(&json!({"name": "other", "scope": "read"})).reply().await;
    other.refusal(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused");
}
