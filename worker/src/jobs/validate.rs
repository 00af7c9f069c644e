//! Reports on a labelled set of pictures before anybody trains on it.

use std::collections::HashMap;

use lookalike_shared::db::items::{NewItem, insert_items};
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::jobs::Validate;
use serde_json::json;

use crate::dataset::{self, Reader};
use crate::picture::content_hash;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Reads every picture and counts.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Validate = context.payload()?;
    let source = context.storage().get_source(&payload.source)?.clone();
    let listing = dataset::list(&source, &payload.prefix).await?;
    let mut meter = Meter::new("reading", "pictures", Some(listing.len() as u64));
    let mut readable = vec![0_u64; listing.classes.len()];
    let mut seen: HashMap<[u8; 32], u64> = HashMap::new();
    let (mut done, mut failed) = (0, 0);
    let mut reader = Reader::new(&context, source, listing.files.clone());
    while let Some(batch) = reader.next_with(|bytes, _picture| content_hash(bytes)).await? {
        let mut items = Vec::new();
        for (file, read) in batch {
            match read {
                Ok(hash) => {
                    readable[file.class] += 1;
                    *seen.entry(hash).or_default() += 1;
                }
                Err(reason) => {
                    items.push(NewItem { uri: file.uri, code: reason.code, detail: reason.detail })
                }
            }
            done += 1;
        }
        failed += items.len() as u64;
        insert_items(context.db(), context.attempt.job_id, &items).await?;
        context.progress(meter.update(context.started.elapsed().as_secs_f64(), done, failed)).await?;
    }
    let duplicates: u64 = seen.values().map(|count| count - 1).sum();
    let classes: Vec<_> = listing
        .classes
        .iter()
        .zip(&readable)
        .enumerate()
        .map(|(class, (name, readable))| {
            json!({ "class": name, "files": listing.count_of(class), "readable": readable })
        })
        .collect();
    Ok(JobOutcome::Result(json!({
        "files": listing.len(),
        "readable": readable.iter().sum::<u64>(),
        "unreadable": failed,
        "exact_duplicates": duplicates,
        "classes": classes,
    })))
}
