//! What `up` is started with: flags over the environment over defaults, all problems told together.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use lookalike_shared::config::{
    self, ApiConfig, ConfigError, DatabaseConfig, Environment, LogConfig, Secret, StorageConfig, WorkerConfig,
};
use url::Url;

use crate::error::CliError;

/// Connections of the API; the worker has its own, PostgreSQL allows 100.
pub const API_CONNECTIONS: u32 = 24;

/// The flags of `up`; what is not given comes from the environment.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The data folder.
    pub data_dir: Option<PathBuf>,
    /// Where the API listens.
    pub listen: Option<String>,
    /// The worker's device.
    pub device: Option<String>,
    /// Sources beside those of the environment, `NAME=URL`.
    pub sources: Vec<String>,
    /// Whether to start no worker.
    pub no_worker: bool,
}

/// Everything that `up` needs to know.
#[derive(Debug)]
pub struct Settings {
    /// The data folder, an absolute path.
    pub data_dir: PathBuf,
    /// This program.
    pub executable: PathBuf,
    /// Where PostgreSQL may be found.
    pub postgres_dirs: Vec<PathBuf>,
    /// A database to use instead of a private one.
    pub database: Option<DatabaseConfig>,
    /// Sources and artifacts.
    pub storage: StorageConfig,
    /// The HTTP service.
    pub api: ApiConfig,
    /// The worker.
    pub worker: WorkerConfig,
    /// Whether to start one.
    pub with_worker: bool,
    /// What is logged.
    pub log: LogConfig,
}

impl Settings {
    /// Puts flags over `env`.
    ///
    /// # Errors
    /// Every problem, in one message.
    pub fn read(flags: Flags, mut env: Environment) -> Result<Self, CliError> {
        if let Some(listen) = &flags.listen {
            env.set("LOOKALIKE_LISTEN", listen);
        }
        if let Some(device) = &flags.device {
            env.set("LOOKALIKE_DEVICE", device);
        }
        for text in &flags.sources {
            env.declare_source(text);
        }
        let data_dir = flags.data_dir.unwrap_or_else(|| env.data_dir());
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        if env.get("LOOKALIKE_ARTIFACTS_URL").is_none() {
            let artifacts = Url::from_directory_path(data_dir.join("artifacts"));
            env.set("LOOKALIKE_ARTIFACTS_URL", artifacts.map(String::from).unwrap_or_default());
        }
        if env.get("LOOKALIKE_CACHE_DIR").is_none() {
            env.set("LOOKALIKE_CACHE_DIR", data_dir.join("cache").to_string_lossy());
        }
        let database = env.get("LOOKALIKE_DATABASE_URL").is_some().then(|| env.database(API_CONNECTIONS));
        let executable = config::executable().map_err(anyhow::Error::new)?;
        let settings = Self {
            postgres_dirs: env.postgres_dirs(&executable),
            data_dir,
            executable,
            database,
            storage: env.storage(),
            api: env.api(),
            worker: env.worker(),
            with_worker: !flags.no_worker,
            log: env.log(),
        };
        let mut problems = env.finish(()).err().map_or_else(Vec::new, |ConfigError(problems)| problems);
        problems.extend(missing_folders(&settings.storage));
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError(problems).into()) }
    }

    /// The settings of a private database at `url`.
    pub fn private_database(url: &Secret) -> DatabaseConfig {
        DatabaseConfig { url: url.clone(), max_connections: API_CONNECTIONS }
    }

    /// The environment of the worker, beside what it inherits.
    pub fn worker_environment(&self, database: &DatabaseConfig) -> Vec<(&'static str, Secret)> {
        vec![
            ("LOOKALIKE_DATABASE_URL", database.url.clone()),
            ("LOOKALIKE_ARTIFACTS_URL", Secret::new(self.storage.artifacts_url.as_str())),
            ("LOOKALIKE_SOURCES", Secret::new(sources_text(&self.storage))),
            ("LOOKALIKE_DEVICE", Secret::new(&self.worker.device)),
            ("LOOKALIKE_CACHE_DIR", Secret::new(self.worker.cache.folder.to_string_lossy())),
            ("LOOKALIKE_EXIT_WITH_PARENT", Secret::new("true")),
        ]
    }
}

/// Refuses an address that is taken, before anything is started.
///
/// # Errors
/// The address, and what would do.
pub fn check_address(listen: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => anyhow::bail!(
            "port {} is taken: another program listens on {listen}; choose another with --listen",
            listen.port()
        ),
        Err(error) => anyhow::bail!("cannot listen on {listen}: {error}"),
    }
}

/// The sources as `LOOKALIKE_SOURCES` names them. A comma, which separates them there, is escaped.
fn sources_text(storage: &StorageConfig) -> String {
    let lines =
        storage.sources.iter().map(|(name, url)| format!("{name}={}", url.as_str().replace(',', "%2C")));
    lines.collect::<Vec<_>>().join("\n")
}

fn missing_folders(storage: &StorageConfig) -> Vec<String> {
    let local = storage.sources.iter().filter(|(_, url)| url.scheme() == "file");
    local
        .filter_map(|(name, url)| match url.to_file_path() {
            Ok(path) if path.is_dir() => None,
            Ok(path) => Some(format!("source \"{name}\": {} is no folder", path.display())),
            Err(()) => Some(format!("source \"{name}\": {url} names no local folder")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_values(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn flags_win_over_the_environment() {
        let root = tempfile::tempdir().unwrap();
        let photos = root.path().join("a,b");
        std::fs::create_dir(&photos).unwrap();
        let env = environment(&[
            ("LOOKALIKE_LISTEN", "127.0.0.1:1"),
            ("LOOKALIKE_DEVICE", "cuda"),
            ("LOOKALIKE_SOURCES", "bucket=s3://b/p"),
        ]);
        let flags = Flags {
            data_dir: Some(root.path().join("data")),
            listen: Some("127.0.0.1:2".to_owned()),
            device: Some("cpu".to_owned()),
            sources: vec![format!("photos={}", photos.display())],
            no_worker: true,
        };
        let settings = Settings::read(flags, env).unwrap();
        assert_eq!(settings.api.listen.port(), 2);
        assert_eq!(settings.worker.device, "cpu");
        assert!(settings.database.is_none() && !settings.with_worker);
        assert!(settings.storage.artifacts_url.path().ends_with("/data/artifacts/"));
        assert_eq!(settings.worker.cache.folder, root.path().join("data/cache"));
        let text = sources_text(&settings.storage);
        let mut again =
            environment(&[("LOOKALIKE_SOURCES", &text), ("LOOKALIKE_ARTIFACTS_URL", "file:///a")]);
        assert_eq!(again.storage().sources.len(), 2, "{text}");
        again.finish(()).unwrap();
    }

    #[test]
    fn every_problem_is_told_and_is_a_matter_of_usage() {
        let flags = Flags {
            listen: Some("here".to_owned()),
            device: Some("tpu".to_owned()),
            sources: vec!["photos".to_owned(), "Bad=/tmp".to_owned()],
            ..Flags::default()
        };
        let error = Settings::read(flags, environment(&[("HOME", "/h")])).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        for part in ["\"here\"", "\"tpu\"", "\"photos\"", "\"Bad\""] {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
        let flags = Flags { sources: vec!["photos=/no/such".to_owned()], ..Flags::default() };
        let error = Settings::read(flags, environment(&[("HOME", "/h")])).unwrap_err();
        assert!(error.to_string().contains("/no/such") && error.exit_code() == 2, "{error}");
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = check_address(address).unwrap_err().to_string();
        assert!(error.contains(&format!("port {} is taken", address.port())), "{error}");
        drop(taken);
        check_address(address).unwrap();
    }
}
