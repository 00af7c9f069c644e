//! Sources and what opens them: declared by flag, environment or file, with credentials for all of them or for one.
//!
//! A source that is declared more than once is where the first of these says: a flag, `LOOKALIKE_SOURCES`, the file of
//! `LOOKALIKE_SOURCES_FILE`. Options are what object_store calls them (`aws_endpoint`, `azure_storage_sas_key`,
//! `connect_timeout`), and two of ours ([`OWN_OPTIONS`]). `AWS_*`, `GOOGLE_*` and `AZURE_*` hold for all sources,
//! `LOOKALIKE_SOURCE_<NAME>_<OPTION>` for one, over the file's. No problem names the value of an option.

use std::collections::BTreeMap;
use std::path::Path;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Environment, Secret, StorageConfig, UPLOADS};
use crate::domain::name::Name;

/// What options of one source begin with in the environment.
const OF_SOURCE: &str = "LOOKALIKE_SOURCE_";

/// Options beside object_store's: how often, and for how many milliseconds, a failed request is tried again.
pub const OWN_OPTIONS: [&str; 2] = ["max_retries", "retry_timeout_ms"];

/// Options by name, in lower case.
pub type Options = BTreeMap<String, Secret>;

/// What opens object stores: credentials, endpoints, time-outs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Of every source and of the artifacts.
    pub everywhere: Options,
    /// Of single sources; what they say wins.
    pub of_source: BTreeMap<Name, Options>,
}

impl<const N: usize> From<[(String, Secret); N]> for Credentials {
    /// Options of every source.
    fn from(options: [(String, Secret); N]) -> Self {
        Self { everywhere: options.into(), of_source: BTreeMap::new() }
    }
}

/// A source in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    url: String,
    #[serde(default)]
    options: BTreeMap<String, Value>,
}

impl Environment {
    /// Declares a source as a flag does, `NAME=URL`; it wins over those of the environment.
    pub fn declare_source(&mut self, text: &str) {
        match parse_source(text) {
            Ok(source) => self.declared.push(source),
            Err(problem) => self.problems.push(format!("--source: {problem}")),
        }
    }

    /// Reads the settings of sources and artifacts.
    pub fn storage(&mut self) -> StorageConfig {
        let text = self.required("LOOKALIKE_ARTIFACTS_URL");
        let artifacts_url = self.url("LOOKALIKE_ARTIFACTS_URL", &text);
        let (mut sources, mut of_source) = self.sources_file();
        let listed = self.get("LOOKALIKE_SOURCES").unwrap_or_default().to_owned();
        for part in listed.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            match parse_source(part) {
                Ok((name, url)) => _ = sources.insert(name, url),
                Err(problem) => self.problems.push(format!("LOOKALIKE_SOURCES: {problem}")),
            }
        }
        sources.extend(std::mem::take(&mut self.declared));
        self.options_of_sources(&sources, &mut of_source);
        for (name, options) in &of_source {
            let scheme = sources[name].scheme();
            let own = options.iter().filter(|(option, _)| OWN_OPTIONS.contains(&option.as_str()));
            let wrong = own.filter(|(_, value)| value.expose().parse::<u32>().is_err());
            let wrong = wrong.map(|(option, _)| format!("source \"{name}\": {option} is no whole number"));
            let unknown = options.keys().filter(|option| !is_option(scheme, option));
            let unknown =
                unknown.map(|option| format!("source \"{name}\": {scheme}:// has no option \"{option}\""));
            self.problems.extend(wrong.chain(unknown).collect::<Vec<_>>());
        }
        let everywhere = self
            .values
            .iter()
            .filter(|(key, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| key.starts_with(prefix)));
        let everywhere = everywhere.map(|(key, value)| (key.to_lowercase(), Secret::new(value))).collect();
        StorageConfig { artifacts_url, sources, credentials: Credentials { everywhere, of_source } }
    }

    /// The sources of the file and their options.
    fn sources_file(&mut self) -> (BTreeMap<Name, Url>, BTreeMap<Name, Options>) {
        let (mut sources, mut options) = (BTreeMap::new(), BTreeMap::new());
        let Some(path) = self.get("LOOKALIKE_SOURCES_FILE").map(str::to_owned) else {
            return (sources, options);
        };
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        // An option's value may be anything, so that no message repeats it.
        let read = text.and_then(|text| {
            serde_json::from_str::<BTreeMap<String, Declared>>(&text).map_err(|error| error.to_string())
        });
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        for (name, declared) in read.unwrap_or_else(|error| {
            self.problems.push(format!("LOOKALIKE_SOURCES_FILE: {path}: {error}"));
            BTreeMap::new()
        }) {
            let place = if is_path(&declared.url) {
                folder.join(&declared.url).display().to_string()
            } else {
                declared.url
            };
            match parse_source(&format!("{name}={place}")) {
                Err(problem) => self.problems.push(format!("LOOKALIKE_SOURCES_FILE: {problem}")),
                Ok((name, url)) => {
                    let texts = declared.options.into_iter().map(|(option, value)| {
                        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                        (option.to_lowercase(), Secret::new(text))
                    });
                    options.insert(name.clone(), texts.collect());
                    sources.insert(name, url);
                }
            }
        }
        (sources, options)
    }

    /// Puts what the environment says of single sources over what `options` hold.
    fn options_of_sources(&mut self, sources: &BTreeMap<Name, Url>, options: &mut BTreeMap<Name, Options>) {
        for (variable, value) in &self.values {
            let Some(rest) = variable.strip_prefix(OF_SOURCE) else { continue };
            let named = sources.iter().filter_map(|(name, url)| {
                let written = name.as_str().to_uppercase().replace('-', "_");
                let option = rest.strip_prefix(&written)?.strip_prefix('_')?.to_lowercase();
                is_option(url.scheme(), &option).then_some((written.len(), name, option))
            });
            // `a` may have an option whose name begins like the rest of the name `a_b`: the longer name is meant.
            let mut named: Vec<_> = named.collect();
            named.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
            match named.as_slice() {
                [] => self.problems.push(format!("{variable} names no option of a declared source")),
                [(length, first, _), (other, second, _), ..] if length == other => {
                    self.problems.push(format!("{variable} may mean the source \"{first}\" or \"{second}\""));
                }
                [(_, name, option), ..] => {
                    let of_source = options.entry((*name).clone()).or_default();
                    of_source.insert(option.clone(), Secret::new(value));
                }
            }
        }
    }
}

/// Whether stores of that scheme have that option.
fn is_option(scheme: &str, option: &str) -> bool {
    let known = match scheme {
        "s3" => option.parse::<AmazonS3ConfigKey>().is_ok(),
        "gs" => option.parse::<GoogleConfigKey>().is_ok(),
        "az" => option.parse::<AzureConfigKey>().is_ok(),
        _ => return false,
    };
    known || OWN_OPTIONS.contains(&option)
}

fn is_path(target: &str) -> bool {
    !target.contains("://")
}

/// Reads one `NAME=URL`; a plain path stands for its `file://` URL.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse_source(text: &str) -> Result<(Name, Url), String> {
    let (name, target) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is no NAME=URL, e.g. photos=file:///photos"))?;
    let name: Name = name.parse().map_err(|error| format!("{error}"))?;
    if name.as_str() == UPLOADS {
        return Err(format!("the name \"{UPLOADS}\" is taken by the built-in source"));
    }
    let url = if is_path(target) {
        let path = std::path::absolute(target).map_err(|error| format!("\"{target}\": {error}"))?;
        Url::from_directory_path(&path).map_err(|()| format!("\"{target}\" is no folder's path"))?
    } else {
        Url::parse(target).map_err(|error| format!("\"{target}\" is no URL ({error})"))?
    };
    match url.scheme() {
        "file" => Ok((name, url)),
        "s3" | "gs" | "az" if url.host_str().is_none_or(str::is_empty) => {
            Err(format!("source \"{name}\" names no bucket: {}://bucket/folder expected", url.scheme()))
        }
        "s3" | "gs" | "az" if url.password().is_some() => {
            Err(format!("source \"{name}\" has a password in its URL, which is shown: set it as an option"))
        }
        "s3" | "gs" | "az" => Ok((name, url)),
        other => Err(format!("source \"{name}\" has scheme {other}://, one of file, s3, gs, az expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConfigError;
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let artifacts = ("LOOKALIKE_ARTIFACTS_URL".to_owned(), "file:///a".to_owned());
        Environment::from_values(
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).chain([artifacts]),
        )
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_may_be_a_plain_folder() {
        let (name, url) = parse_source("photos=/srv/photos").unwrap();
        assert_eq!((name.as_str(), url.as_str()), ("photos", "file:///srv/photos/"));
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sources.json");
        let text = r#"{
            "a": {"url": "s3://file/a", "options": {"AWS_ENDPOINT": "http://file", "allow_http": true}},
            "b": {"url": "s3://file/b"}, "c": {"url": "s3://file/c"}, "d": {"url": "pictures"}
        }"#;
        std::fs::write(&file, text).unwrap();
        let mut env = environment(&[
            ("LOOKALIKE_SOURCES_FILE", file.to_str().unwrap()),
            ("LOOKALIKE_SOURCES", "b=s3://environment/b,c=s3://environment/c"),
            ("LOOKALIKE_SOURCE_A_AWS_ENDPOINT", "http://environment"),
            ("AWS_REGION", "eu"),
        ]);
        env.declare_source("c=s3://flag/c");
        let storage = env.storage();
        env.finish(()).unwrap();
        let hosts = ["a", "b", "c"].map(|n| storage.sources[&name(n)].host_str().unwrap().to_owned());
        assert_eq!(hosts, ["file", "environment", "flag"]);
        let local = storage.sources[&name("d")].to_file_path().unwrap();
        assert_eq!(local, folder.path().join("pictures"), "a path is relative to its file");
        let options = &storage.credentials.of_source[&name("a")];
        assert_eq!(options["aws_endpoint"].expose(), "http://environment");
        assert_eq!(options["allow_http"].expose(), "true");
        assert_eq!(storage.credentials.everywhere["aws_region"].expose(), "eu");
    }

    #[test]
    fn an_option_belongs_to_the_source_with_the_longer_name() {
        let mut env = environment(&[
            ("LOOKALIKE_SOURCES", "a=s3://one, a-b=az://two"),
            ("LOOKALIKE_SOURCE_A_B_AZURE_STORAGE_SAS_KEY", "sv=hush"),
            ("LOOKALIKE_SOURCE_A_BUCKET", "three"),
            ("LOOKALIKE_SOURCE_A_MAX_RETRIES", "2"),
        ]);
        let of_source = env.storage().credentials.of_source;
        env.finish(()).unwrap();
        assert_eq!(of_source[&name("a-b")].keys().collect::<Vec<_>>(), ["azure_storage_sas_key"]);
        assert_eq!(of_source[&name("a")].keys().collect::<Vec<_>>(), ["bucket", "max_retries"]);
    }

    #[test]
    fn every_problem_is_told_without_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sources.json");
        std::fs::write(
            &file,
            r#"{"f": {"url": "gs://x", "options": {"no_such": "hush"}}, "G": {"url": "s3://x"}}"#,
        )
        .unwrap();
        let mut env = environment(&[
            ("LOOKALIKE_SOURCES_FILE", file.to_str().unwrap()),
            ("LOOKALIKE_SOURCES", "a=s3://x, x-y=s3://x, x_y=s3://x, h=s3://, p=s3://u:hush@x, l=/tmp"),
            ("LOOKALIKE_SOURCE_A_AZURE_CLIENT_ID", "hush"),
            ("LOOKALIKE_SOURCE_X_Y_AWS_REGION", "hush"),
            ("LOOKALIKE_SOURCE_NOWHERE_AWS_REGION", "hush"),
            ("LOOKALIKE_SOURCE_L_TIMEOUT", "hush"),
            ("LOOKALIKE_SOURCE_A_MAX_RETRIES", "hush"),
        ]);
        env.storage();
        let ConfigError(problems) = env.finish(()).unwrap_err();
        assert_eq!(problems.len(), 9, "{problems:#?}");
        assert!(!problems.concat().contains("hush"), "{problems:#?}");
        let mut env = environment(&[("LOOKALIKE_SOURCES_FILE", "/no/such.json")]);
        env.storage();
        assert!(env.finish(()).unwrap_err().to_string().contains("/no/such.json"));
    }
}
