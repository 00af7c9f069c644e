//! From a query's vectors to hits: route to classes, find the nearest entries of their partitions, tell what they are.
//!
//! Two engines find entries, partition by partition: `resident`, over copies of partitions in memory ([`resident`]: which are
//! here; [`leaf`]: how they lie; [`scan`], [`kernel`]: how they are read), exactly; and `postgres`, for partitions that do
//! not fit and for filters on what only the database holds, exactly or through graphs. Whichever finds an entry,
//! [`nearest::distance`] says how far it is and ties are ordered by entry, so that both give the same answer.

mod changes;
mod kernel;
pub(crate) mod leaf;
mod nearest;
pub mod resident;
pub(crate) mod scan;
#[cfg(test)]
mod tests;
mod together;
mod wanted;

use std::collections::HashSet;
use std::sync::Arc;

use lookalike_shared::db::answering::Searched;
use lookalike_shared::db::batcher::Batcher;
use lookalike_shared::db::gallery::{Hit, MatchQuery, match_entries};
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::db::indexes::{Partition, list_partitions};
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::domain::search::RankBy;
use rayon::ThreadPoolBuilder;

use leaf::Leaf;
use nearest::{Neighbour, distance};
use resident::{Asked, Resident, Usage};
use scan::Scan;
use together::{Hits, Places, look_together, scan_beside, tell_together};

pub use wanted::Wanted;

/// Entries found beyond those asked for: single precision may mistake the order of a few, and a few may be deleted before
/// they are told.
const SPARE: usize = 8;
/// Searches that share statements and scans at most.
const TOGETHER: usize = 64;
/// How often a match is made anew that others have made stale.
const AGAIN: usize = 5;
/// How many times more entries are found than asked for, when near-duplicates are to be told once.
const COLLAPSING: usize = 4;

/// A hit, and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The entry.
    pub hit: Hit,
    /// Euclidean distance from the query.
    pub distance: f64,
}

/// What was found, and where it was looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The hits, nearest first.
    pub hits: Vec<Match>,
    /// Partitions looked into.
    pub partitions: usize,
    /// Entries in them.
    pub entries: i64,
    /// Partitions there are.
    pub of_partitions: usize,
    /// Entries there are.
    pub of_entries: i64,
    /// How many of the partitions looked into were searched by the database.
    pub in_database: usize,
    /// How many of those were searched through their graphs, nearly exactly.
    pub approximate: usize,
}

impl Found {
    /// The engine's name in answers.
    pub fn engine(&self) -> &'static str {
        match self.in_database {
            0 => "resident",
            all if all == self.partitions => "postgres",
            _ => "mixed",
        }
    }
}

/// Why nothing was found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MatchError {
    /// The database did not answer, or not as it should.
    #[error(transparent)]
    Database(#[from] Arc<DbError>),
    /// What was asked together with it broke off.
    #[error("matching broke off")]
    BrokenOff,
}

impl MatchError {
    /// Whether the generation was dropped meanwhile.
    pub fn has_vanished(&self) -> bool {
        match self {
            Self::Database(error) => has_vanished(error),
            Self::BrokenOff => false,
        }
    }
}

impl From<DbError> for MatchError {
    fn from(error: DbError) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// An answer that several callers get.
type Answer<T> = Result<T, MatchError>;

/// Finds entries. What is asked at the same time shares statements and scans; clones share everything.
#[derive(Clone)]
pub struct Matcher {
    db: PgPool,
    resident: Resident,
    looks: Batcher<String, Answer<Option<Arc<Searched>>>>,
    scans: Batcher<Scan, Vec<Neighbour>>,
    hits: Batcher<Places, Answer<Arc<Hits>>>,
}

impl Matcher {
    /// Searches what is in `db`, and holds at most `budget` bytes of it in memory.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(db: PgPool, budget: u64) -> anyhow::Result<Self> {
        let pool = ThreadPoolBuilder::new().thread_name(|number| format!("match-{number}")).build()?;
        let pool = Arc::new(pool);
        let (look, tell) = (db.clone(), db.clone());
        Ok(Self {
            resident: Resident::new(db.clone(), budget),
            looks: Batcher::start(TOGETHER, move |names| look_together(look.clone(), names)),
            scans: Batcher::start(TOGETHER, move |scans| scan_beside(scans, pool.clone())),
            hits: Batcher::start(TOGETHER, move |places| tell_together(tell.clone(), places)),
            db,
        })
    }

    /// What searches of an index look into, as everything is that was committed before. None: there is no such index.
    ///
    /// # Errors
    /// [`MatchError`].
    pub async fn look(&self, index: &str) -> Answer<Option<Arc<Searched>>> {
        self.looks.call(index.to_owned()).await.unwrap_or(Err(MatchError::BrokenOff))
    }

    /// Finds the nearest entries of a generation, whose partitions are seen as they were looked up, or later.
    ///
    /// # Errors
    /// [`MatchError`].
    pub async fn find(
        &self,
        generation: i32,
        partitions: &[Partition],
        wanted: &Wanted<'_>,
    ) -> Answer<Found> {
        let mut found = self.find_as_of(generation, partitions, wanted).await?;
        // Entries that change or leave between the match and the telling are looked for once more.
        for _ in 0..AGAIN {
            if !found.1 {
                break;
            }
            let partitions = list_partitions(&self.db, generation).await?;
            found = self.find_as_of(generation, &partitions, wanted).await?;
        }
        Ok(found.0)
    }

    /// What is found in partitions as they were looked up, and whether hits are missing that were gone before they were told.
    async fn find_as_of(
        &self,
        generation: i32,
        partitions: &[Partition],
        wanted: &Wanted<'_>,
    ) -> Answer<(Found, bool)> {
        if partitions.is_empty() {
            return Err(DbError::not_found("generation", generation).into());
        }
        let probed = wanted.probed(partitions);
        let k = wanted.k as usize;
        let mut keep = if wanted.collapse.is_some() { COLLAPSING * k } else { k } + SPARE;
        let (mut near, in_database, approximate) = loop {
            let (near, in_database, approximate) = self.nearest(generation, &probed, wanted, keep).await?;
            let last = near.len() < keep;
            let chosen = wanted.chosen(near);
            if last || chosen.len() >= k {
                break (chosen, in_database, approximate);
            }
            keep *= COLLAPSING;
        };
        near.truncate(k + SPARE);
        let mut hits = self.tell(generation, &near).await?;
        let short = hits.len() < k && hits.len() < near.len();
        hits.truncate(k);
        let found = Found {
            hits,
            partitions: probed.len(),
            entries: probed.iter().map(|partition| partition.rows).sum(),
            of_partitions: partitions.len(),
            of_entries: partitions.iter().map(|partition| partition.rows).sum(),
            in_database,
            approximate,
        };
        Ok((found, short))
    }

    /// Takes the embeddings of a generation into memory, `width` values each, as far as they fit beside what is there.
    ///
    /// # Errors
    /// [`MatchError`].
    pub async fn preload(&self, generation: i32, partitions: &[Partition], width: usize) -> Answer<()> {
        let Usage { bytes, budget_bytes, .. } = self.resident.usage();
        let mut room = budget_bytes.saturating_sub(bytes);
        let mut fits = |partition: &&Partition| {
            let size = Leaf::bytes_of(RankBy::Embedding, width, partition.rows.unsigned_abs());
            room.checked_sub(size).map(|left| room = left).is_some()
        };
        let partitions: Vec<&Partition> = partitions.iter().filter(&mut fits).collect();
        let asked = Asked { generation, vectors: RankBy::Embedding, width, partitions: &partitions };
        self.resident.hold(asked).await?;
        Ok(())
    }

    /// What is held in memory.
    pub fn usage(&self) -> Usage {
        self.resident.usage()
    }

    /// The nearest entries, and how many partitions the database looked into, and how many of those nearly exactly.
    async fn nearest(
        &self,
        generation: i32,
        probed: &[&Partition],
        wanted: &Wanted<'_>,
        keep: usize,
    ) -> Answer<(Vec<Neighbour>, usize, usize)> {
        let query: Arc<[f32]> = wanted.stored_query().into();
        let places = if wanted.metadata.is_some() || wanted.uri_prefix.is_some() {
            // Only the database knows these.
            let elsewhere = probed.iter().map(|partition| partition.class_id).collect();
            resident::Places { leaves: Vec::new(), elsewhere }
        } else {
            let asked = Asked { generation, vectors: wanted.rank_by, width: query.len(), partitions: probed };
            self.resident.hold(asked).await?
        };
        let in_database = places.elsewhere.len();
        let scanned = async {
            if places.leaves.is_empty() {
                return Ok(Vec::new());
            }
            let (exclude, max_distance) = (wanted.exclude.to_vec(), wanted.max_distance());
            let scan = Scan { leaves: places.leaves, query: query.clone(), keep, exclude, max_distance };
            self.scans.call(scan).await.ok_or(MatchError::BrokenOff)
        };
        let asked = async {
            if places.elsewhere.is_empty() {
                return Ok((Vec::new(), 0));
            }
            let elsewhere: HashSet<i32> = places.elsewhere.into_iter().collect();
            let partitions: Vec<&Partition> =
                probed.iter().copied().filter(|partition| elsewhere.contains(&partition.class_id)).collect();
            self.ask_database(generation, &partitions, wanted, &query, keep).await
        };
        let (mut near, (asked, approximate)) = tokio::try_join!(scanned, asked)?;
        near.extend(asked);
        near.sort_unstable_by(Neighbour::order);
        near.truncate(keep);
        Ok((near, in_database, approximate))
    }

    /// The other engine.
    async fn ask_database(
        &self,
        generation: i32,
        partitions: &[&Partition],
        wanted: &Wanted<'_>,
        vector: &[f32],
        keep: usize,
    ) -> Answer<(Vec<Neighbour>, usize)> {
        // Graphs are of embeddings.
        let of_embeddings = wanted.rank_by == RankBy::Embedding;
        let classes = |graphs: bool| -> Vec<i32> {
            let of_kind =
                partitions.iter().filter(|partition| (partition.has_graph && of_embeddings) == graphs);
            of_kind.map(|partition| partition.class_id).collect()
        };
        let (exact, graphs) = (classes(false), classes(true));
        let query = MatchQuery {
            classes: &exact,
            approximate: &graphs,
            rank_by: wanted.rank_by,
            vector,
            k: i64::try_from(keep).unwrap_or(i64::MAX),
            exclude: wanted.exclude,
            uri_prefix: wanted.uri_prefix,
            metadata: wanted.metadata,
            // What is just above is left out by us, who measure exactly.
            max_distance: wanted.max_distance().map(|distance| distance * 1.000_01 + 1e-6),
        };
        let mut found = match_entries(&self.db, generation, &query).await?;
        let mut approximate = graphs.len();
        // A graph is not searched to its end: entries that are wanted may lie where nothing else is.
        let filtered = wanted.metadata.is_some() || wanted.uri_prefix.is_some();
        if approximate > 0 && filtered && found.len() < keep {
            let all: Vec<i32> = partitions.iter().map(|partition| partition.class_id).collect();
            let query = MatchQuery { classes: &all, approximate: &[], ..query };
            found = match_entries(&self.db, generation, &query).await?;
            approximate = 0;
        }
        let tell = |found: lookalike_shared::db::gallery::Neighbour| Neighbour {
            entry_id: found.entry_id,
            class_id: found.class_id,
            distance: distance(vector, found.vector.iter().copied()),
            hash: found.perceptual_hash.map_or(found.entry_id.as_u64_pair().1, i64::cast_unsigned),
        };
        Ok((found.into_iter().map(tell).collect(), approximate))
    }

    /// What the entries are, in their order. Those that were deleted meanwhile are left out.
    async fn tell(&self, generation: i32, near: &[Neighbour]) -> Answer<Vec<Match>> {
        if near.is_empty() {
            return Ok(Vec::new());
        }
        let places = near.iter().map(|entry| (entry.class_id, entry.entry_id)).collect();
        let hits = self.hits.call((generation, places)).await.unwrap_or(Err(MatchError::BrokenOff));
        let hits = hits?;
        let of = |entry: &Neighbour| {
            let hit = hits.get(&(entry.class_id, entry.entry_id))?.clone();
            Some(Match { hit, distance: entry.distance })
        };
        Ok(near.iter().filter_map(of).collect())
    }
}
