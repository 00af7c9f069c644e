//! One running service and a client for it.

use std::time::Duration;

use lookalike_api::feed::EventFeed;
use lookalike_api::startup::{ApiSettings, Application};
use lookalike_shared::config::{ApiConfig, DatabaseConfig, Limits, Retention, Secret, StorageConfig};
use lookalike_shared::db::PgPool;
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::{TestDatabase, a_key};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The first admin key of every test.
pub const ADMIN: &str = "lka_the-first-admin-key-of-these-tests";
/// Longer than anything here takes; a test that waits so long has failed.
pub const LONG: Duration = Duration::from_secs(20);

/// A service that stops when this goes.
pub struct TestApp {
    /// Where it listens, `http://127.0.0.1:port`.
    pub url: String,
    /// The database behind it.
    pub database: TestDatabase,
    /// What the service knows of waiting requests.
    pub feed: EventFeed,
    client: Client,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl TestApp {
    /// Starts a service on a fresh database.
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let config = database.config(8);
        Self::start_on(database, config).await
    }

    /// Starts a service that reaches `database` as `config` says.
    pub async fn start_on(database: TestDatabase, config: DatabaseConfig) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings(config, &folder);
        let app = Application::build(settings).await.expect("the service starts");
        let url = format!("http://{}", app.address());
        let feed = app.state().feed.clone();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let running = tokio::spawn(async move { app.run_until(until).await.expect("the service runs") });
        let client = Client::builder().connect_timeout(LONG).build().expect("a client");
        Self { url, database, feed, client, stop, running: Some(running), _folder: folder }
    }

    /// Starts another service on the same database; it stops when what is given goes.
    pub async fn start_beside(&self) -> (tokio_util::sync::DropGuard, TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let app = Application::build(settings(self.database.config(8), &folder)).await.expect("it starts");
        let stop = CancellationToken::new();
        tokio::spawn(app.run_until(stop.clone()));
        (stop.drop_guard(), folder)
    }

    /// Tells the service to stop and waits until it has.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            tokio::time::timeout(LONG, running).await.expect("it stops in time").expect("it does not panic");
        }
    }

    /// The database.
    pub fn db(&self) -> &PgPool {
        &self.database.pool
    }

    /// A request of the admin.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(ADMIN)
    }

    /// A request without a key.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// GET as the admin.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// POST as the admin.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// The secret of a key of that scope; it is called like its scope.
    pub async fn key(&self, scope: Scope) -> &'static str {
        a_key(self.db(), scope.as_str(), scope).await;
        scope.as_str()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Settings of a service in `folder` on a free port.
pub fn settings(database: DatabaseConfig, folder: &TempDir) -> ApiSettings {
    ApiSettings {
        api: ApiConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            admin_key: Some(Secret::new(ADMIN)),
            limits: Limits::default(),
            secure_cookies: false,
            retention: Retention::default(),
            graph_from: Some(1_000),
        },
        database,
        storage: StorageConfig {
            artifacts_url: Url::from_directory_path(folder.path()).expect("an absolute path"),
            sources: Default::default(),
            credentials: Default::default(),
        },
        migrate: true,
    }
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body: JSON, or text as a JSON string, or null.
    pub body: Value,
    headers: reqwest::header::HeaderMap,
}

impl Answer {
    /// Sends and reads.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.timeout(LONG).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        let body =
            serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { text.into() });
        Self { status, body, headers }
    }

    /// A header's text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts a problem of this status and code, whole and of this answer.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.body["code"], code, "{self:?}");
        assert_eq!(self.body["type"], format!("/problems/{code}"), "{self:?}");
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{self:?}");
        for field in ["title", "detail", "instance"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {self:?}");
        }
        assert!(self.body["errors"].is_array(), "{self:?}");
    }

    /// The pointers of a problem's errors.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}
