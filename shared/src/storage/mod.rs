//! Where bytes live: declared sources of pictures, and the artifacts store for weights and uploads.
//!
//! Nothing a client names may leave a source: keys are checked as relative paths without `.` and `..`, and a file of a
//! local source is read only when it lies, links followed, under the source's root. Credentials are in no error.

mod error;
mod keys;
mod names;
mod open;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use crate::config::{Credentials, StorageConfig, UPLOADS};
use crate::domain::name::Name;
use open::Opening;

pub use error::StorageError;
pub use source::{BrowsePage, ByteStream, Fetched, Folder, Listing, Object, Probe, Source, Writer};

/// Where in the artifacts store everything of a model is: deleted as a whole with the model.
pub fn model_folder(model: Uuid) -> String {
    format!("models/{model}/")
}

/// Where in the artifacts store the list of the files is that a model was trained on, as JSON Lines.
pub fn model_files_key(model: Uuid) -> String {
    format!("models/{model}/files.jsonl")
}

/// Every source by name, and the artifacts store.
#[derive(Debug, Clone)]
pub struct Storage {
    sources: Arc<BTreeMap<Name, Source>>,
    artifacts: Source,
}

impl Storage {
    /// Opens every declared source and the artifacts store. A local folder of artifacts is made; a local
    /// source must exist. Nothing is asked of object stores yet.
    ///
    /// # Errors
    /// [`StorageError::Open`] with every URL that cannot be opened, and why.
    pub fn open(config: &StorageConfig) -> Result<Self, StorageError> {
        let mut problems = Vec::new();
        let mut open = |name: &str, url: &Url| {
            let opened = open_url(name, url, &config.credentials);
            opened
                .map_err(|reason| problems.push(format!("cannot open {name}, {}: {reason}", shown(url))))
                .ok()
        };
        if config.artifacts_url.scheme() == "file"
            && let Ok(path) = config.artifacts_url.to_file_path()
        {
            // When it cannot be made, opening it tells.
            _ = std::fs::create_dir_all(&path);
        }
        let artifacts = open("artifacts", &config.artifacts_url);
        let mut sources = BTreeMap::new();
        for (name, url) in &config.sources {
            sources.extend(open(name.as_str(), url).map(|source| (name.clone(), source)));
        }
        let Some(artifacts) = artifacts.filter(|_| problems.is_empty()) else {
            return Err(StorageError::Open { problems });
        };
        let uploads: Name = UPLOADS.parse().expect("a constant name");
        sources.insert(uploads, artifacts.within(UPLOADS, UPLOADS));
        Ok(Self { sources: Arc::new(sources), artifacts })
    }

    /// The source of that name.
    pub fn find_source(&self, name: &Name) -> Option<&Source> {
        self.sources.get(name)
    }

    /// The source of that name, or an error that lists the declared ones.
    ///
    /// # Errors
    /// [`StorageError::UnknownSource`].
    pub fn get_source(&self, name: &Name) -> Result<&Source, StorageError> {
        self.find_source(name).ok_or_else(|| StorageError::UnknownSource {
            name: name.to_string(),
            declared: self.sources.keys().map(Name::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// Every source, by name.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// The source of what users upload.
    pub fn uploads(&self) -> &Source {
        self.sources.get(&UPLOADS.parse().expect("a constant name")).expect("made by open")
    }

    /// Weights and whatever else jobs keep.
    pub fn artifacts(&self) -> &Source {
        &self.artifacts
    }
}

fn open_url(name: &str, url: &Url, credentials: &Credentials) -> Result<Source, String> {
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| "no local path".to_owned())?;
        return Source::local(name, &path);
    }
    let own = name.parse().ok().and_then(|name: Name| credentials.of_source.get(&name));
    Source::bucket(name, url, Opening::new(url, &credentials.everywhere, own))
}

/// A URL without a password.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // A URL that cannot hold a password has none to hide.
    _ = shown.set_password(None);
    shown.to_string()
}
