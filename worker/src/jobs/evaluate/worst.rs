//! The queries that were answered worst, with what was found instead.

use lookalike_shared::domain::job::JobId;
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::Source;
use serde_json::{Value, json};

use super::judge::{Judged, true_class};
use crate::dataset::picture_limits;
use crate::models::StoredModel;
use crate::picture::{THUMBNAIL_SIDE, content_hash, decode, thumbnail};
use crate::runtime::context::JobContext;

/// How many are kept.
const KEPT: usize = 20;

/// A number that puts files of all folders in one order, the same every time: those that are equally bad are to be of many
/// classes.
fn mixed(uri: &str) -> u64 {
    let digest = content_hash(uri.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The worst so far, the worst of all first.
#[derive(Default)]
pub struct Worst {
    queries: Vec<Judged>,
}

impl Worst {
    pub fn add(&mut self, queries: Vec<Judged>) {
        self.queries.extend(queries);
        self.queries.sort_by(|a, b| {
            let ties = || mixed(&a.file.uri).cmp(&mixed(&b.file.uri));
            a.average_precision().total_cmp(&b.average_precision()).then_with(ties)
        });
        self.queries.truncate(KEPT);
    }

    /// A small JPEG of each; none of those that cannot be read again, as when they have left their source meanwhile.
    pub async fn thumbnails(&self, context: &JobContext, source: &Source) -> Vec<Option<Vec<u8>>> {
        let limits = picture_limits(&context.services.limits);
        let mut thumbnails = Vec::with_capacity(self.queries.len());
        for query in &self.queries {
            let small = async {
                let file =
                    source.get(&query.file.key, context.services.limits.max_picture_bytes).await.ok()?;
                let small = tokio::task::spawn_blocking(move || {
                    thumbnail(&decode(&file, &limits).ok()?, THUMBNAIL_SIDE).ok()
                });
                small.await.ok()?
            };
            thumbnails.push(small.await);
        }
        thumbnails
    }

    pub fn result(
        &self,
        index: &Name,
        job: JobId,
        model: &StoredModel,
        thumbnails: &[Option<Vec<u8>>],
    ) -> Value {
        let queries = self.queries.iter().zip(thumbnails).enumerate();
        let told = queries.map(|(position, (query, thumbnail))| {
            let at = || format!("/v1/indexes/{index}/evaluations/{job}/queries/{position}/thumbnail");
            let hits = query.hits.iter().map(|hit| {
                let class = true_class(&hit.uri, hit.class_id, model);
                json!({
                    "entry_id": hit.entry_id,
                    "uri": hit.uri,
                    "class": model.class_name(class),
                    "right": class == query.class,
                    "thumbnail": format!("/v1/indexes/{index}/entries/{}/thumbnail", hit.entry_id),
                })
            });
            json!({
                "uri": query.file.uri,
                "class": model.class_name(query.class),
                "predicted": model.class_name(query.predicted),
                "average_precision": query.average_precision(),
                "thumbnail": thumbnail.as_ref().map(|_| at()),
                "hits": hits.collect::<Vec<_>>(),
            })
        });
        Value::Array(told.collect())
    }
}
