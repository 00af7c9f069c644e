//! What is in memory is as new as what was committed before a search, and never more than it may be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use lookalike_shared::db::gallery::following::forget_deleted;
use lookalike_shared::db::gallery::lock_generation;
use lookalike_shared::db::generations::clear_entries;
use lookalike_shared::db::indexes::{drop_generation, list_partitions};
use lookalike_shared::domain::search::RankBy;
use lookalike_shared::testing::a_generation;
use lookalike_worker::embedding::Vector;
use lookalike_worker::matching::{Matcher, Wanted};

use super::gallery::{CLASSES, DIM, Gallery, find, store, told, wanted};

/// Writers at a time, and entries that each stores, looks for, and deletes.
const WRITERS: u64 = 8;
const ENTRIES: usize = 125;

/// A thousand times: stored, it is the first hit; deleted, it is none. Others write meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_found_as_soon_as_it_is_committed_and_not_once_it_is_deleted() {
    let mut gallery = Gallery::create(5).await;
    gallery.change(300, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 1 << 30).unwrap();
    let mut entries = Vec::new();
    for _ in 0..WRITERS {
        entries.push((0..ENTRIES).map(|_| gallery.new_entry()).collect::<Vec<_>>());
    }
    let (db, generation, matcher) = (&gallery.db, gallery.generation, &matcher);
    join_all(entries.iter().map(|entries| async move {
        for entry in entries {
            let vector =
                Vector { embedding: entry.embedding.clone(), probabilities: entry.probabilities.clone() };
            store(db, generation, &[], std::slice::from_ref(entry)).await;
            let found = find(db, matcher, generation, &wanted(&vector)).await;
            assert_eq!((found.engine(), told(&found)[0]), ("resident", (entry.id, 0.0)));
            store(db, generation, &[(entry.class_id, entry.id)], &[]).await;
            let found = find(db, matcher, generation, &Wanted { k: 1_000, ..wanted(&vector) }).await;
            assert!(found.hits.iter().all(|found| found.hit.entry_id != entry.id));
        }
    }))
    .await;
    let vector = gallery.vector();
    let found = find(&gallery.db, matcher, gallery.generation, &wanted(&vector)).await;
    assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
}

/// A follower that was away for longer than deletions are noted reads anew.
#[tokio::test(flavor = "multi_thread")]
async fn forgotten_deletions_are_not_missed() {
    let mut gallery = Gallery::create(6).await;
    gallery.change(200, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 1 << 30).unwrap();
    let vector = gallery.vector();
    for _ in 0..5 {
        gallery.change(2, 5, 20).await;
        let mut tx = gallery.db.pool.begin().await.unwrap();
        lock_generation(&mut tx, gallery.generation).await.unwrap();
        let noted = forget_deleted(&mut tx, gallery.generation, -1).await.unwrap();
        assert!(noted > 0);
        tx.commit().await.unwrap();
        let found = find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await;
        assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleared_generation_is_empty_and_a_dropped_one_has_vanished() {
    let mut gallery = Gallery::create(7).await;
    gallery.change(200, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 1 << 30).unwrap();
    let vector = gallery.vector();
    assert_eq!(find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await.hits.len(), 10);
    let mut tx = gallery.db.pool.begin().await.unwrap();
    lock_generation(&mut tx, gallery.generation).await.unwrap();
    clear_entries(&mut tx, gallery.generation).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await.hits, []);
    gallery.entries.clear();
    gallery.change(5, 0, 0).await;
    let found = find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await;
    assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
    // One that was looked up before it was dropped.
    let partitions = list_partitions(&gallery.db.pool, gallery.generation).await.unwrap();
    let mut tx = gallery.db.pool.begin().await.unwrap();
    drop_generation(&mut tx, gallery.generation).await.unwrap();
    tx.commit().await.unwrap();
    let error = matcher.find(gallery.generation, &partitions, &wanted(&vector)).await.unwrap_err();
    assert!(error.has_vanished(), "{error}");
}

/// Whenever a search is broken off, the next one reads on from where the leaves are.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_broken_off_leaves_nothing_out_and_nothing_twice() {
    let mut gallery = Gallery::create(10).await;
    gallery.change(300, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 1 << 30).unwrap();
    for round in 0..120 {
        gallery.change(3, 20, 3).await;
        let vector = gallery.vector();
        let (db, generation) = (&gallery.db, gallery.generation);
        let all = wanted(&vector);
        let search = find(db, &matcher, generation, &all);
        let broken_off = tokio::time::timeout(Duration::from_micros(round % 30 * 150), search).await;
        if let Ok(found) = broken_off {
            assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
        }
        let found = find(db, &matcher, generation, &Wanted { k: 1_000, ..wanted(&vector) }).await;
        assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 1_000));
    }
}

/// A partition that can never fit is left to the database, and the others stay.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_pushes_nothing_out() {
    let mut gallery = Gallery::create(11).await;
    gallery.change(200, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 100_000).unwrap();
    let vector = gallery.vector();
    assert_eq!(find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await.engine(), "resident");
    let held = matcher.usage().leaves;
    let small = gallery.generation;
    gallery.generation = a_generation(&gallery.db.pool, "large", gallery.model, CLASSES, DIM).await;
    gallery.entries.clear();
    gallery.change(12_000, 0, 0).await;
    let found = find(&gallery.db, &matcher, gallery.generation, &Wanted { k: 20, ..wanted(&vector) }).await;
    assert_eq!(found.engine(), "postgres");
    assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 20));
    assert_eq!(matcher.usage().leaves, held);
    assert_eq!(find(&gallery.db, &matcher, small, &wanted(&vector)).await.engine(), "resident");
}

/// Ten indexes in turn, with room for about three.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_within_its_budget_and_answers_stay_right() {
    let mut gallery = Gallery::create(8).await;
    let budget = 3 * 500 * u64::try_from(DIM * 2 + 24).unwrap() + 200_000;
    let matcher = Matcher::new(gallery.db.pool.clone(), budget).unwrap();
    let mut engines = std::collections::BTreeSet::new();
    let (mut generations, mut held) = (Vec::new(), Vec::new());
    for index in 0..10 {
        let name = format!("index-{index}");
        gallery.generation = a_generation(&gallery.db.pool, &name, gallery.model, CLASSES, DIM).await;
        gallery.entries.clear();
        gallery.change(500 + 300 * index, 0, 0).await;
        generations.push((gallery.generation, gallery.entries.clone()));
    }
    for turn in 0..30 {
        let (generation, entries) = &generations[turn * 7 % 10];
        (gallery.generation, gallery.entries) = (*generation, entries.clone());
        let vector = gallery.vector();
        let found = find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await;
        assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
        engines.insert(found.engine());
        let usage = matcher.usage();
        assert!(usage.bytes <= usage.budget_bytes, "{usage:?}");
        held.push(usage.leaves);
    }
    assert!(engines.contains("resident"), "{engines:?}");
    assert!(held.iter().any(|leaves| *leaves > 4), "{held:?}");
}

/// Searches go on while an index is filled, whatever is between their looks and their matches.
#[tokio::test(flavor = "multi_thread")]
async fn answers_under_a_stream_of_writes_hold_nothing_twice_and_nothing_unknown() {
    let mut gallery = Gallery::create(9).await;
    gallery.change(300, 0, 0).await;
    let matcher = Matcher::new(gallery.db.pool.clone(), 1 << 30).unwrap();
    let queries: Vec<Vector> = (0..20).map(|_| gallery.vector()).collect();
    let (done, generation) = (AtomicBool::new(false), gallery.generation);
    let pool = gallery.db.pool.clone();
    let searches = async {
        let mut searched = 0;
        while !done.load(Ordering::Relaxed) {
            for vector in &queries {
                let partitions = list_partitions(&pool, generation).await.unwrap();
                let found = matcher
                    .find(generation, &partitions, &Wanted { k: 100, ..wanted(vector) })
                    .await
                    .unwrap();
                let mut ids: Vec<_> = told(&found).iter().map(|(id, _)| *id).collect();
                assert_eq!(ids.len(), 100);
                assert!(told(&found).is_sorted_by(|a, b| (a.1, a.0) < (b.1, b.0)));
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), 100, "an entry is told once, whatever class it moves to");
                searched += 1;
            }
        }
        searched
    };
    let writes = async {
        for _ in 0..150 {
            gallery.change(4, 30, 4).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (searched, ()) = tokio::join!(searches, writes);
    assert!(searched > 20);
    let vector = gallery.vector();
    let found = find(&gallery.db, &matcher, generation, &wanted(&vector)).await;
    assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
}
