//! Settings, read once from the environment.
//!
//! The only place that reads `std::env`. Every variable is listed in [`VARIABLES`], from which the env
//! example and the README's table are generated; every problem is reported, all together.

mod cache;
mod local;
mod secret;
mod sources;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::domain::job::Queue;
use crate::domain::name::Name;

pub use cache::CacheConfig;
pub use local::{executable, temporary_dir};
pub use secret::Secret;
pub use sources::{Credentials, OWN_OPTIONS, Options, parse_source};
pub use variables::{VARIABLES, Variable, env_example, markdown_table};

/// The source that holds what users upload.
pub const UPLOADS: &str = "uploads";

/// Where the database is.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/name`.
    pub url: Secret,
    /// The most connections this process opens.
    pub max_connections: u32,
}

/// Where pictures, weights and uploads are.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    /// Weights and uploads: `file:///folder`, `s3://bucket/prefix`, `gs://..`, `az://..`.
    pub artifacts_url: Url,
    /// Declared sources by name.
    pub sources: BTreeMap<Name, Url>,
    /// Credentials, endpoints and time-outs of object stores.
    pub credentials: Credentials,
}

/// Bounds on what clients may send and pictures may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one picture.
    pub max_picture_bytes: u64,
    /// The most pixels of one picture.
    pub max_picture_pixels: u64,
    /// The most bytes of one upload or imported file of weights.
    pub max_upload_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_picture_bytes: 32 << 20, max_picture_pixels: 100_000_000, max_upload_bytes: 2 << 30 }
    }
}

/// The HTTP service.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A key with scope `admin` that is made when the database holds none yet.
    pub admin_key: Option<Secret>,
    /// Bounds on requests.
    pub limits: Limits,
    /// Whether session cookies need TLS.
    pub secure_cookies: bool,
    /// How long things are kept.
    pub retention: Retention,
    /// From how many entries on searches of a partition go through a graph; none: never.
    pub graph_from: Option<i64>,
}

/// How long finished things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Finished jobs and what hangs on them.
    pub jobs: Duration,
    /// Finished searches, whose pictures weigh most.
    pub searches: Duration,
    /// Events, for resuming streams.
    pub events: Duration,
    /// Samples of queues and devices.
    pub samples: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            jobs: Duration::from_secs(30 * DAY),
            searches: Duration::from_secs(DAY),
            events: Duration::from_secs(7 * DAY),
            samples: Duration::from_secs(DAY),
        }
    }
}

/// What runs networks forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The fastest, measured for every model when it is loaded.
    #[default]
    Auto,
    /// libtorch.
    Torch,
    /// OpenVINO, on a CPU; a model that it cannot run is refused.
    OpenVino,
}

impl std::str::FromStr for EngineChoice {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "auto" => Ok(Self::Auto),
            "torch" => Ok(Self::Torch),
            "openvino" => Ok(Self::OpenVino),
            _ => Err(()),
        }
    }
}

/// The worker process.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// What runs networks forward.
    pub engine: EngineChoice,
    /// The queues it takes jobs from.
    pub queues: Vec<Queue>,
    /// A worker not heard of for this long has lost its jobs.
    pub lease: Duration,
    /// How long a graceful stop may take.
    pub grace: Duration,
    /// Bounds on pictures.
    pub limits: Limits,
    /// The folder of decoded pictures.
    pub cache: CacheConfig,
    /// The most bytes of partitions that are held in memory; a quarter of the machine's when not set.
    pub resident_bytes: Option<u64>,
    /// Stop when standard input closes: the supervisor is gone.
    pub exit_with_parent: bool,
}

impl WorkerConfig {
    /// Settings for tests: the CPU, every queue, a short lease.
    pub fn for_testing() -> Self {
        Self {
            device: "cpu".to_owned(),
            engine: EngineChoice::Auto,
            queues: Queue::ALL.to_vec(),
            lease: Duration::from_secs(4),
            grace: Duration::from_secs(10),
            limits: Limits::default(),
            cache: CacheConfig::for_testing(),
            resident_bytes: Some(256 << 20),
            exit_with_parent: false,
        }
    }
}

/// What is written to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A tracing filter, e.g. `info,lookalike_api=debug`.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// Every problem found in the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("settings are wrong:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// The environment, with the problems met while reading it.
pub struct Environment {
    values: BTreeMap<String, String>,
    problems: Vec<String>,
    /// Sources that flags declare.
    declared: Vec<(Name, Url)>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let values = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(_, value)| !value.is_empty());
        Self::from_values(values)
    }

    /// An environment of these values, for tests and for `up`, which decides some of them itself.
    pub fn from_values(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), problems: Vec::new(), declared: Vec::new() }
    }

    /// Sets a value, replacing what the process has.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// The raw value of a listed variable, or its default.
    pub fn get(&self, name: &str) -> Option<&str> {
        let listed = VARIABLES.iter().find(|variable| variable.name == name);
        debug_assert!(listed.is_some(), "{name} is not listed in VARIABLES");
        self.values.get(name).map(String::as_str).or_else(|| listed.and_then(|variable| variable.default))
    }

    /// Ends the reading: every problem found, or none.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError(self.problems)) }
    }

    /// Reads the database's settings.
    pub fn database(&mut self, max_connections: u32) -> DatabaseConfig {
        let url = self.required("LOOKALIKE_DATABASE_URL");
        if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            self.problems.push("LOOKALIKE_DATABASE_URL must start with postgres://".to_owned());
        }
        DatabaseConfig { url: Secret::new(url), max_connections }
    }

    /// Reads the settings of the HTTP service.
    pub fn api(&mut self) -> ApiConfig {
        ApiConfig {
            listen: self.parsed("LOOKALIKE_LISTEN", "an address and port, e.g. 127.0.0.1:8080"),
            admin_key: self.get("LOOKALIKE_ADMIN_KEY").map(Secret::new),
            limits: self.limits(),
            secure_cookies: self.parsed("LOOKALIKE_SECURE_COOKIES", "true or false"),
            retention: Retention {
                jobs: self.hours("LOOKALIKE_KEEP_JOBS_HOURS"),
                searches: self.hours("LOOKALIKE_KEEP_SEARCHES_HOURS"),
                events: self.hours("LOOKALIKE_KEEP_EVENTS_HOURS"),
                samples: self.hours("LOOKALIKE_KEEP_SAMPLES_HOURS"),
            },
            graph_from: Some(self.parsed::<u32>("LOOKALIKE_GRAPH_FROM", "a number of entries, or 0"))
                .filter(|rows| *rows > 0)
                .map(i64::from),
        }
    }

    /// Reads the settings of the worker.
    pub fn worker(&mut self) -> WorkerConfig {
        let device = self.get("LOOKALIKE_DEVICE").unwrap_or("auto").to_owned();
        let known = matches!(device.as_str(), "auto" | "cpu" | "cuda")
            || device.strip_prefix("cuda:").is_some_and(|number| number.parse::<u8>().is_ok());
        if !known {
            self.problems
                .push(format!("LOOKALIKE_DEVICE is \"{device}\": auto, cpu, cuda or cuda:N expected"));
        }
        let mut queues = Vec::new();
        let names = self.get("LOOKALIKE_QUEUES").unwrap_or_default().to_owned();
        for word in names.split(',').map(str::trim) {
            match word.parse() {
                Ok(queue) => queues.push(queue),
                Err(unknown) => self.problems.push(format!("LOOKALIKE_QUEUES: {unknown}")),
            }
        }
        let lease: u64 = self.parsed("LOOKALIKE_LEASE_SECONDS", "whole seconds from 3");
        if lease < 3 {
            self.problems.push(format!("LOOKALIKE_LEASE_SECONDS is {lease}, at least 3 expected"));
        }
        let grace: u64 = self.parsed("LOOKALIKE_GRACE_SECONDS", "whole seconds");
        WorkerConfig {
            device,
            engine: self.parsed("LOOKALIKE_ENGINE", "auto, torch or openvino"),
            queues,
            lease: Duration::from_secs(lease),
            grace: Duration::from_secs(grace),
            limits: self.limits(),
            cache: self.cache(),
            resident_bytes: self.optional("LOOKALIKE_RESIDENT_BYTES", "a number of bytes"),
            exit_with_parent: self.parsed("LOOKALIKE_EXIT_WITH_PARENT", "true or false"),
        }
    }

    /// Reads what is logged.
    pub fn log(&mut self) -> LogConfig {
        let format = self.get("LOOKALIKE_LOG_FORMAT").unwrap_or("text").to_owned();
        if !matches!(format.as_str(), "text" | "json") {
            self.problems.push(format!("LOOKALIKE_LOG_FORMAT is \"{format}\": text or json expected"));
        }
        LogConfig { filter: self.get("LOOKALIKE_LOG").unwrap_or("info").to_owned(), json: format == "json" }
    }

    fn limits(&mut self) -> Limits {
        Limits {
            max_picture_bytes: self.parsed("LOOKALIKE_MAX_PICTURE_BYTES", "a number of bytes"),
            max_picture_pixels: self.parsed("LOOKALIKE_MAX_PICTURE_PIXELS", "a number of pixels"),
            max_upload_bytes: self.parsed("LOOKALIKE_MAX_UPLOAD_BYTES", "a number of bytes"),
        }
    }

    fn hours(&mut self, name: &str) -> Duration {
        let hours: u32 = self.parsed(name, "whole hours");
        Duration::from_secs(u64::from(hours) * 3_600)
    }

    fn required(&mut self, name: &str) -> String {
        let value = self.get(name).map(str::to_owned);
        if value.is_none() {
            self.problems.push(format!("{name} is not set"));
        }
        value.unwrap_or_default()
    }

    fn url(&mut self, name: &str, text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|error| {
            if !text.is_empty() {
                self.problems
                    .push(format!("{name} is no URL ({error}): file:///folder or s3://bucket expected"));
            }
            Url::parse("file:///").expect("a constant URL")
        })
    }

    fn optional<T: std::str::FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.get(name)?.to_owned();
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.problems.push(format!("{name} is \"{value}\": {expected} expected"));
        }
        parsed
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, expected: &str) -> T {
        let default = VARIABLES.iter().find(|variable| variable.name == name).and_then(|v| v.default);
        let value = self.get(name).unwrap_or_default().to_owned();
        value.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is \"{value}\": {expected} expected"));
            let default = default.and_then(|text| text.parse().ok());
            default.expect("a parsed variable has a valid default")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_values(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_defaults_are_valid() {
        let mut env = environment(&[]);
        let (api, worker, log) = (env.api(), env.worker(), env.log());
        env.finish(()).unwrap();
        assert_eq!(api.limits, Limits::default());
        assert_eq!(api.retention, Retention::default());
        assert_eq!(worker.queues, Queue::ALL);
        assert_eq!(log, LogConfig { filter: "info".to_owned(), json: false });
    }

    #[test]
    fn every_problem_is_reported_together() {
        let mut env = environment(&[
            ("LOOKALIKE_DEVICE", "tpu"),
            ("LOOKALIKE_SOURCES", "photos=ftp://x, Bad=/tmp, uploads=/tmp"),
            ("LOOKALIKE_LISTEN", "here"),
        ]);
        env.database(1);
        env.storage();
        env.api();
        env.worker();
        let ConfigError(problems) = env.finish(()).unwrap_err();
        assert_eq!(problems.len(), 7, "{problems:#?}");
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(..)");
    }
}
