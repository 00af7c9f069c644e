//! One folder per class.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use lookalike_shared::storage::{Object, Source, StorageError};

/// A file of a labelled set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledFile {
    /// Its key in its source.
    pub key: String,
    /// `source/key`.
    pub uri: String,
    /// Its class's number.
    pub class: usize,
    /// Its size in bytes, as the listing told it.
    pub size: u64,
    /// What tells its versions apart, as the listing told it: the store's etag, or size and time of a local file. Empty
    /// for what cannot be a file of the source.
    pub etag: String,
}

/// A labelled set: its classes by name, and its files by class, then key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The classes, sorted; the number of a class is its position.
    pub classes: Vec<String>,
    /// The files.
    pub files: Vec<LabelledFile>,
}

impl Listing {
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files each class has.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.classes.len()];
        self.files.iter().for_each(|file| counts[file.class] += 1);
        counts
    }
}

/// Lists a labelled set: the first folder below `prefix` is the class. Files that lie directly under `prefix`,
/// and hidden ones, belong to none and are left out.
///
/// # Errors
/// [`StorageError`].
pub async fn list(source: &Source, prefix: &str) -> Result<Listing, StorageError> {
    let base = prefix.trim_matches('/');
    let mut by_class: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    let mut objects = source.list(prefix)?;
    while let Some(object) = objects.try_next().await? {
        if let Some(class) = class_of_key(base, &object.key) {
            by_class.entry(class.to_owned()).or_default().push(object);
        }
    }
    let mut files = Vec::new();
    for (class, objects) in by_class.values_mut().enumerate() {
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        files.extend(objects.drain(..).map(|object| LabelledFile {
            uri: format!("{}/{}", source.name(), object.key),
            key: object.key,
            class,
            size: object.size,
            etag: object.etag,
        }));
    }
    Ok(Listing { classes: by_class.into_keys().collect(), files })
}

fn class_of_key<'a>(base: &str, key: &'a str) -> Option<&'a str> {
    let below = if base.is_empty() { key } else { key.strip_prefix(base)?.strip_prefix('/')? };
    let (class, file) = below.split_once('/')?;
    let hidden = class.starts_with('.') || file.rsplit('/').next().unwrap_or(file).starts_with('.');
    (!hidden).then_some(class)
}

/// The class that the folder of a picture names, if it is one of `classes`: the true class of a labelled
/// gallery's entries.
pub fn class_of_uri(uri: &str, classes: &[String]) -> Option<usize> {
    let mut folders = uri.rsplit('/').skip(1);
    folders.find_map(|folder| classes.iter().position(|class| class == folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_is_the_class() {
        assert_eq!(class_of_key("train", "train/cat/1.jpg"), Some("cat"));
        assert_eq!(class_of_key("", "cat/sub/1.jpg"), Some("cat"));
        assert_eq!(class_of_key("train", "train/1.jpg"), None);
        assert_eq!(class_of_key("train", "training/cat/1.jpg"), None);
        assert_eq!(class_of_key("", "cat/.DS_Store"), None);
        assert_eq!(class_of_key("", ".git/x"), None);
    }

    #[test]
    fn the_nearest_folder_that_is_a_class_counts() {
        let classes = ["cat".to_owned(), "dog".to_owned()];
        assert_eq!(class_of_uri("photos/gallery/dog/1.jpg", &classes), Some(1));
        assert_eq!(class_of_uri("photos/cat/dog/x/1.jpg", &classes), Some(1));
        assert_eq!(class_of_uri("photos/dog.jpg", &classes), None);
    }
}
