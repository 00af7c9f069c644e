//! From a URL and its options to an open object store.
//!
//! Credentials of a source replace those of all sources as a whole, so that an identity is never made of two halves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::error::reason_of;
use super::names::Connector;
use crate::config::{OWN_OPTIONS, Options};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest that a server may send nothing, before its answer and within it.
const READ: Duration = Duration::from_secs(20);
/// How often a request is tried again, and until when since its first try.
const RETRIES: usize = 8;
const RETRY_MS: u64 = 60_000;
/// The same for who wants to know soon whether a store answers.
const IMPATIENT: (usize, u64, Duration) = (1, 3_000, Duration::from_secs(4));

/// The key that every Azure emulator has, as Microsoft documents it.
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";

/// Options that say who asks, as object_store calls them first.
const IDENTITY: [&str; 22] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_web_identity_token_file",
    "aws_role_arn",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_skip_signature",
    "google_service_account",
    "google_service_account_key",
    "google_application_credentials",
    "google_bearer_token",
    "google_skip_signature",
    "azure_storage_account_key",
    "azure_storage_client_id",
    "azure_storage_client_secret",
    "azure_storage_sas_key",
    "azure_storage_token",
    "azure_federated_token_file",
    "azure_use_azure_cli",
    "azure_skip_signature",
    "azure_storage_use_emulator",
];

/// How long a store is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as its options say.
    Usual,
    /// A few seconds.
    Little,
}

/// A store of objects, and what its pages are asked with.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) pages: Arc<dyn PaginatedListStore>,
}

impl fmt::Debug for Bucket {
    /// object_store would tell who asks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bucket(..)")
    }
}

/// What a bucket is opened with.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    url: Url,
    everywhere: Options,
    own: Options,
}

impl Opening {
    pub(super) fn new(url: &Url, everywhere: &Options, own: Option<&Options>) -> Self {
        Self { url: url.clone(), everywhere: everywhere.clone(), own: own.cloned().unwrap_or_default() }
    }

    /// Opens it, and gives the folder in it that the URL names. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the URL or an option, without credentials.
    pub(super) fn open(&self, patience: Patience) -> Result<(Bucket, Path), String> {
        let told = |error: object_store::Error| self.redact(&reason_of(&error));
        let prefix = Path::from_url_path(self.url.path()).map_err(|error| error.to_string())?;
        let (retry, client) = self.patience(patience)?;
        let url = self.url.as_str();
        let bucket = match self.url.scheme() {
            "s3" => {
                let builder = AmazonS3Builder::new().with_url(url).with_client_options(client);
                let builder = builder.with_retry(retry).with_http_connector(Connector::default());
                let options = self.options::<AmazonS3ConfigKey>();
                let builder = options.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value));
                bucket(builder.build().map_err(told)?)
            }
            "gs" => {
                // As object_store has it for this store: its emulators speak plain HTTP.
                let client = client.with_allow_http(true);
                let builder = GoogleCloudStorageBuilder::new().with_url(url).with_client_options(client);
                let builder = builder.with_retry(retry).with_http_connector(Connector::default());
                let options = self.options::<GoogleConfigKey>();
                let builder = options.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value));
                bucket(builder.build().map_err(told)?)
            }
            "az" => {
                let builder = MicrosoftAzureBuilder::new().with_url(url).with_client_options(client);
                let builder = builder.with_retry(retry).with_http_connector(Connector::default());
                let options = emulated(self.options::<AzureConfigKey>());
                let builder = options.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value));
                bucket(builder.build().map_err(told)?)
            }
            other => return Err(format!("{other}:// is no scheme of a source")),
        };
        Ok((bucket, prefix))
    }

    /// Takes every credential out of a text.
    pub(super) fn redact(&self, text: &str) -> String {
        let is_secret =
            |name: &str| ["secret", "key", "token", "sas", "proxy"].iter().any(|part| name.contains(part));
        let options = self.everywhere.iter().chain(&self.own).filter(|(name, _)| is_secret(name));
        // What is that short would take harmless words along.
        let secrets = options.map(|(_, value)| value.expose()).filter(|value| value.len() >= 4);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "(hidden)"))
    }

    fn patience(&self, patience: Patience) -> Result<(RetryConfig, ClientOptions), String> {
        let own = |option: &str, default: u64| match self.own.get(option).map(|value| value.expose().parse())
        {
            None => Ok(default),
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(format!("option {option} is no whole number")),
        };
        let [retries, timeout] = OWN_OPTIONS;
        let retries = usize::try_from(own(retries, RETRIES as u64)?).unwrap_or(RETRIES);
        let timeout = own(timeout, RETRY_MS)?;
        let (retries, timeout, read) = match patience {
            Patience::Usual => (retries, timeout, READ),
            Patience::Little => (retries.min(IMPATIENT.0), timeout.min(IMPATIENT.1), IMPATIENT.2),
        };
        let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
        let retry =
            RetryConfig { backoff, max_retries: retries, retry_timeout: Duration::from_millis(timeout) };
        // No bound on a whole answer: what is large takes long.
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled()
            .with_read_timeout(read);
        Ok((retry, client))
    }

    /// The options that this kind of store has, each once: those of the source over those of all.
    fn options<K: std::str::FromStr + AsRef<str>>(&self) -> Vec<(K, String)> {
        let parsed = |options: &Options| {
            let pairs = options.iter();
            pairs
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.expose().to_owned())))
                .collect::<Vec<(K, String)>>()
        };
        let own = parsed(&self.own);
        let is_identity = |key: &K| IDENTITY.contains(&key.as_ref());
        let own_identity = own.iter().any(|(key, _)| is_identity(key));
        let own_endpoint = own.iter().any(|(key, _)| key.as_ref().contains("endpoint"));
        let mut all = parsed(&self.everywhere);
        all.retain(|(key, _)| {
            !(own_identity && is_identity(key) || own_endpoint && key.as_ref().contains("endpoint"))
        });
        all.extend(own);
        all
    }
}

fn bucket<S: ObjectStore + PaginatedListStore>(store: S) -> Bucket {
    let store = Arc::new(store);
    Bucket { store: store.clone(), pages: store }
}

/// An emulator at an endpoint of its own: object_store looks for emulators in one place only.
fn emulated(options: Vec<(AzureConfigKey, String)>) -> Vec<(AzureConfigKey, String)> {
    let value = |wanted: AzureConfigKey| {
        options.iter().rev().find(|(key, _)| *key == wanted).map(|(_, value)| value.clone())
    };
    let is_emulator =
        value(AzureConfigKey::UseEmulator).is_some_and(|value| matches!(value.as_str(), "true" | "1"));
    let (true, Some(endpoint)) = (is_emulator, value(AzureConfigKey::Endpoint)) else { return options };
    let account = value(AzureConfigKey::AccountName).unwrap_or_else(|| EMULATOR_ACCOUNT.to_owned());
    // An emulator has the account in the path and not in the host.
    let endpoint = endpoint.trim_end_matches('/').trim_end_matches(&format!("/{account}")).to_owned();
    let has_credentials = [AzureConfigKey::AccessKey, AzureConfigKey::SasKey, AzureConfigKey::Token];
    let has_credentials = has_credentials.into_iter().any(|key| value(key).is_some());
    let replaced = [AzureConfigKey::UseEmulator, AzureConfigKey::Endpoint, AzureConfigKey::AccountName];
    let mut kept: Vec<_> = options.into_iter().filter(|(key, _)| !replaced.contains(key)).collect();
    kept.push((AzureConfigKey::Endpoint, format!("{endpoint}/{account}")));
    kept.push((AzureConfigKey::AccountName, account));
    kept.push((AzureConfigKey::Client(ClientConfigKey::AllowHttp), "true".to_owned()));
    if !has_credentials {
        kept.push((AzureConfigKey::AccessKey, EMULATOR_KEY.to_owned()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    fn opening(url: &str, everywhere: &[(&str, &str)], own: &[(&str, &str)]) -> Opening {
        Opening::new(&Url::parse(url).unwrap(), &options(everywhere), Some(&options(own)))
    }

    #[test]
    fn every_scheme_opens_with_its_folder() {
        let azure = [("azure_storage_account_name", "acc"), ("azure_storage_account_key", "aGk=")];
        for (url, own) in
            [("s3://b/a%20b/c/", &[][..]), ("gs://b/a%20b/c", &[][..]), ("az://b/a%20b/c", &azure)]
        {
            let (_, prefix) = opening(url, &[("aws_region", "x")], own).open(Patience::Usual).unwrap();
            assert_eq!(prefix.as_ref(), "a b/c", "{url}");
        }
        let error = opening("az://b", &[], &[]).open(Patience::Usual).unwrap_err();
        assert!(error.to_lowercase().contains("account"), "{error}");
    }

    #[test]
    fn an_identity_is_of_one_piece() {
        let everywhere = [
            ("aws_access_key_id", "all"),
            ("aws_secret_access_key", "all"),
            ("aws_session_token", "all"),
            ("aws_region", "all"),
            ("aws_endpoint_url_s3", "http://all"),
        ];
        let own = [("access_key_id", "own"), ("secret_access_key", "own"), ("aws_endpoint", "http://own")];
        let told = opening("s3://b", &everywhere, &own).options::<AmazonS3ConfigKey>();
        let values: Vec<_> = told.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["all", "own", "http://own", "own"], "only the region is that of all");
        assert_eq!(opening("s3://b", &everywhere, &[]).options::<AmazonS3ConfigKey>().len(), 5);
    }

    #[test]
    fn identities_are_named_as_object_store_does() {
        for name in IDENTITY {
            let told = match name.split_once('_').unwrap().0 {
                "aws" => name.parse::<AmazonS3ConfigKey>().unwrap().as_ref().to_owned(),
                "google" => name.parse::<GoogleConfigKey>().unwrap().as_ref().to_owned(),
                _ => name.parse::<AzureConfigKey>().unwrap().as_ref().to_owned(),
            };
            assert_eq!(told, name);
        }
    }

    #[test]
    fn an_emulator_may_be_anywhere() {
        let pairs = [
            ("azure_storage_use_emulator", "true"),
            ("azure_endpoint", "http://127.0.0.1:1/devstoreaccount1"),
        ];
        let told = emulated(opening("az://b", &[], &pairs).options());
        let value = |wanted| &told.iter().find(|(key, _)| *key == wanted).unwrap().1;
        assert_eq!(value(AzureConfigKey::Endpoint), "http://127.0.0.1:1/devstoreaccount1");
        assert_eq!(value(AzureConfigKey::AccessKey), EMULATOR_KEY);
        opening("az://b", &[], &pairs).open(Patience::Little).unwrap();
    }

    #[test]
    fn credentials_leave_no_trace() {
        let opening =
            opening("s3://b", &[("aws_secret_access_key", "wJalrXUtnFEMI")], &[("aws_region", "eu")]);
        assert_eq!(opening.redact("bad key wJalrXUtnFEMI of eu"), "bad key (hidden) of eu");
        assert!(!format!("{opening:?}").contains("wJalr"));
    }
}
