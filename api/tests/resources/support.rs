//! A running service on a fresh database and an empty folder, and what tests send to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lookalike_api::startup::Application;
use lookalike_shared::config::{ApiConfig, Limits, Retention, Secret, StorageConfig};
use lookalike_shared::domain::backbone;
use lookalike_shared::storage::Storage;
use lookalike_shared::testing::TestDatabase;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

const ADMIN: &str = "the-admin-key-of-these-tests";

/// A service that listens on a port of its own. Its source `photos` is the folder [`TestApp::photos`].
pub struct TestApp {
    pub db: TestDatabase,
    folder: TempDir,
    address: SocketAddr,
    client: Client,
    stop: CancellationToken,
    _server: JoinHandle<()>,
}

/// What was answered.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("photos");
        std::fs::create_dir(&photos).unwrap();
        let storage = Storage::open(&StorageConfig {
            artifacts_url: Url::from_directory_path(folder.path().join("artifacts")).unwrap(),
            sources: [("photos".parse().unwrap(), Url::from_directory_path(&photos).unwrap())].into(),
            credentials: [].into(),
        });
        let config = ApiConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_key: Some(Secret::new(ADMIN)),
            limits,
            secure_cookies: false,
            retention: Retention::default(),
            graph_from: Some(1_000),
        };
        let db = TestDatabase::create().await;
        let app = Application::with_pool(db.pool.clone(), &config, storage.unwrap()).await.unwrap();
        let (address, stop) = (app.address(), CancellationToken::new());
        let stopping = stop.clone();
        let server = tokio::spawn(async move { app.run_until(stopping).await.unwrap() });
        Self { db, folder, address, client: Client::new(), stop, _server: server }
    }

    pub fn photos(&self) -> PathBuf {
        self.folder.path().join("photos")
    }

    pub fn artifacts(&self) -> PathBuf {
        self.folder.path().join("artifacts")
    }

    /// A request with the admin key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(ADMIN)
    }

    /// A request with another key.
    pub fn request_as(&self, key: &str, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(key)
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).reply().await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).reply().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path).json(&body).reply().await
    }

    pub async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.request(Method::PUT, path).body(body).reply().await
    }

    pub async fn post_form(&self, path: &str, form: Form) -> Reply {
        self.request(Method::POST, path).multipart(form).reply().await
    }

    /// Imports a SqueezeNet of these classes and expects that it works.
    pub async fn import(&self, name: &str, classes: &[&str]) -> Value {
        let form = import_form(name, squeezenet(classes.len())).text("classes", json!(classes).to_string());
        self.post_form("/v1/models/import", form).await.expect(StatusCode::CREATED)
    }

    /// Makes an index of that model and expects that it works; gives its generation.
    pub async fn make_index(&self, name: &str, model: &str) -> i32 {
        let made = self.post("/v1/indexes", json!({"name": name, "model": model})).await;
        made.expect(StatusCode::CREATED)["generation"].as_i64().unwrap() as i32
    }

    /// Writes a file into the source `photos`.
    pub fn photo(&self, key: &str, bytes: &[u8]) {
        write(&self.photos().join(key), bytes);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Sends a request and reads the answer whole.
pub trait Send {
    async fn reply(self) -> Reply;
}

impl Send for RequestBuilder {
    async fn reply(self) -> Reply {
        let answer = self.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Reply { status, headers, bytes: answer.bytes().await.unwrap().to_vec() }
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers)).to_str().unwrap()
    }

    /// The body, of an answer with this status.
    pub fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// A problem document of this status and code; gives its errors as `pointer: detail`.
    pub fn refusal(&self, status: StatusCode, code: &str) -> Vec<String> {
        let problem = self.expect(status);
        assert_eq!(self.header(CONTENT_TYPE.as_str()), "application/problem+json");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status.as_u16());
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        assert!(problem["request_id"].is_string(), "{problem}");
        let errors = problem["errors"].as_array().unwrap().iter();
        errors
            .map(|e| format!("{}: {}", e["pointer"].as_str().unwrap(), e["detail"].as_str().unwrap()))
            .collect()
    }

    /// The only broken rule of a 422.
    pub fn broken_rule(&self) -> String {
        let errors = self.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.into_iter().next().unwrap()
    }
}

/// The form of an import of a SqueezeNet.
pub fn import_form(name: &str, weights: Vec<u8>) -> Form {
    let file = Part::bytes(weights).file_name("weights.safetensors");
    Form::new().text("name", name.to_owned()).text("backbone", "squeezenet1_1").part("file", file)
}

/// A file of zeros that fits a SqueezeNet of so many classes.
pub fn squeezenet(classes: usize) -> Vec<u8> {
    safetensors(squeezenet_tensors(classes))
}

/// The tensors of a SqueezeNet by name.
pub fn squeezenet_tensors(classes: usize) -> Vec<(String, Vec<usize>)> {
    let parameters = backbone::by_name("squeezenet1_1").unwrap().parameters(classes);
    parameters.into_iter().map(|parameter| (parameter.name, parameter.shape)).collect()
}

/// A safetensors file of these tensors, all zero, two bytes a value.
pub fn safetensors(tensors: Vec<(String, Vec<usize>)>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.insert(name, json!({"dtype": "F16", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}

/// The start of a PNG of that size: enough for all that looks at headers only.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// Writes a file and the folders it lies in.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
