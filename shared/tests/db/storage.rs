//! Where PostgreSQL puts what an entry holds.

use lookalike_shared::testing::{TestDatabase, a_generation, a_model, an_entry, commit_entries};
use sqlx::PgPool;
use uuid::Uuid;

/// How many values were put apart from their rows in a generation of this shape, and how many bytes a row takes in its page.
async fn apart(pool: &PgPool, classes: usize, values: usize) -> (i64, i64) {
    let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (count, dim) = (i32::try_from(classes).unwrap(), i32::try_from(values).unwrap());
    let model = a_model(pool, &format!("model-{classes}-{values}"), &names, dim).await;
    let generation = a_generation(pool, &format!("index-{classes}-{values}"), model, count, dim).await;
    // No two values are alike, so that nothing can be made shorter.
    let probabilities: Vec<f32> = (0..classes).map(|class| 1.0 / (class as f32 + 3.7)).collect();
    let embedding: Vec<f32> = (0..values).map(|value| 1.0 / (value as f32 + 1.3)).collect();
    let mut tx = pool.begin().await.unwrap();
    let entry = an_entry("photos/a.jpg", 0, &probabilities, &embedding);
    commit_entries(&mut tx, generation, &[entry], Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    let sql = format!(
        "select (pg_column_size(g.*) - pg_column_size(probabilities) - pg_column_size(embedding))::bigint from gallery.g{generation} g"
    );
    let beside: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
    let leaf = format!("gallery.g{generation}_0");
    let toast = "select reltoastrelid::regclass::text from pg_class where oid = $1::regclass";
    let toast: String = sqlx::query_scalar(toast).bind(&leaf).fetch_one(pool).await.unwrap();
    let sql = format!("select count(distinct chunk_id) from {toast}");
    (sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap(), beside)
}

#[tokio::test]
async fn vectors_stay_in_their_leaf_and_only_probabilities_of_many_classes_lie_apart() {
    let db = TestDatabase::create().await;
    for (classes, values, expected) in [(20, 256, 0), (255, 1_280, 0), (20, 3_500, 0)] {
        assert_eq!(apart(&db.pool, classes, values).await.0, expected, "{classes} classes, {values} values");
    }
    // The embedding stays, though it is the larger one of both.
    for (classes, values) in [(400, 256), (300, 1_280), (1_000, 256), (1_000, 2_048)] {
        let (apart, beside) = apart(&db.pool, classes, values).await;
        assert_eq!(apart, 1, "{classes} classes, {values} values");
        assert!(beside < 600, "{beside} bytes beside the vectors");
    }
    // No page holds it.
    assert_eq!(apart(&db.pool, 20, 4_096).await.0, 1);
}
