//! A bucket that a source may be, as settings name it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use anyhow::{Context, Result};
use lookalike_shared::config::Environment;
use lookalike_shared::storage::{Source, Storage};

/// A bucket: where it is, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its URL, `s3://..` or `az://..`.
    pub url: String,
    /// Its options, as object_store names them.
    pub options: BTreeMap<String, String>,
    /// The option that holds its endpoint.
    pub(crate) endpoint: &'static str,
}

impl Remote {
    /// The same with an option set.
    #[must_use]
    pub fn set(mut self, option: &str, value: &str) -> Self {
        self.options.insert(option.to_owned(), value.to_owned());
        self
    }

    /// The same with another folder of the bucket.
    #[must_use]
    pub fn folder(mut self, folder: &str) -> Self {
        self.url = format!("{}/{folder}", self.url.trim_end_matches('/'));
        self
    }

    /// The same asked through a proxy at `address`.
    #[must_use]
    pub fn through(mut self, address: SocketAddr) -> Self {
        let endpoint = self.options.get(self.endpoint).cloned().unwrap_or_default();
        let path = endpoint.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let path = path.map_or(String::new(), |(_, path)| format!("/{path}"));
        self.options.insert(self.endpoint.to_owned(), format!("http://{address}{path}"));
        self
    }

    /// Where its server listens.
    ///
    /// # Errors
    /// When its endpoint is no address with a port.
    pub fn address(&self) -> Result<SocketAddr> {
        let endpoint = self.options.get(self.endpoint).context("it has an endpoint")?;
        Ok(endpoint.split('/').nth(2).context("an endpoint is a URL")?.parse()?)
    }

    /// The bucket as this process reads and writes it.
    ///
    /// # Errors
    /// As [`open_source`].
    pub fn open(&self) -> Result<Source> {
        open_source(&self.url, self.environment("photos"))
    }

    /// The environment that gives these options to the source of that name.
    pub fn environment(&self, source: &str) -> Vec<(String, String)> {
        let name = source.to_uppercase().replace('-', "_");
        let variable = |option: &String| format!("LOOKALIKE_SOURCE_{name}_{}", option.to_uppercase());
        self.options.iter().map(|(option, value)| (variable(option), value.clone())).collect()
    }
}

/// The source `photos` at `url`, declared as an operator declares it, with these variables in the environment.
///
/// # Errors
/// When a variable is unknown or wrong.
pub fn open_source(url: &str, variables: Vec<(String, String)>) -> Result<Source> {
    let artifacts = tempfile::tempdir()?;
    let url = url.replace(',', "%2C");
    let declared = [
        ("LOOKALIKE_ARTIFACTS_URL".to_owned(), format!("file://{}", artifacts.path().display())),
        ("LOOKALIKE_SOURCES".to_owned(), format!("photos={url}")),
    ];
    let mut environment = Environment::from_values(variables.into_iter().chain(declared));
    let config = environment.storage();
    let config = environment.finish(config)?;
    Ok(Storage::open(&config)?.get_source(&"photos".parse()?)?.clone())
}

/// A password that no other test has.
pub(crate) fn secret() -> String {
    let part = |number: u8| format!("{:016x}", RandomState::new().hash_one(number));
    part(0) + &part(1)
}
