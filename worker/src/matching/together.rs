//! Statements and scans that searches share: whatever is asked while one is under way goes together next.

use std::collections::HashMap;
use std::sync::Arc;

use lookalike_shared::db::PgPool;
use lookalike_shared::db::answering::{Searched, list_searched};
use lookalike_shared::db::gallery::{Hit, list_hits};
use rayon::ThreadPool;
use uuid::Uuid;

use super::nearest::Neighbour;
use super::scan::{Scan, scan_together};
use super::{Answer, MatchError};

/// Entries of a generation, named by partition and id.
pub type Places = (i32, Vec<(i32, Uuid)>);
/// What they are.
pub type Hits = HashMap<(i32, Uuid), Hit>;

/// One statement for all indexes.
pub async fn look_together(db: PgPool, names: Vec<String>) -> Vec<Answer<Option<Arc<Searched>>>> {
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    match list_searched(&db, &distinct).await {
        Ok(found) => {
            let found: HashMap<String, Arc<Searched>> =
                found.into_iter().map(|index| (index.name.clone(), Arc::new(index))).collect();
            names.iter().map(|name| Ok(found.get(name).cloned())).collect()
        }
        Err(error) => {
            let error = MatchError::from(error);
            names.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

/// One scan for all queries, beside what else the runtime does.
pub async fn scan_beside(scans: Vec<Scan>, pool: Arc<ThreadPool>) -> Vec<Vec<Neighbour>> {
    let scanned = tokio::task::spawn_blocking(move || scan_together(&scans, &pool)).await;
    // Without an answer each is told that it broke off.
    scanned.unwrap_or_else(|error| {
        tracing::error!(%error, "a scan broke off");
        Vec::new()
    })
}

/// One statement for each generation.
pub async fn tell_together(db: PgPool, asked: Vec<Places>) -> Vec<Answer<Arc<Hits>>> {
    let mut wanted: HashMap<i32, Vec<(i32, Uuid)>> = HashMap::new();
    for (generation, places) in &asked {
        wanted.entry(*generation).or_default().extend(places);
    }
    let mut told: HashMap<i32, Answer<Arc<Hits>>> = HashMap::new();
    for (generation, places) in wanted {
        let hits = list_hits(&db, generation, &places).await.map_err(MatchError::from);
        let by_place = |hits: Vec<Hit>| {
            Arc::new(hits.into_iter().map(|hit| ((hit.class_id, hit.entry_id), hit)).collect())
        };
        told.insert(generation, hits.map(by_place));
    }
    asked.iter().map(|(generation, _)| told[generation].clone()).collect()
}
