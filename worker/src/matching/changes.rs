//! What was read of leaves, until it is put in its place.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

use lookalike_shared::db::gallery::following::{Change, Follower, Held, Row, Standing};
use lookalike_shared::domain::search::RankBy;
use uuid::Uuid;

use super::leaf::{Leaf, Shared};

/// What was read: whole leaves, and changes of those that are here.
pub struct Changes {
    vectors: RankBy,
    width: usize,
    /// The versions from which on changes are told.
    since: HashMap<i32, i64>,
    /// Leaves that were read whole.
    pub whole: HashMap<i32, Leaf>,
    /// Changes of the others.
    pub parts: HashMap<i32, Part>,
    /// Rows that came so far, and who is told of them.
    rows: u64,
    told: Option<Box<dyn Fn(u64) + Send>>,
}

/// Changes of a leaf.
#[derive(Default)]
pub struct Part {
    since: i64,
    version: i64,
    came: Vec<(Uuid, Option<u64>, Vec<u8>)>,
    went: HashSet<Uuid>,
}

/// Rows after which it is told how far the reading is.
const TOLD_EVERY: u64 = 8_192;

impl Changes {
    /// Nothing yet, of leaves whose vectors have `width` values.
    pub fn new(vectors: RankBy, width: usize, held: &[Held]) -> Self {
        let since = held.iter().filter_map(|held| Some((held.class_id, held.version?))).collect();
        Self { vectors, width, since, whole: HashMap::new(), parts: HashMap::new(), rows: 0, told: None }
    }

    /// Has it told now and then how many rows came so far.
    pub fn tell_rows(&mut self, told: impl Fn(u64) + Send + 'static) {
        self.told = Some(Box::new(told));
    }
}

impl Follower for Changes {
    fn stand(&mut self, leaves: &[Standing]) {
        for Standing { class_id, version, whole } in leaves.iter().copied() {
            if whole {
                let mut leaf = Leaf::new(class_id, self.vectors, self.width);
                leaf.version = version;
                self.whole.insert(class_id, leaf);
            } else {
                let since = self.since.get(&class_id).copied().unwrap_or_default();
                self.parts.insert(class_id, Part { since, version, ..Part::default() });
            }
        }
    }

    fn tell(&mut self, change: Change<'_>) {
        match change {
            Change::Came(row) => {
                self.rows += 1;
                if let Some(told) = &self.told
                    && self.rows.is_multiple_of(TOLD_EVERY)
                {
                    told(self.rows);
                }
                if let Some(leaf) = self.whole.get_mut(&row.class_id) {
                    leaf.push(&row);
                } else if let Some(part) = self.parts.get_mut(&row.class_id) {
                    part.came.push((row.entry_id, row.perceptual_hash, row.values.to_vec()));
                }
            }
            Change::Went { class_id, entry_id } => {
                if let Some(part) = self.parts.get_mut(&class_id) {
                    part.went.insert(entry_id);
                }
            }
        }
    }
}

impl Part {
    /// Changes a leaf, if it is as it was when the changes were read: a search that was broken off in between may have
    /// brought it further than it noted. Gives the leaf's version and the memory it takes.
    pub fn apply(self, class_id: i32, leaf: &Shared) -> (i64, u64) {
        let mut leaf = leaf.write().unwrap_or_else(PoisonError::into_inner);
        if leaf.version == self.since {
            leaf.remove(&self.went);
            for (entry_id, perceptual_hash, values) in &self.came {
                leaf.push(&Row { class_id, entry_id: *entry_id, perceptual_hash: *perceptual_hash, values });
            }
            leaf.version = self.version;
        }
        (leaf.version, leaf.bytes())
    }
}
