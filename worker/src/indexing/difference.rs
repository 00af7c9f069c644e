//! A dry run: what an index job would do, told without doing it.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{BoxStream, TryStreamExt};
use lookalike_shared::domain::progress::Meter;
use lookalike_shared::storage::StorageError;
use serde_json::{Value, json};

use super::plan::plan;
use super::seen::Seen;
use super::{Target, Work};
use crate::runtime::context::{JobContext, JobError, PROGRESS_INTERVAL};

/// Uris that are named of each kind.
const EXAMPLES: usize = 100;

/// Objects of one kind: how many, and the first of them.
#[derive(Default)]
struct Kind {
    count: u64,
    examples: Vec<String>,
}

impl Kind {
    fn add(&mut self, uri: String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(uri);
        }
    }
}

/// Compares the objects of the stream with the manifest; `followed` is the uri prefix and the horizon below which what is
/// not listed would be removed.
///
/// # Errors
/// [`JobError`].
pub async fn difference(
    context: &JobContext,
    target: &Target,
    objects: BoxStream<'static, Result<Work, StorageError>>,
    followed: Option<(&str, i64)>,
) -> Result<Value, JobError> {
    let seen = Arc::new(Seen::default());
    let (mut added, mut updated, mut removed) = (Kind::default(), Kind::default(), Kind::default());
    let mut unchanged = 0;
    let mut meter = Meter::new("comparing", "pictures", None);
    let mut shown = Instant::now();
    let mut plans = plan(context.clone(), target.clone(), seen.clone(), objects);
    while let Some(plan) = plans.try_next().await? {
        context.check_stop()?;
        unchanged += plan.unchanged;
        for todo in plan.todo {
            let kind = if todo.known.is_some() { &mut updated } else { &mut added };
            kind.add(todo.work.uri);
        }
        if shown.elapsed() >= PROGRESS_INTERVAL {
            shown = Instant::now();
            let done = unchanged + added.count + updated.count;
            context.progress(meter.update(context.started.elapsed().as_secs_f64(), done, 0)).await?;
        }
    }
    if let Some((prefix, horizon)) = followed {
        let (db, generation, mut after) = (context.db(), target.generation, String::new());
        while let Some(missed) = seen.next_missed(db, generation, prefix, horizon, &mut after).await? {
            context.check_stop()?;
            missed.into_iter().for_each(|row| removed.add(row.uri));
        }
    }
    Ok(json!({
        "dry_run": true,
        "index": target.index,
        "generation": target.generation,
        "model": target.model.row.reference(),
        "listed": unchanged + added.count + updated.count,
        "added": added.count,
        "updated": updated.count,
        "unchanged": unchanged,
        "removed": removed.count,
        "failed": 0,
        "examples": { "added": added.examples, "updated": updated.examples, "removed": removed.examples },
        "seconds": context.started.elapsed().as_secs_f64(),
    }))
}
