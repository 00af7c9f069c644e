//! Leaves that have outgrown exact search: graphs that are built beside everything else, and found through.

use lookalike_shared::db::gallery::graphs::{
    Building, Built, Outgrown, build_graph, find_outgrown, interrupt_building, list_building,
};
use lookalike_shared::db::gallery::{MatchQuery, NewEntry, delete_entries, match_entries};
use lookalike_shared::db::generations;
use lookalike_shared::db::indexes::list_partitions;
use lookalike_shared::db::queue::mark_progress;
use lookalike_shared::domain::job::{JobKind, Progress};
use lookalike_shared::domain::search::RankBy;
use lookalike_shared::testing::{
    TestDatabase, a_generation, a_job_of, a_model, a_worker, an_entry, commit_entries, enqueue_one, start,
    wait_until,
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::SOON;

const DIM: i32 = 8;
/// Entries of the large leaf and of the small one.
const LARGE: usize = 3_000;
const SMALL: usize = 40;

/// An index whose leaf 0 is large.
async fn gallery(pool: &PgPool) -> (i32, Vec<NewEntry>) {
    let model = a_model(pool, "scenes", &["cat", "dog"], DIM).await;
    let generation = a_generation(pool, "gallery", model, 2, DIM).await;
    let entries: Vec<NewEntry> =
        (0..LARGE + SMALL).map(|number| entry(number, i32::from(number >= LARGE))).collect();
    store(pool, generation, &entries).await;
    (generation, entries)
}

/// An entry in some direction, the same for the same number.
fn entry(number: usize, class: i32) -> NewEntry {
    let mut state = number as u64 + 1;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u32 << 24) as f32 - 0.5
    };
    let values: Vec<f32> = (0..DIM).map(|_| random()).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let embedding: Vec<f32> = values.iter().map(|value| value / length).collect();
    an_entry(&format!("photos/{number}.jpg"), class, &[0.5, 0.5], &embedding)
}

async fn store(pool: &PgPool, generation: i32, entries: &[NewEntry]) {
    let mut tx = pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, entries, Uuid::now_v7()).await;
    tx.commit().await.unwrap();
}

fn query(vector: &[f32]) -> MatchQuery<'_> {
    MatchQuery {
        classes: &[],
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

async fn nearest(pool: &PgPool, generation: i32, vector: &[f32], graphs: &[i32]) -> Vec<Uuid> {
    let exact: Vec<i32> = [0, 1].into_iter().filter(|class| !graphs.contains(class)).collect();
    let query = MatchQuery { classes: &exact, approximate: graphs, ..query(vector) };
    match_entries(pool, generation, &query).await.unwrap().iter().map(|hit| hit.entry_id).collect()
}

#[tokio::test]
async fn a_leaf_that_has_outgrown_exact_search_gets_a_graph_and_the_others_stay_exact() {
    let db = TestDatabase::create().await;
    let (generation, entries) = gallery(&db.pool).await;
    let rows = i64::try_from(LARGE).unwrap();
    assert_eq!(find_outgrown(&db.pool, rows + 1, &[]).await.unwrap(), None);
    let outgrown = find_outgrown(&db.pool, rows, &[]).await.unwrap().unwrap();
    assert_eq!(outgrown, Outgrown { generation, class_id: 0, rows, embedding_dim: DIM });
    assert_eq!(build_graph(&db.pool, &outgrown).await.unwrap(), Built::Ready);
    let partitions = list_partitions(&db.pool, generation).await.unwrap();
    assert_eq!(partitions.iter().map(|partition| partition.has_graph).collect::<Vec<_>>(), [true, false]);
    assert_eq!(find_outgrown(&db.pool, rows, &[]).await.unwrap(), None);

    let mut found = 0;
    for asked in 0..50 {
        let vector = entry(10_000 + asked, 0).embedding;
        let exact = nearest(&db.pool, generation, &vector, &[]).await;
        let near = nearest(&db.pool, generation, &vector, &[0]).await;
        found += near.iter().filter(|id| exact.contains(id)).count();
    }
    assert!(found >= 490, "{found} of 500 found");

    // What is written from now on is in the graph, and what is deleted is not.
    let new = entry(20_000, 0);
    store(&db.pool, generation, std::slice::from_ref(&new)).await;
    assert_eq!(nearest(&db.pool, generation, &new.embedding, &[0]).await[0], new.id);
    let mut tx = db.pool.begin().await.unwrap();
    delete_entries(&mut tx, generation, &[(0, new.id), (0, entries[0].id)]).await.unwrap();
    tx.commit().await.unwrap();
    for gone in [&new, &entries[0]] {
        assert!(!nearest(&db.pool, generation, &gone.embedding, &[0]).await.contains(&gone.id));
    }
}

#[tokio::test]
async fn a_graph_is_what_is_searched_and_exact_searches_keep_away_from_it() {
    let db = TestDatabase::create().await;
    let (generation, _) = gallery(&db.pool).await;
    let outgrown = find_outgrown(&db.pool, 1_000, &[]).await.unwrap().unwrap();
    assert_eq!(build_graph(&db.pool, &outgrown).await.unwrap(), Built::Ready);
    let mut session = db.pool.acquire().await.unwrap();
    // So few entries are scanned faster; a leaf that has outgrown that is not.
    sqlx::raw_sql("set enable_seqscan = off; set enable_bitmapscan = off")
        .execute(&mut *session)
        .await
        .unwrap();
    let vector = entry(1, 0).embedding;
    // More often than PostgreSQL makes a plan for what is asked before it makes one for whatever is.
    for (approximate, exact) in [(&[0][..], &[1][..]), (&[], &[0, 1])] {
        for _ in 0..7 {
            let query = MatchQuery { classes: exact, approximate, ..query(&vector) };
            assert_eq!(match_entries(&mut *session, generation, &query).await.unwrap().len(), 10);
        }
        sqlx::query("select pg_stat_force_next_flush()").execute(&mut *session).await.unwrap();
    }
    let sql = "select idx_scan from pg_stat_user_indexes where indexrelname = 'g' || $1 || '_0_hnsw'";
    let used: i64 =
        sqlx::query_scalar(sql).bind(generation.to_string()).fetch_one(&mut *session).await.unwrap();
    assert_eq!(used, 7);
}

#[tokio::test]
async fn a_clear_breaks_a_building_off_and_leaves_no_graph() {
    let db = TestDatabase::create().await;
    let (generation, entries) = gallery(&db.pool).await;
    let outgrown = find_outgrown(&db.pool, 1_000, &[]).await.unwrap().unwrap();
    assert_eq!(find_outgrown(&db.pool, 1_000, &[(generation, 0)]).await.unwrap(), None);
    // The building waits for whoever has the leaf open.
    let mut open = db.pool.begin().await.unwrap();
    commit_entries(&mut open, generation, &[entry(40_000, 0)], Uuid::now_v7()).await;
    let pool = db.pool.clone();
    let build = tokio::spawn(async move { build_graph(&pool, &outgrown).await });
    wait_until("a building", SOON, || async {
        list_building(&db.pool, generation).await.unwrap().first().copied()
    })
    .await;
    assert_eq!(build_graph(&db.pool, &outgrown).await.unwrap(), Built::Elsewhere);
    open.rollback().await.unwrap();
    for _ in 0..2 {
        let mut tx = db.pool.begin().await.unwrap();
        generations::clear_entries(&mut tx, generation).await.unwrap();
        tx.commit().await.unwrap();
        let graphs: i64 = sqlx::query_scalar("select count(*) from pg_indexes where indexname like '%hnsw'")
            .fetch_one(&db.pool)
            .await
            .unwrap();
        assert_eq!(graphs, 0);
        assert!(
            list_partitions(&db.pool, generation)
                .await
                .unwrap()
                .iter()
                .all(|leaf| !leaf.has_graph && leaf.rows == 0)
        );
        store(&db.pool, generation, &entries).await;
        assert_eq!(build_graph(&db.pool, &outgrown).await.unwrap(), Built::Ready);
    }
    build.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leaf_that_a_job_is_filling_waits_for_its_graph() {
    let db = TestDatabase::create().await;
    let (generation, _) = gallery(&db.pool).await;
    let job = enqueue_one(&db.pool, &a_job_of(JobKind::Index)).await;
    let fence = start(&db.pool, job, a_worker(&db.pool).await).await.fence;
    let checkpoint = json!({"generation": generation});
    mark_progress(&db.pool, job, fence, &Progress::default(), Some(&checkpoint)).await.unwrap();
    assert_eq!(find_outgrown(&db.pool, 1_000, &[]).await.unwrap(), None);
}

#[tokio::test]
async fn a_building_shows_its_progress_keeps_nobody_from_writing_and_can_be_broken_off() {
    let db = TestDatabase::create().await;
    let (generation, _) = gallery(&db.pool).await;
    let outgrown = find_outgrown(&db.pool, 1_000, &[]).await.unwrap().unwrap();
    // The building waits for a transaction that has written to the leaf, for as long as that is open.
    let mut open = db.pool.begin().await.unwrap();
    commit_entries(&mut open, generation, &[entry(40_000, 0)], Uuid::now_v7()).await;
    let pool = db.pool.clone();
    let build = tokio::spawn(async move { build_graph(&pool, &outgrown).await });
    let shown = wait_until("a building that is shown", SOON, || async {
        let building = list_building(&db.pool, generation).await.unwrap();
        building.first().copied()
    })
    .await;
    assert_eq!(shown, Building { class_id: 0, progress: 0.0 });
    store_elsewhere(&db.pool, generation).await;
    interrupt_building(&db.pool, generation).await.unwrap();
    assert_eq!(build.await.unwrap().unwrap(), Built::Interrupted);
    open.commit().await.unwrap();

    // What it left is cleared away by the next.
    assert_eq!(build_graph(&db.pool, &outgrown).await.unwrap(), Built::Ready);
    let new = entry(40_000, 0);
    let found = nearest(&db.pool, generation, &new.embedding, &[0]).await;
    assert_eq!(found.len(), 10);
    assert!(list_building(&db.pool, generation).await.unwrap().is_empty());
}

/// Writes to another leaf beside the building.
async fn store_elsewhere(pool: &PgPool, generation: i32) {
    let entry = entry(50_000, 1);
    let mut tx = pool.begin().await.unwrap();
    lookalike_shared::db::gallery::replace_entries(&mut tx, generation, &[], &[entry], Uuid::nil())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}
