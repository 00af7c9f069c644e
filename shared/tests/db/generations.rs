//! Generations take each other's place in one short transaction, and go without anybody waiting for them.

use std::time::{Duration, Instant};

use lookalike_shared::db::gallery::{self, MatchQuery, list_entries, match_entries};
use lookalike_shared::db::items::{NewItem, count_by_code, insert_items, list_failed_uris, list_items};
use lookalike_shared::db::queue::mark_progress;
use lookalike_shared::db::{generations, indexes};
use lookalike_shared::domain::job::{JobId, JobKind, Progress};
use lookalike_shared::domain::search::RankBy;
use lookalike_shared::testing::{
    TestDatabase, a_generation, a_job, a_job_of, a_model, a_worker, an_entry, commit_entries, enqueue_one,
    start,
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::wait_for_lock_waiters;

/// An index `gallery` whose models have two classes and embeddings of two lengths.
struct Gallery {
    pool: PgPool,
    index: Uuid,
    models: [Uuid; 2],
    first: i32,
}

const DIMS: [i32; 2] = [4, 6];

impl Gallery {
    async fn make(db: &TestDatabase) -> Self {
        let models = [
            a_model(&db.pool, "short", &["cat", "dog"], DIMS[0]).await,
            a_model(&db.pool, "long", &["cat", "dog"], DIMS[1]).await,
        ];
        let first = a_generation(&db.pool, "gallery", models[0], 2, DIMS[0]).await;
        let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap().id;
        Self { pool: db.pool.clone(), index, models, first }
    }

    async fn begin(&self, model: usize) -> i32 {
        let mut tx = self.pool.begin().await.unwrap();
        let made =
            indexes::begin_generation(&mut tx, self.index, self.models[model], 2, DIMS[model]).await.unwrap();
        tx.commit().await.unwrap();
        made
    }

    async fn activate(&self, generation: i32) -> Vec<i32> {
        let mut tx = self.pool.begin().await.unwrap();
        assert!(indexes::lock_index(&mut tx, self.index).await.unwrap());
        generations::lock_generations(&mut tx, self.index).await.unwrap();
        indexes::activate_generation(&mut tx, self.index, generation).await.unwrap();
        let surplus = generations::mark_surplus(&mut *tx, self.index).await.unwrap();
        tx.commit().await.unwrap();
        surplus
    }

    async fn store(&self, generation: i32, uris: &[&str], dim: i32) {
        let embedding = vec![0.5; usize::try_from(dim).unwrap()];
        let entries: Vec<_> = uris.iter().map(|uri| an_entry(uri, 1, &[0.2, 0.8], &embedding)).collect();
        let mut tx = self.pool.begin().await.unwrap();
        commit_entries(&mut tx, generation, &entries, Uuid::now_v7()).await;
        tx.commit().await.unwrap();
    }

    async fn states(&self) -> Vec<(i32, &'static str)> {
        let found = indexes::list_generations(&self.pool, self.index).await.unwrap();
        found.into_iter().map(|generation| (generation.id, generation.state.as_str())).collect()
    }
}

async fn tables(pool: &PgPool, generation: i32) -> i64 {
    let sql = "select count(*) from pg_tables where schemaname = 'gallery' and tablename ~ ('^[gmt]' || $1 || '(_|$)')";
    sqlx::query_scalar(sql).bind(generation.to_string()).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_ready_generation_waits_beside_the_active_one_until_it_is_activated() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let second = gallery.begin(1).await;
    assert!(generations::mark_ready(&db.pool, second).await.unwrap());
    assert!(!generations::mark_ready(&db.pool, second).await.unwrap(), "it is not being built any more");
    assert_eq!(indexes::list_abandoned(&db.pool).await.unwrap(), Vec::<i32>::new());
    assert_eq!(indexes::list_building(&db.pool, &[gallery.index]).await.unwrap(), []);
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), Vec::<i32>::new());
    assert_eq!(gallery.states().await, [(second, "ready"), (gallery.first, "active")]);

    assert_eq!(gallery.activate(second).await, Vec::<i32>::new());
    assert_eq!(gallery.states().await, [(second, "active"), (gallery.first, "retired")]);
    let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap();
    assert_eq!((index.generation, index.model.as_deref()), (Some(second), Some("long@1")));
}

#[tokio::test]
async fn a_swap_leaves_as_many_retired_generations_as_the_index_keeps_those_active_last() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let second = gallery.begin(1).await;
    assert_eq!(gallery.activate(second).await, Vec::<i32>::new(), "one is kept");
    let third = gallery.begin(0).await;
    assert_eq!(gallery.activate(third).await, [gallery.first]);
    assert_eq!(gallery.states().await, [(third, "active"), (second, "retired"), (gallery.first, "dropping")]);
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), [gallery.first]);
    assert_eq!(tables(&db.pool, gallery.first).await, 0);

    assert!(indexes::set_keep_generations(&db.pool, gallery.index, 2).await.unwrap());
    let fourth = gallery.begin(1).await;
    assert_eq!(gallery.activate(fourth).await, Vec::<i32>::new());
    // Back and forth: the one that was active least recently goes, whatever its number.
    gallery.activate(second).await;
    assert!(indexes::set_keep_generations(&db.pool, gallery.index, 1).await.unwrap());
    let fifth = gallery.begin(0).await;
    let mut gone = gallery.activate(fifth).await;
    gone.sort_unstable();
    assert_eq!(gone, [third, fourth]);
    assert!(
        indexes::set_keep_generations(&db.pool, gallery.index, 11).await.is_err(),
        "the database knows the bound"
    );
}

#[tokio::test]
async fn a_ready_generation_is_safe_from_the_policy_for_a_week() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let (young, old) = (gallery.begin(1).await, gallery.begin(1).await);
    for id in [young, old] {
        assert!(generations::mark_ready(&db.pool, id).await.unwrap());
    }
    let age = "update generations set ready_at = now() - interval '8 days' where id = $1";
    sqlx::query(age).bind(old).execute(&db.pool).await.unwrap();
    let next = gallery.begin(0).await;
    assert_eq!(gallery.activate(next).await, [old]);
    let states = gallery.states().await;
    assert!(states.contains(&(young, "ready")) && states.contains(&(old, "dropping")), "{states:?}");
}

/// The drop gives up, the reader goes on, and a later drop succeeds.
#[tokio::test]
async fn a_generation_that_is_read_is_dropped_later() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    gallery.store(gallery.first, &["photos/a.jpg"], DIMS[0]).await;
    let second = gallery.begin(1).await;
    gallery.activate(second).await;
    assert!(generations::mark_dropping(&db.pool, gallery.first).await.unwrap());
    let mut reader = db.pool.begin().await.unwrap();
    assert_eq!(list_entries(&mut *reader, gallery.first, None, None, 10).await.unwrap().len(), 1);
    let started = Instant::now();
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), Vec::<i32>::new());
    assert!(started.elapsed() >= generations::DROP_PATIENCE);
    assert_eq!(list_entries(&mut *reader, gallery.first, None, None, 10).await.unwrap().len(), 1);
    reader.commit().await.unwrap();
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), [gallery.first]);
    assert_eq!(gallery.states().await, [(second, "active")]);
}

/// What a search meets that read the generation's number before a swap, and comes too late.
#[tokio::test]
async fn a_dropped_generation_is_told_as_vanished() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    gallery.store(gallery.first, &["photos/a.jpg"], DIMS[0]).await;
    let query = MatchQuery {
        classes: &[0, 1],
        approximate: &[],
        rank_by: RankBy::Embedding,
        vector: &[0.5; DIMS[0] as usize],
        k: 1,
        exclude: &[],
        uri_prefix: None,
        metadata: None,
        max_distance: None,
    };
    // The connection has prepared the statement already, as those of a worker have.
    let mut connection = db.pool.acquire().await.unwrap();
    assert_eq!(match_entries(&mut *connection, gallery.first, &query).await.unwrap().len(), 1);
    gallery.activate(gallery.begin(1).await).await;
    generations::mark_dropping(&db.pool, gallery.first).await.unwrap();
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), [gallery.first]);
    for error in [
        match_entries(&mut *connection, gallery.first, &query).await.unwrap_err(),
        match_entries(&db.pool, gallery.first, &query).await.unwrap_err(),
        gallery::find_vectors(&db.pool, gallery.first, Uuid::now_v7()).await.unwrap_err(),
    ] {
        assert!(generations::has_vanished(&error), "{error:?}");
    }
}

/// One that waits behind the drop for a table finds it gone, or finds what it looked for; it never breaks otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_a_generation_that_is_dropped_find_all_or_learn_that_it_is_gone() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    gallery.store(gallery.first, &["photos/a.jpg", "photos/b.jpg"], DIMS[0]).await;
    gallery.activate(gallery.begin(1).await).await;
    generations::mark_dropping(&db.pool, gallery.first).await.unwrap();
    let (generation, pool) = (gallery.first, db.pool.clone());
    let readers = (0..6).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for read in 0..10_000 {
                match list_entries(&pool, generation, None, None, 10).await {
                    Ok(found) => assert_eq!(found.len(), 2),
                    Err(error) if generations::has_vanished(&error) => return read,
                    Err(error) => panic!("{error:?}"),
                }
            }
            10_000
        })
    });
    let readers: Vec<_> = readers.collect();
    let mut dropped = Vec::new();
    while dropped.is_empty() {
        dropped = generations::drop_unused(&db.pool).await.unwrap();
    }
    assert_eq!(dropped, [generation]);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_generation_that_a_job_fills_is_known_by_it() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let filled = gallery.begin(1).await;
    assert_eq!(generations::find_filler(&db.pool, filled).await.unwrap(), None);
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Rebuild)).await;
    let attempt = start(&db.pool, job, a_worker(&db.pool).await).await;
    let checkpoint = json!({"generation": filled});
    mark_progress(&db.pool, job, attempt.fence, &Progress::default(), Some(&checkpoint)).await.unwrap();
    assert_eq!(generations::find_filler(&db.pool, filled).await.unwrap(), Some(job));
    assert_eq!(generations::drop_unused(&db.pool).await.unwrap(), Vec::<i32>::new());
    assert!(!generations::mark_dropping(&db.pool, gallery.first).await.unwrap(), "the active one stays");
}

#[tokio::test]
async fn what_came_and_went_while_a_generation_was_filled_is_found() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Rebuild)).await;
    gallery.store(gallery.first, &["photos/a.jpg", "photos/b.jpg", "photos/bad.jpg"], DIMS[0]).await;
    let seen = generations::find_standing(&db.pool, gallery.index).await.unwrap().unwrap();
    assert_eq!(seen.generation, gallery.first);
    let filled = gallery.begin(1).await;
    gallery.store(filled, &["photos/a.jpg", "photos/b.jpg"], DIMS[1]).await;
    let bad = NewItem { uri: "photos/bad.jpg".to_owned(), code: "corrupt".to_owned(), detail: String::new() };
    insert_items(&db.pool, job, &[bad]).await.unwrap();
    let missing = async |after: &str| {
        generations::list_missing(&db.pool, gallery.first, filled, job, after, 10).await.unwrap()
    };
    assert_eq!(missing("").await, [""; 0]);
    assert_eq!(
        generations::find_standing(&db.pool, gallery.index).await.unwrap(),
        Some(seen),
        "nothing changed"
    );

    gallery.store(gallery.first, &["photos/c.jpg", "photos/d.jpg"], DIMS[0]).await;
    let entry = gallery::find_manifest(&db.pool, gallery.first, &["photos/a.jpg".to_owned()])
        .await
        .unwrap()
        .remove(0);
    let mut tx = db.pool.begin().await.unwrap();
    gallery::lock_generation(&mut tx, gallery.first).await.unwrap();
    let taken = [(entry.class_id, entry.entry_id)];
    assert_eq!(gallery::delete_entries(&mut tx, gallery.first, &taken).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_ne!(generations::find_standing(&db.pool, gallery.index).await.unwrap(), Some(seen));
    assert_eq!(missing("").await, ["photos/c.jpg", "photos/d.jpg"]);
    assert_eq!(missing("photos/c.jpg").await, ["photos/d.jpg"]);
    let left_over = generations::list_left_over(&db.pool, gallery.first, filled, 10).await.unwrap();
    assert_eq!(left_over.iter().map(|row| row.uri.as_str()).collect::<Vec<_>>(), ["photos/a.jpg"]);
}

#[tokio::test]
async fn the_room_that_generations_take_is_told_for_each() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let second = gallery.begin(1).await;
    let uris: Vec<String> = (0..300).map(|n| format!("photos/{n}.jpg")).collect();
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    gallery.store(gallery.first, &uris, DIMS[0]).await;
    let mut sizes = generations::list_sizes(&db.pool, &[gallery.first, second, 9_999]).await.unwrap();
    sizes.sort_unstable();
    let [(first, large), (other, small)] = sizes[..] else { panic!("{sizes:?}") };
    assert_eq!((first, other), (gallery.first, second));
    assert!(large > small && small > 0, "{sizes:?}");
}

/// A clear gives up in time, holds nobody up meanwhile, and is told apart from an outage.
#[tokio::test]
async fn a_clear_does_not_wait_for_a_long_read() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    gallery.store(gallery.first, &["photos/a.jpg"], DIMS[0]).await;
    let mut reader = db.pool.begin().await.unwrap();
    assert_eq!(list_entries(&mut *reader, gallery.first, None, None, 10).await.unwrap().len(), 1);
    let mut tx = db.pool.begin().await.unwrap();
    generations::limit_lock_waits(&mut tx, Duration::from_millis(30)).await.unwrap();
    let error = generations::clear_entries(&mut tx, gallery.first).await.unwrap_err();
    assert!(error.is_lock_timeout() && error.is_transient(), "{error:?}");
    drop(tx);
    reader.commit().await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    generations::clear_entries(&mut tx, gallery.first).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(list_entries(&db.pool, gallery.first, None, None, 10).await.unwrap(), []);
}

/// A batch that is being committed is waited for; the swap comes right after it.
#[tokio::test]
async fn a_swap_waits_for_the_batch_that_is_being_committed() {
    let db = TestDatabase::create().await;
    let gallery = Gallery::make(&db).await;
    let second = gallery.begin(1).await;
    let mut batch = db.pool.begin().await.unwrap();
    let entry = an_entry("photos/a.jpg", 0, &[0.9, 0.1], &[0.5; DIMS[0] as usize]);
    commit_entries(&mut batch, gallery.first, &[entry], Uuid::now_v7()).await;
    let swap = tokio::spawn(async move { gallery.activate(second).await });
    wait_for_lock_waiters(&db.pool, 1).await;
    batch.commit().await.unwrap();
    swap.await.unwrap();
    let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap();
    assert_eq!(index.generation, Some(second));
}

async fn fail(pool: &PgPool, failures: &[(&str, &str)]) -> JobId {
    let job = enqueue_one(pool, &a_job()).await;
    let item = |(uri, code): &(&str, &str)| NewItem {
        uri: (*uri).to_owned(),
        code: (*code).to_owned(),
        detail: "it is broken".to_owned(),
    };
    insert_items(pool, job, &failures.iter().map(item).collect::<Vec<_>>()).await.unwrap();
    job
}

#[tokio::test]
async fn failed_pictures_are_listed_and_counted_by_reason() {
    let db = TestDatabase::create().await;
    let failures =
        [("photos/a", "corrupt"), ("photos/b", "gone"), ("photos/c", "corrupt"), ("photos/d", "too_large")];
    let job = fail(&db.pool, &failures).await;
    fail(&db.pool, &[("photos/z", "corrupt")]).await;
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    let corrupt = list_items(&db.pool, job, Some("failed"), &codes(&["corrupt"]), "", 10).await.unwrap();
    assert_eq!(corrupt.iter().map(|item| item.uri.as_str()).collect::<Vec<_>>(), ["photos/a", "photos/c"]);
    assert_eq!(list_items(&db.pool, job, None, &[], "photos/b", 10).await.unwrap().len(), 2);
    let uris = async |wanted: &[&str], after: &str, limit| {
        list_failed_uris(&db.pool, job, &codes(wanted), after, limit).await.unwrap()
    };
    assert_eq!(uris(&[], "", 3).await, ["photos/a", "photos/b", "photos/c"]);
    assert_eq!(uris(&[], "photos/c", 3).await, ["photos/d"]);
    assert_eq!(uris(&["gone", "too_large"], "", 10).await, ["photos/b", "photos/d"]);
    assert_eq!(uris(&["unheard of"], "", 10).await, [""; 0]);
    let counted = count_by_code(&db.pool, job).await.unwrap();
    let counted: Vec<(&str, i64)> = counted.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(counted, [("corrupt", 2), ("gone", 1), ("too_large", 1)]);
}
