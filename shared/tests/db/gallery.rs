//! Vectors go in by COPY and come out nearest first; leaves count up with every commit.

use lookalike_shared::db::gallery::{
    ManifestRow, MatchQuery, NewEntry, clear_generation, create_tables, delete_entries, drop_tables,
    find_entry, find_horizon, find_manifest, find_thumbnail, find_vectors, list_entries, list_hits,
    list_manifest, lock_generation, match_entries,
};
use lookalike_shared::db::indexes::{self, Partition, list_partitions};
use lookalike_shared::db::queue::{Ending, Finish, finish_jobs, mark_progress};
use lookalike_shared::domain::job::{JobKind, Progress};
use lookalike_shared::domain::search::RankBy;
use lookalike_shared::testing::{
    TestDatabase, a_generation, a_job_of, a_model, a_worker, an_entry, commit_entries, enqueue_one, start,
    wait_until,
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::{SOON, wait_for_lock_waiters};

const CLASSES: [&str; 3] = ["cat", "dog", "teapot"];
const DIM: i32 = 8;

async fn gallery(pool: &PgPool) -> i32 {
    let model = a_model(pool, "scenes", &CLASSES, DIM).await;
    a_generation(pool, "gallery", model, 3, DIM).await
}

/// An entry whose embedding points along `axis`, tilted by `tilt` towards the next one.
fn pointing(uri: &str, class_id: i32, axis: usize, tilt: f32) -> NewEntry {
    let mut embedding = [0.0; DIM as usize];
    let length = (1.0 + tilt * tilt).sqrt();
    embedding[axis] = 1.0 / length;
    embedding[(axis + 1) % embedding.len()] = tilt / length;
    let mut probabilities = [0.1; 3];
    probabilities[usize::try_from(class_id).unwrap()] = 0.8;
    an_entry(uri, class_id, &probabilities, &embedding)
}

async fn store(pool: &PgPool, generation: i32, entries: &[NewEntry]) -> Uuid {
    let job = Uuid::now_v7();
    let mut tx = pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, entries, job).await;
    tx.commit().await.unwrap();
    job
}

fn query(vector: &[f32]) -> MatchQuery<'_> {
    MatchQuery {
        classes: &[0, 1, 2],
        approximate: &[],
        rank_by: RankBy::Embedding,
        vector,
        k: 10,
        exclude: &[],
        uri_prefix: None,
        metadata: None,
        max_distance: None,
    }
}

/// Where the entries of these rows are.
fn places(rows: &[ManifestRow]) -> Vec<(i32, Uuid)> {
    rows.iter().map(|row| (row.class_id, row.entry_id)).collect()
}

fn partition(class_id: i32, version: i64, rows: i64) -> Partition {
    Partition { class_id, version, rows, has_graph: false }
}

#[tokio::test]
async fn what_is_copied_in_comes_out() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let mut entry = pointing("photos/ä \u{1f4f7}.jpg", 1, 2, 0.3);
    entry.metadata = json!({"taken": 2017, "by": "a\"b\\c"}).as_object().unwrap().clone();
    store(&db.pool, generation, std::slice::from_ref(&entry)).await;
    let stored = find_entry(&db.pool, generation, entry.id).await.unwrap().unwrap();
    assert_eq!((stored.entry_id, stored.class_id, &stored.uri), (entry.id, 1, &entry.uri));
    assert_eq!((stored.width, stored.height, stored.bytes), (640, 480, 1_000));
    assert_eq!((stored.content_hash, stored.metadata), (vec![7; 32], json!(entry.metadata)));
    assert_eq!(find_thumbnail(&db.pool, generation, entry.id).await.unwrap(), Some(vec![0xff, 0xd8]));
    assert_eq!(list_entries(&db.pool, generation, Some(1), None, 10).await.unwrap().len(), 1);
    assert_eq!(list_entries(&db.pool, generation, Some(0), None, 10).await.unwrap().len(), 0);
    assert_eq!(
        list_partitions(&db.pool, generation).await.unwrap(),
        [partition(0, 0, 0), partition(1, 1, 1), partition(2, 0, 0)]
    );
}

/// Embeddings are stored in half precision: what comes back is what IEEE 754 rounding to nearest even makes of
/// the single precision values, and probabilities come back as they were.
#[tokio::test]
async fn vectors_come_back_as_halves_and_singles() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let embedding = [1.0 / 3.0, -0.1, 1e-7, 65_504.0, 0.0, -0.0, 0.000_061_035_16, 1.0 + 1.0 / 2_048.0];
    let probabilities = [1.0 / 3.0, f32::MIN_POSITIVE, 0.123_456_79];
    let entry = an_entry("photos/a.jpg", 0, &probabilities, &embedding);
    store(&db.pool, generation, std::slice::from_ref(&entry)).await;
    let (stored_probabilities, stored_embedding) =
        find_vectors(&db.pool, generation, entry.id).await.unwrap().unwrap();
    let halves: Vec<f32> = embedding.iter().map(|value| half::f16::from_f32(*value).to_f32()).collect();
    assert_eq!(stored_probabilities, probabilities);
    assert_eq!(stored_embedding, halves);
}

#[tokio::test]
async fn a_picture_is_at_distance_zero_from_itself() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let entries: Vec<NewEntry> = (0..50_u8)
        .map(|n| {
            pointing(&format!("photos/{n}.jpg"), i32::from(n % 3), usize::from(n % 8), f32::from(n) / 37.0)
        })
        .collect();
    store(&db.pool, generation, &entries).await;
    for entry in &entries {
        for rank_by in [RankBy::Embedding, RankBy::Probabilities] {
            let vector = match rank_by {
                RankBy::Embedding => &entry.embedding,
                RankBy::Probabilities => &entry.probabilities,
            };
            let asked = MatchQuery { rank_by, max_distance: Some(0.0), k: 50, ..query(vector) };
            let hits = match_entries(&db.pool, generation, &asked).await.unwrap();
            assert!(
                hits.iter().any(|hit| hit.entry_id == entry.id && hit.distance == 0.0),
                "{} {rank_by:?}",
                entry.uri
            );
        }
    }
}

#[tokio::test]
async fn the_nearest_come_first_and_only_from_where_they_are_asked_for() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let mut near = pointing("photos/near.jpg", 0, 0, 0.1);
    near.metadata = json!({"season": "winter"}).as_object().unwrap().clone();
    let entries = [pointing("photos/far.jpg", 0, 4, 0.0), near, pointing("photos/same.jpg", 1, 0, 0.0)];
    store(&db.pool, generation, &entries).await;
    let wanted = &entries[2].embedding;
    let uris = async |asked: MatchQuery<'_>| -> Vec<String> {
        let near = match_entries(&db.pool, generation, &asked).await.unwrap();
        assert!(near.is_sorted_by(|a, b| a.distance <= b.distance));
        let places: Vec<(i32, Uuid)> = near.iter().map(|entry| (entry.class_id, entry.entry_id)).collect();
        let hits = list_hits(&db.pool, generation, &places).await.unwrap();
        let hit = |id: Uuid| hits.iter().find(|hit| hit.entry_id == id).unwrap();
        near.iter().map(|entry| hit(entry.entry_id).uri.replace("photos/", "")).collect()
    };
    assert_eq!(uris(query(wanted)).await, ["same.jpg", "near.jpg", "far.jpg"]);
    assert_eq!(uris(MatchQuery { k: 1, ..query(wanted) }).await, ["same.jpg"]);
    assert_eq!(uris(MatchQuery { classes: &[0], ..query(wanted) }).await, ["near.jpg", "far.jpg"]);
    assert_eq!(uris(MatchQuery { classes: &[], ..query(wanted) }).await, [""; 0]);
    assert_eq!(uris(MatchQuery { max_distance: Some(0.5), ..query(wanted) }).await, ["same.jpg", "near.jpg"]);
    assert_eq!(
        uris(MatchQuery { exclude: &[entries[2].id], ..query(wanted) }).await,
        ["near.jpg", "far.jpg"]
    );
    assert_eq!(uris(MatchQuery { uri_prefix: Some("photos/n"), ..query(wanted) }).await, ["near.jpg"]);
    let winter = json!({"season": "winter"});
    assert_eq!(uris(MatchQuery { metadata: Some(&winter), ..query(wanted) }).await, ["near.jpg"]);
    // The axis at a right angle: unit vectors are the square root of two apart.
    let hits = match_entries(&db.pool, generation, &query(wanted)).await.unwrap();
    assert!((hits[2].distance - 2_f64.sqrt()).abs() < 1e-3, "{}", hits[2].distance);
}

/// Entries are told by partition and id: one that has left, or moved, is not told.
#[tokio::test]
async fn hits_are_told_of_those_that_are_still_there() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let entry = pointing("photos/a.jpg", 2, 0, 0.0);
    store(&db.pool, generation, std::slice::from_ref(&entry)).await;
    let places = [(2, entry.id), (1, entry.id), (2, Uuid::now_v7())];
    let hits = list_hits(&db.pool, generation, &places).await.unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].entry_id, hits[0].class_id, hits[0].probability), (entry.id, 2, 0.8));
    assert_eq!((hits[0].width, hits[0].height, hits[0].uri.as_str()), (640, 480, "photos/a.jpg"));
    assert_eq!(list_hits(&db.pool, generation, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn equal_distances_are_ordered_by_entry() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let entries: Vec<NewEntry> =
        (0..20).map(|n| pointing(&format!("photos/{n}.jpg"), n % 3, 1, 0.0)).collect();
    let mut shuffled = entries.clone();
    shuffled.reverse();
    store(&db.pool, generation, &shuffled).await;
    let hits = match_entries(&db.pool, generation, &MatchQuery { k: 7, ..query(&entries[0].embedding) })
        .await
        .unwrap();
    let found: Vec<Uuid> = hits.iter().map(|hit| hit.entry_id).collect();
    assert_eq!(found, entries[..7].iter().map(|entry| entry.id).collect::<Vec<_>>());
}

/// What an index job does with a changed picture: the old vectors go by their old class, the new ones come.
#[tokio::test]
async fn an_updated_picture_moves_to_its_new_class_and_is_there_once() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let old = pointing("photos/a.jpg", 0, 0, 0.0);
    store(&db.pool, generation, std::slice::from_ref(&old)).await;
    let mut new = pointing("photos/a.jpg", 2, 5, 0.0);
    new.id = old.id;
    new.etag = "2".to_owned();
    new.thumbnail = vec![1, 2, 3];
    let mut tx = db.pool.begin().await.unwrap();
    lock_generation(&mut tx, generation).await.unwrap();
    let known = find_manifest(&mut *tx, generation, std::slice::from_ref(&new.uri)).await.unwrap();
    assert_eq!(delete_entries(&mut tx, generation, &places(&known)).await.unwrap(), 1);
    commit_entries(&mut tx, generation, std::slice::from_ref(&new), Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    let entries = list_entries(&db.pool, generation, None, None, 10).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| (entry.entry_id, entry.class_id)).collect::<Vec<_>>(),
        [(old.id, 2)]
    );
    assert_eq!(find_thumbnail(&db.pool, generation, old.id).await.unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(
        list_partitions(&db.pool, generation).await.unwrap(),
        [partition(0, 2, 0), partition(1, 0, 0), partition(2, 1, 1)]
    );
    let manifest: Vec<ManifestRow> = find_manifest(&db.pool, generation, &[new.uri]).await.unwrap();
    assert_eq!((manifest.len(), manifest[0].class_id, manifest[0].etag.as_str()), (1, 2, "2"));
}

#[tokio::test]
async fn rows_under_a_prefix_are_listed_up_to_a_horizon_and_removed() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    assert_eq!(find_horizon(&db.pool, generation).await.unwrap(), 0);
    let entries = [
        pointing("photos/train/B.jpg", 0, 0, 0.0),
        pointing("photos/train/a.jpg", 1, 1, 0.0),
        pointing("photos/train/\u{1f4f7} \u{e4}.jpg", 1, 1, 0.0),
        pointing("photos/train_old/c.jpg", 1, 1, 0.0),
    ];
    store(&db.pool, generation, &entries).await;
    let horizon = find_horizon(&db.pool, generation).await.unwrap();
    assert_eq!(horizon, 4);
    store(&db.pool, generation, &[pointing("photos/train/new.jpg", 2, 0, 0.0)]).await;
    let list = async |after: &str, limit: i64| {
        list_manifest(&db.pool, generation, "photos/train/", after, horizon, limit).await.unwrap()
    };
    let all = list("", 10).await;
    let uris: Vec<&str> = all.iter().map(|row| row.uri.as_str()).collect();
    assert_eq!(uris, [&entries[0].uri, &entries[1].uri, &entries[2].uri], "byte by byte");
    assert_eq!(list(&entries[0].uri, 1).await, [all[1].clone()]);
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(delete_entries(&mut tx, generation, &places(&all[1..])).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(find_entry(&db.pool, generation, entries[1].id).await.unwrap(), None);
    assert_eq!(find_thumbnail(&db.pool, generation, entries[2].id).await.unwrap(), None);
    assert_eq!(list("", 10).await, all[..1]);
}

#[tokio::test]
async fn a_cleared_generation_is_empty_and_its_leaves_have_new_versions() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    store(&db.pool, generation, &[pointing("photos/a.jpg", 1, 0, 0.0)]).await;
    let mut tx = db.pool.begin().await.unwrap();
    clear_generation(&mut tx, generation).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(list_entries(&db.pool, generation, None, None, 10).await.unwrap(), []);
    assert_eq!(
        list_partitions(&db.pool, generation).await.unwrap(),
        [partition(0, 1, 0), partition(1, 2, 0), partition(2, 1, 0)]
    );
}

/// Batches that touch the same leaves in opposite orders, from several workers at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_commits_neither_deadlock_nor_lose_count() {
    const WRITERS: i32 = 6;
    const BATCHES: i32 = 15;
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let writers = (0..WRITERS).map(|writer| {
        let pool = db.pool.clone();
        tokio::spawn(async move {
            for batch in 0..BATCHES {
                let class = |n: i32| if writer % 2 == 0 { n } else { 2 - n };
                let entries: Vec<NewEntry> = (0..3)
                    .map(|n| pointing(&format!("photos/{writer}/{batch}/{n}.jpg"), class(n), 0, 0.0))
                    .collect();
                store(&pool, generation, &entries).await;
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let total = i64::from(WRITERS * BATCHES);
    let expected: Vec<Partition> = (0..3).map(|class| partition(class, total, total)).collect();
    assert_eq!(list_partitions(&db.pool, generation).await.unwrap(), expected);
}

/// Commit order is version order: a writer waits for the generation before it copies anything.
#[tokio::test]
async fn writers_of_one_generation_take_turns_and_those_of_two_do_not() {
    let db = TestDatabase::create().await;
    let one = gallery(&db.pool).await;
    let model = a_model(&db.pool, "scenes", &CLASSES, DIM).await;
    let other = a_generation(&db.pool, "other", model, 3, DIM).await;
    let mut first = db.pool.begin().await.unwrap();
    commit_entries(&mut first, one, &[pointing("photos/a.jpg", 0, 0, 0.0)], Uuid::now_v7()).await;
    store(&db.pool, other, &[pointing("photos/a.jpg", 0, 0, 0.0)]).await;
    let pool = db.pool.clone();
    let second = tokio::spawn(async move { store(&pool, one, &[pointing("photos/b.jpg", 0, 0, 0.0)]).await });
    wait_for_lock_waiters(&db.pool, 1).await;
    assert_eq!(list_partitions(&db.pool, one).await.unwrap()[0], partition(0, 0, 0));
    first.commit().await.unwrap();
    second.await.unwrap();
    assert_eq!(list_partitions(&db.pool, one).await.unwrap()[0], partition(0, 2, 2));
}

#[tokio::test]
async fn a_generation_swaps_in_and_its_tables_go() {
    let db = TestDatabase::create().await;
    let first = gallery(&db.pool).await;
    let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap();
    let model = index.model_id.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let second = indexes::insert_generation(&mut *tx, index.id, model, 3).await.unwrap();
    create_tables(&mut tx, second, 3, DIM).await.unwrap();
    indexes::activate_generation(&mut tx, index.id, second).await.unwrap();
    tx.commit().await.unwrap();
    let generations = indexes::list_generations(&db.pool, index.id).await.unwrap();
    let states: Vec<(i32, &str)> = generations.iter().map(|g| (g.id, g.state.as_str())).collect();
    assert_eq!(states, [(second, "active"), (first, "retired")]);
    let mut tx = db.pool.begin().await.unwrap();
    drop_tables(&mut tx, first).await.unwrap();
    drop_tables(&mut tx, first).await.unwrap();
    indexes::delete_generation(&mut *tx, first).await.unwrap();
    tx.commit().await.unwrap();
    let sql = "select count(*) from pg_tables where schemaname = 'gallery'";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(&db.pool).await.unwrap();
    assert_eq!(tables, 7, "the parent, three leaves, manifest, thumbnails and deletions of the second");
    assert_eq!(list_partitions(&db.pool, first).await.unwrap(), []);
}

#[tokio::test]
async fn a_rolled_back_batch_leaves_no_trace() {
    let db = TestDatabase::create().await;
    let generation = gallery(&db.pool).await;
    let mut tx = db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, &[pointing("photos/a.jpg", 0, 0, 0.0)], Uuid::now_v7()).await;
    drop(tx);
    wait_until("the rollback", SOON, || async {
        let mut tx = db.pool.begin().await.unwrap();
        lock_generation(&mut tx, generation).await.unwrap()
    })
    .await;
    assert_eq!(list_entries(&db.pool, generation, None, None, 10).await.unwrap(), []);
    assert_eq!(list_partitions(&db.pool, generation).await.unwrap()[0], partition(0, 0, 0));
}

#[tokio::test]
async fn a_generation_is_abandoned_once_its_rebuild_has_ended_without_it() {
    let db = TestDatabase::create().await;
    let model = a_model(&db.pool, "scenes", &["a", "b", "c"], DIM).await;
    let active = a_generation(&db.pool, "gallery", model, 3, DIM).await;
    let index = indexes::get_index(&db.pool, &"gallery".parse().unwrap()).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let begun = indexes::begin_generation(&mut tx, index.id, model, 3, DIM).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(indexes::list_abandoned(&db.pool).await.unwrap(), [begun]);

    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Rebuild)).await;
    let attempt = start(&db.pool, job, a_worker(&db.pool).await).await;
    let checkpoint = json!({"generation": begun});
    mark_progress(&db.pool, job, attempt.fence, &Progress::default(), Some(&checkpoint)).await.unwrap();
    assert_eq!(indexes::list_abandoned(&db.pool).await.unwrap(), Vec::<i32>::new());
    let finish = Finish { job_id: job, fence: attempt.fence, ending: Ending::Cancelled };
    finish_jobs(&db.pool, &[finish]).await.unwrap();
    assert_eq!(indexes::list_abandoned(&db.pool).await.unwrap(), [begun]);

    let mut tx = db.pool.begin().await.unwrap();
    indexes::drop_generation(&mut tx, begun).await.unwrap();
    tx.commit().await.unwrap();
    let left = indexes::list_generations(&db.pool, index.id).await.unwrap();
    assert_eq!(left.iter().map(|generation| generation.id).collect::<Vec<_>>(), [active]);
}
