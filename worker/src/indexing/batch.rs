//! One batch on its way: what is known of its objects, their pictures, their vectors.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use lookalike_shared::db::gallery::{NewEntry, find_manifest};
use lookalike_shared::db::items::{NewItem, find_failed};
use rayon::prelude::*;
use serde_json::Map;
use uuid::Uuid;

use super::{Target, Work};
use crate::dataset::{Unreadable, fetch_all, picture_limits};
use crate::embedding::{Vector, embed};
use crate::inference::Priority;
use crate::picture::{Limits, content_hash, decode, prepare, thumbnail};
use crate::runtime::context::{JobContext, JobError};

/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 192;

/// A batch whose pictures are decoded.
pub struct Decoded {
    pictures: Vec<Prepared>,
    /// What failed so far.
    pub failed: Vec<NewItem>,
    /// The uris of objects that have not changed.
    pub unchanged: Vec<String>,
    /// Objects that an earlier attempt of this job has counted.
    pub counted: u64,
}

/// A batch that can be committed.
pub struct Embedded {
    /// New and changed entries, with new ids; the commit puts the old ids of known objects.
    pub entries: Vec<NewEntry>,
    /// What failed.
    pub failed: Vec<NewItem>,
    /// The uris of objects that have not changed.
    pub unchanged: Vec<String>,
}

struct Prepared {
    work: Work,
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    bytes: usize,
    content_hash: [u8; 32],
    thumbnail: Vec<u8>,
}

/// Skips what is known, fetches and decodes the rest.
pub async fn decode_batch(
    context: JobContext,
    target: Target,
    works: Vec<Work>,
) -> Result<Decoded, JobError> {
    context.check_stop()?;
    let job = context.attempt.job_id;
    let uris: Vec<String> = works.iter().map(|work| work.uri.clone()).collect();
    let known = find_manifest(context.db(), target.generation, &uris).await?;
    let known: HashMap<&str, _> = known.iter().map(|row| (row.uri.as_str(), row)).collect();
    let resumed = context.attempt.fence > 1;
    let failed: HashSet<String> = if resumed {
        find_failed(context.db(), job, &uris).await?.into_iter().collect()
    } else {
        HashSet::new()
    };

    let mut batch = Decoded { pictures: Vec::new(), failed: Vec::new(), unchanged: Vec::new(), counted: 0 };
    let mut fetch: Vec<Work> = Vec::new();
    for work in works {
        let row = known.get(work.uri.as_str());
        let same =
            row.is_some_and(|row| row.etag == work.object.etag && row.bytes as u64 == work.object.size);
        if failed.contains(&work.uri) || row.is_some_and(|row| row.seen_by == job.0) {
            batch.counted += 1;
        } else if same {
            batch.unchanged.push(work.uri);
        } else {
            fetch.push(work);
        }
    }
    read_pictures(&context, &target, fetch, &mut batch).await?;
    Ok(batch)
}

async fn read_pictures(
    context: &JobContext,
    target: &Target,
    works: Vec<Work>,
    batch: &mut Decoded,
) -> Result<(), JobError> {
    let limits = picture_limits(&context.services.limits);
    let mut by_source: HashMap<String, Vec<Work>> = HashMap::new();
    for work in works {
        let source = work.uri.split('/').next().unwrap_or_default().to_owned();
        by_source.entry(source).or_default().push(work);
    }
    for (source, works) in by_source {
        let keys: Vec<String> = works.iter().map(|work| work.object.key.clone()).collect();
        let found = source.parse().ok().and_then(|name| context.storage().find_source(&name).cloned());
        let fetched = match found {
            Some(source) => fetch_all(&source, keys, limits.max_bytes as u64).await?,
            None => keys.iter().map(|_| Err(no_source(&source))).collect(),
        };
        let size = target.model.image_size();
        let prepared = tokio::task::spawn_blocking(move || {
            works
                .into_par_iter()
                .zip(fetched)
                .map(|(work, bytes)| prepare_one(work, bytes, size, &limits))
                .collect::<Vec<_>>()
        });
        for outcome in prepared.await.map_err(|error| JobError::retry("panic", error.to_string()))? {
            match outcome {
                Ok(picture) => batch.pictures.push(picture),
                Err(item) => batch.failed.push(item),
            }
        }
    }
    Ok(())
}

fn no_source(name: &str) -> Unreadable {
    Unreadable { code: "unknown_source".to_owned(), detail: format!("there is no source \"{name}\"") }
}

fn prepare_one(
    work: Work,
    bytes: Result<Bytes, Unreadable>,
    size: u32,
    limits: &Limits,
) -> Result<Prepared, NewItem> {
    let item = |uri: &str, reason: Unreadable| NewItem {
        uri: uri.to_owned(),
        code: reason.code,
        detail: reason.detail,
    };
    let bytes = bytes.map_err(|reason| item(&work.uri, reason))?;
    let picture = decode(&bytes, limits).map_err(|error| item(&work.uri, error.into()))?;
    let thumbnail = thumbnail(&picture, THUMBNAIL_SIDE).map_err(|error| {
        item(&work.uri, Unreadable { code: "corrupt".to_owned(), detail: format!("no thumbnail: {error}") })
    })?;
    Ok(Prepared {
        pixels: prepare(&picture, size),
        width: picture.width,
        height: picture.height,
        bytes: bytes.len(),
        content_hash: content_hash(&bytes),
        thumbnail,
        work,
    })
}

/// Turns the pictures of a batch into entries.
pub async fn embed_batch(
    context: JobContext,
    target: Target,
    batch: Decoded,
) -> Result<(Embedded, u64), JobError> {
    context.check_stop()?;
    let mut pictures = batch.pictures;
    let pixels: Vec<Vec<u8>> =
        pictures.iter_mut().map(|picture| std::mem::take(&mut picture.pixels)).collect();
    let vectors = embed(&context.services.inference, &target.model, &pixels, Priority::Bulk).await?;
    let entries = pictures.into_iter().zip(vectors).map(|(picture, vector)| entry(picture, vector)).collect();
    Ok((Embedded { entries, failed: batch.failed, unchanged: batch.unchanged }, batch.counted))
}

fn entry(picture: Prepared, vector: Vector) -> NewEntry {
    let class = vector.class();
    NewEntry {
        id: Uuid::now_v7(),
        class_id: i32::try_from(class).unwrap_or_default(),
        uri: picture.work.uri,
        probabilities: vector.probabilities,
        embedding: vector.embedding,
        width: i32::try_from(picture.width).unwrap_or(i32::MAX),
        height: i32::try_from(picture.height).unwrap_or(i32::MAX),
        bytes: i64::try_from(picture.bytes).unwrap_or(i64::MAX),
        etag: picture.work.object.etag,
        content_hash: picture.content_hash,
        metadata: Map::new(),
        thumbnail: picture.thumbnail,
    }
}
