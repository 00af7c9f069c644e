//! Sources against servers of the real protocols: what is listed and read, whatever it is called, and what is told of
//! what cannot be read.
//!
//! S3 is served in this process, Azure by its emulator; faults are put between by a proxy. Sources are declared as an
//! operator declares them, in an environment.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod azure;
mod faults;
mod local;
mod names;
mod s3;

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt;
use lookalike_shared::storage::{Object, Source};
use lookalike_tests::{Remote, open_source};

/// No picture of a test is larger.
const LIMIT: u64 = 1 << 20;

/// The source `photos` at `url`, with these variables in the environment.
fn source_at(url: &str, variables: Vec<(String, String)>) -> Source {
    open_source(url, variables).unwrap()
}

/// The bucket as a source. Time-outs are short, so that a test of one is.
fn source_of(remote: &Remote) -> Source {
    let short = remote.clone().set("connect_timeout", "500 ms").set("retry_timeout_ms", "20000");
    let short =
        if remote.options.contains_key("read_timeout") { short } else { short.set("read_timeout", "400 ms") };
    source_at(&remote.url, short.environment("photos"))
}

/// Everything below a prefix, by key.
async fn list(source: &Source, prefix: &str) -> BTreeMap<String, Object> {
    let objects: Vec<Object> = source.list(prefix).unwrap().try_collect().await.unwrap();
    objects.into_iter().map(|object| (object.key.clone(), object)).collect()
}

/// Writes a file with the folders above it.
fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
