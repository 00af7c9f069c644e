//! Partitions held in memory, within a budget, as new as a search needs them.
//!
//! A search says which versions it must see. Leaves that are older are brought up to date from the database, one reader a
//! generation at a time; leaves that are not here are read whole, unless that would take long: then they are read while
//! the database answers. When there is no room, the leaves that were not used for longest leave.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use lookalike_shared::db::gallery::following::{Held, read_changes};
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::db::indexes::Partition;
use lookalike_shared::db::{DbError, PgPool};
use lookalike_shared::domain::search::RankBy;

use super::changes::Changes;
use super::leaf::{Leaf, Shared};

/// The most bytes that a search waits for: a fraction of a second's reading.
const WAITED_FOR: u64 = 256 << 20;

/// A partition's vectors of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    generation: i32,
    class_id: i32,
    vectors: RankBy,
}

/// What is looked into: leaves of a generation, their versions and how long their vectors are.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The generation.
    pub generation: i32,
    /// Which vectors.
    pub vectors: RankBy,
    /// Values of a vector.
    pub width: usize,
    /// The leaves, at the versions that must be seen at least.
    pub partitions: &'a [&'a Partition],
}

/// Where leaves are to be searched.
#[derive(Debug, Default)]
pub struct Places {
    /// Here.
    pub leaves: Vec<Shared>,
    /// In the database: their classes.
    pub elsewhere: Vec<i32>,
}

/// A leaf that is being read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Loading {
    /// Its generation.
    pub generation: i32,
    /// Its class.
    pub class_id: i32,
    /// Rows read so far.
    pub rows: u64,
    /// Rows there are.
    pub of_rows: u64,
}

/// What is held.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Leaves.
    pub leaves: usize,
    /// The memory that they take.
    pub bytes: u64,
    /// The memory that they may take.
    pub budget_bytes: u64,
    /// Leaves that are being read.
    pub loading: Vec<Loading>,
}

/// The leaves in memory; clones share them.
#[derive(Clone)]
pub struct Resident {
    db: PgPool,
    budget: u64,
    store: Arc<Mutex<Store>>,
    turns: Arc<Mutex<HashMap<i32, Arc<tokio::sync::Mutex<()>>>>>,
}

#[derive(Default)]
struct Store {
    slots: HashMap<Key, Slot>,
    loading: HashMap<Key, Load>,
    bytes: u64,
    clock: u64,
}

/// A leaf that is being read.
struct Load {
    rows: u64,
    of_rows: u64,
    /// The memory that it will take.
    bytes: u64,
}

struct Slot {
    leaf: Shared,
    version: i64,
    bytes: u64,
    used: u64,
}

impl Resident {
    /// Holds at most `budget` bytes of what is read from `db`.
    pub fn new(db: PgPool, budget: u64) -> Self {
        Self { db, budget, store: Arc::default(), turns: Arc::default() }
    }

    /// Leaves at their versions or later, here where they can be.
    ///
    /// # Errors
    /// [`DbError`]; [`has_vanished`] tells that the generation was dropped.
    pub async fn hold(&self, asked: Asked<'_>) -> Result<Places, DbError> {
        let (places, behind) = self.look(asked);
        if behind.is_empty() {
            return Ok(places);
        }
        let this = self.clone();
        let (generation, vectors, width) = (asked.generation, asked.vectors, asked.width);
        let partitions: Vec<Partition> =
            asked.partitions.iter().map(|partition| (*partition).clone()).collect();
        // A task of its own: a search that is broken off does not break off what others wait for, nor a COPY half way.
        let caught_up = tokio::spawn(async move {
            let partitions: Vec<&Partition> = partitions.iter().collect();
            this.catch_up_in_turn(Asked { generation, vectors, width, partitions: &partitions }).await
        });
        caught_up.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(self.look(asked).0)
    }

    async fn catch_up_in_turn(&self, asked: Asked<'_>) -> Result<(), DbError> {
        let turn = self.turn(asked.generation);
        let _turn = turn.lock().await;
        // Another search may have done it.
        let (_, behind) = self.look(asked);
        let caught_up = self.catch_up(asked, &behind).await;
        if caught_up.as_ref().is_err_and(has_vanished) {
            self.forget(asked.generation);
        }
        caught_up
    }

    /// What is held.
    pub fn usage(&self) -> Usage {
        let store = self.lock();
        let loading = store.loading.iter().map(|(key, load)| Loading {
            generation: key.generation,
            class_id: key.class_id,
            rows: load.rows,
            of_rows: load.of_rows,
        });
        let (leaves, bytes, budget_bytes) = (store.slots.len(), store.bytes, self.budget);
        Usage { leaves, bytes, budget_bytes, loading: loading.collect() }
    }

    /// Gives up the leaves of a generation.
    pub fn forget(&self, generation: i32) {
        let mut store = self.lock();
        let keys: Vec<Key> = store.slots.keys().filter(|key| key.generation == generation).copied().collect();
        keys.iter().for_each(|key| store.remove(key));
        self.turns().remove(&generation);
    }

    /// What is here now, and the partitions that are not, or not as new as asked for.
    fn look<'a>(&self, asked: Asked<'a>) -> (Places, Vec<&'a Partition>) {
        let (mut places, mut behind) = (Places::default(), Vec::new());
        let mut store = self.lock();
        store.clock += 1;
        let now = store.clock;
        let Store { slots, loading, .. } = &mut *store;
        for partition in asked.partitions.iter().copied().filter(|partition| partition.rows > 0) {
            let key = asked.key(partition.class_id);
            match slots.get_mut(&key) {
                Some(slot) if slot.version >= partition.version => {
                    slot.used = now;
                    places.leaves.push(slot.leaf.clone());
                    continue;
                }
                Some(_) => behind.push(partition),
                None if loading.contains_key(&key) => {}
                None => behind.push(partition),
            }
            places.elsewhere.push(partition.class_id);
        }
        (places, behind)
    }

    /// Brings leaves up to date, and reads those that are not here and fit.
    async fn catch_up(&self, asked: Asked<'_>, behind: &[&Partition]) -> Result<(), DbError> {
        let (held, absent) = self.held(asked, behind);
        let size =
            |partition: &Partition| Leaf::bytes_of(asked.vectors, asked.width, partition.rows.unsigned_abs());
        let waited_for = absent.iter().map(|partition| size(partition)).sum::<u64>() <= WAITED_FOR;
        let (mut wanted, mut reserved) = (held, 0);
        for partition in absent {
            if !self.make_room(
                asked.partitions.iter().map(|needed| asked.key(needed.class_id)),
                reserved + size(partition),
            ) {
                continue;
            }
            if waited_for {
                reserved += size(partition);
                wanted.push(Held { class_id: partition.class_id, version: None });
            } else {
                self.load_beside(asked, partition);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let mut changes = Changes::new(asked.vectors, asked.width, &wanted);
        read_changes(&self.db, asked.generation, asked.vectors, &wanted, &mut changes).await?;
        self.apply(asked, changes).await;
        Ok(())
    }

    /// The versions of those that are here, and those that are not.
    fn held<'a>(&self, asked: Asked<'_>, behind: &[&'a Partition]) -> (Vec<Held>, Vec<&'a Partition>) {
        let store = self.lock();
        let (mut held, mut absent) = (Vec::new(), Vec::new());
        for partition in behind {
            match store.slots.get(&asked.key(partition.class_id)) {
                Some(slot) => {
                    held.push(Held { class_id: partition.class_id, version: Some(slot.version) });
                }
                None => absent.push(*partition),
            }
        }
        (held, absent)
    }

    /// Lets leaves leave that were not used for longest, none that are needed, until there is room. None leaves where that
    /// would not be enough.
    fn make_room(&self, needed: impl Iterator<Item = Key>, bytes: u64) -> bool {
        let needed: HashSet<Key> = needed.collect();
        let mut store = self.lock();
        let loading: u64 = store.loading.values().map(|load| load.bytes).sum();
        let stay: u64 = needed.iter().filter_map(|key| store.slots.get(key)).map(|slot| slot.bytes).sum();
        if stay + loading + bytes > self.budget {
            return false;
        }
        while store.bytes + loading + bytes > self.budget {
            let others = store.slots.iter().filter(|(key, _)| !needed.contains(key));
            let Some(oldest) = others.min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key) else { break };
            store.remove(&oldest);
        }
        true
    }

    /// Reads a leaf that is too large to be waited for.
    fn load_beside(&self, asked: Asked<'_>, partition: &Partition) {
        let (key, this) = (asked.key(partition.class_id), self.clone());
        let (generation, vectors, width) = (asked.generation, asked.vectors, asked.width);
        let of_rows = partition.rows.unsigned_abs();
        let bytes = Leaf::bytes_of(vectors, width, of_rows);
        self.lock().loading.insert(key, Load { rows: 0, of_rows, bytes });
        tokio::spawn(async move {
            let wanted = [Held { class_id: key.class_id, version: None }];
            let mut changes = Changes::new(vectors, width, &wanted);
            let store = this.store.clone();
            changes.tell_rows(move |rows| {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(load) = store.loading.get_mut(&key) {
                    load.rows = rows;
                }
            });
            let started = std::time::Instant::now();
            let read = read_changes(&this.db, generation, vectors, &wanted, &mut changes).await;
            let asked = Asked { generation, vectors, width, partitions: &[] };
            let class_id = key.class_id;
            match read {
                Ok(()) => {
                    this.apply(asked, changes).await;
                    let seconds = started.elapsed().as_secs_f64();
                    tracing::info!(generation, class_id, seconds, "a partition is in memory");
                }
                Err(error) => tracing::warn!(generation, class_id, %error, "a partition could not be read"),
            }
            this.lock().loading.remove(&key);
        });
    }

    /// Puts what was read in its place. Changes of a leaf are seen all together.
    async fn apply(&self, asked: Asked<'_>, changes: Changes) {
        for (class_id, leaf) in changes.whole {
            self.insert(asked.key(class_id), leaf);
        }
        for (class_id, change) in changes.parts {
            let key = asked.key(class_id);
            let Some(leaf) = self.lock().slots.get(&key).map(|slot| slot.leaf.clone()) else { continue };
            // A search may be reading it for a while.
            let applied = tokio::task::spawn_blocking(move || change.apply(class_id, &leaf)).await;
            let Ok((version, bytes)) = applied else { continue };
            let mut store = self.lock();
            let Some(slot) = store.slots.get_mut(&key) else { continue };
            let before = std::mem::replace(&mut slot.bytes, bytes);
            slot.version = version;
            store.bytes = store.bytes + bytes - before;
        }
        // Leaves grow: even one that is asked for may have to leave.
        self.make_room(std::iter::empty(), 0);
    }

    fn insert(&self, key: Key, leaf: Leaf) {
        let mut store = self.lock();
        store.remove(&key);
        let (bytes, version, used) = (leaf.bytes(), leaf.version, store.clock);
        store.bytes += bytes;
        store.slots.insert(key, Slot { leaf: Arc::new(RwLock::new(leaf)), version, bytes, used });
    }

    fn turn(&self, generation: i32) -> Arc<tokio::sync::Mutex<()>> {
        self.turns().entry(generation).or_default().clone()
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<i32, Arc<tokio::sync::Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    fn key(&self, class_id: i32) -> Key {
        Key { generation: self.generation, class_id, vectors: self.vectors }
    }
}

impl Store {
    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.bytes -= slot.bytes;
        }
    }
}
