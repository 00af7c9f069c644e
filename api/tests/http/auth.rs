//! Who gets in, and how far.

use lookalike_shared::db::keys;
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::a_key;
use reqwest::Method;
use serde_json::json;

use crate::app::{ADMIN, Answer, TestApp};

#[tokio::test]
async fn every_route_under_v1_refuses_a_caller_without_a_key() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.body;
    let paths = document["paths"].as_object().unwrap();
    let mut asked = 0;
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/") && *path != "/v1/session") {
        for method in item.as_object().unwrap().keys() {
            let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
            let path = path.replace("{id}", "018f3b1e-0000-7000-8000-000000000000").replace(['{', '}'], "");
            let answer = Answer::of(app.anonymous(method.clone(), &path)).await;
            answer.assert_problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[tokio::test]
async fn unknown_keys_and_other_schemes_are_refused() {
    let app = TestApp::start().await;
    for value in ["Bearer nobody", "Bearer ", "Basic YTpi", "lka_x"] {
        let request = app.anonymous(Method::GET, "/v1/me").header("authorization", value);
        Answer::of(request).await.assert_problem(401, "unauthorized");
    }
    let request = app.anonymous(Method::GET, "/v1/me").header("authorization", format!("bearer {ADMIN}"));
    assert_eq!(Answer::of(request).await.status, 200);
}

#[tokio::test]
async fn me_tells_name_scopes_and_expiry() {
    let app = TestApp::start().await;
    let answer = app.get("/v1/me").await;
    let expected = json!({"name": "admin", "scope": "admin", "scopes": ["read", "submit", "manage", "admin"], "expires_at": null});
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_refusal_lists_every_missing_scope() {
    let app = TestApp::start().await;
    let key = app.key(Scope::Read).await;
    let request = app.anonymous(Method::POST, "/v1/queues/search/pause").bearer_auth(key);
    let answer = Answer::of(request).await;
    answer.assert_problem(403, "forbidden");
    assert_eq!(answer.body["missing_scopes"], json!(["submit", "manage"]));
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("submit, manage"), "{detail}");
}

#[tokio::test]
async fn a_scope_is_checked_before_the_body_is_read() {
    let app = TestApp::start().await;
    let key = app.key(Scope::Read).await;
    let request = app.anonymous(Method::POST, "/v1/jobs/bulk").bearer_auth(key).body("no json");
    Answer::of(request).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn bulk_deletion_needs_more_than_bulk_cancellation() {
    let app = TestApp::start().await;
    let key = app.key(Scope::Submit).await;
    let bulk = |action: &str| {
        let body = json!({"action": action, "filter": {}});
        app.anonymous(Method::POST, "/v1/jobs/bulk").bearer_auth(key).json(&body)
    };
    assert_eq!(Answer::of(bulk("cancel")).await.status, 200);
    Answer::of(bulk("delete")).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_a_process_that_just_believed_it() {
    let app = TestApp::start().await;
    let id = a_key(app.db(), "short-lived", Scope::Read).await;
    let me = || Answer::of(app.anonymous(Method::GET, "/v1/me").bearer_auth("short-lived"));
    assert_eq!(me().await.status, 200);
    assert_eq!(Answer::of(app.request(Method::DELETE, &format!("/v1/keys/{id}"))).await.status, 204);
    me().await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_key_that_expired_is_refused() {
    let app = TestApp::start().await;
    let hash = lookalike_api::auth::hash("expired");
    let key = keys::NewKey {
        id: uuid::Uuid::now_v7(),
        name: &"expired".parse().unwrap(),
        hash: &hash,
        hint: "exp",
        scope: Scope::Admin,
        expires_at: Some(chrono::Utc::now() - chrono::Duration::seconds(1)),
    };
    keys::insert_key(app.db(), &key).await.unwrap();
    Answer::of(app.anonymous(Method::GET, "/v1/me").bearer_auth("expired"))
        .await
        .assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_browser_session_stands_for_its_key_until_it_ends() {
    let app = TestApp::start().await;
    let request = app.anonymous(Method::POST, "/v1/session").json(&json!({"key": ADMIN}));
    let answer = Answer::of(request).await;
    assert_eq!((answer.status.as_u16(), &answer.body["scope"]), (200, &json!("admin")));
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["lookalike_session=lks_", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let me = || Answer::of(app.anonymous(Method::GET, "/v1/me").header("cookie", cookie));
    assert_eq!(me().await.status, 200);
    let end = app.anonymous(Method::DELETE, "/v1/session").header("cookie", cookie);
    let ended = Answer::of(end).await;
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{ended:?}");
    me().await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_session_needs_a_working_key() {
    let app = TestApp::start().await;
    let request = app.anonymous(Method::POST, "/v1/session").json(&json!({"key": "lka_wrong"}));
    let answer = Answer::of(request).await;
    answer.assert_problem(401, "unauthorized");
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_use_a_session() {
    let app = TestApp::start().await;
    let answer = Answer::of(app.anonymous(Method::POST, "/v1/session").json(&json!({"key": ADMIN}))).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    let pause = |site: &str| {
        let request = app.anonymous(Method::POST, "/v1/queues/search/pause");
        Answer::of(request.header("cookie", cookie).header("sec-fetch-site", site))
    };
    pause("same-site").await.assert_problem(403, "forbidden");
    pause("cross-site").await.assert_problem(403, "forbidden");
    assert_eq!(pause("same-origin").await.status, 200);
}
