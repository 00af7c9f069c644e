//! Where bytes live: declared sources of pictures, and the artifacts store for weights and uploads.
//!
//! Nothing a client names may leave a source: keys are parsed as relative paths without `.` and `..`, and a
//! key of a local source must resolve, links followed, to a file under the source's root.

mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;
use uuid::Uuid;

use crate::config::{Secret, StorageConfig, UPLOADS};
use crate::domain::name::Name;

pub use source::{ByteStream, Folder, Listing, Object, Source, StorageError, Writer};

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
    /// source must exist.
    ///
    /// # Errors
    /// The first URL that cannot be opened, with the reason.
    pub fn open(config: &StorageConfig) -> Result<Self, StorageError> {
        if config.artifacts_url.scheme() == "file"
            && let Ok(path) = config.artifacts_url.to_file_path()
        {
            std::fs::create_dir_all(&path)
                .map_err(|error| StorageError::open(&config.artifacts_url, error.to_string()))?;
        }
        let artifacts = open_url("artifacts", &config.artifacts_url, &config.credentials)?;
        let uploads: Name = UPLOADS.parse().expect("a constant name");
        let mut sources = BTreeMap::from([(uploads, artifacts.within(UPLOADS, UPLOADS))]);
        for (name, url) in &config.sources {
            sources.insert(name.clone(), open_url(name.as_str(), url, &config.credentials)?);
        }
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

fn open_url(name: &str, url: &Url, credentials: &BTreeMap<String, Secret>) -> Result<Source, StorageError> {
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| StorageError::open(url, "no local path".to_owned()))?;
        return Source::local(name, &path);
    }
    let options = credentials.iter().map(|(key, value)| (key.clone(), value.expose().to_owned()));
    let (store, prefix) = object_store::parse_url_opts(url, options)
        .map_err(|error| StorageError::open(url, error.to_string()))?;
    Ok(Source::remote(name, Arc::from(store as Box<dyn ObjectStore>), prefix, url))
}

/// A key below `prefix`, both parsed.
fn join(prefix: &Path, key: &str) -> Result<Path, object_store::path::Error> {
    let below = Path::parse(key)?;
    Ok(prefix.parts().chain(below.parts()).collect())
}
