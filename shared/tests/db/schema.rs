//! The database's own rules say the same as the enums.

use std::collections::BTreeSet;

use lookalike_shared::db::{self, MigrateError};
use lookalike_shared::domain::generation::GenerationState;
use lookalike_shared::domain::job::{JobKind, JobState, Queue};
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::TestDatabase;
use sqlx::PgPool;

/// The words that a CHECK of the form `column in ('a', 'b')` allows.
async fn allowed_words(pool: &PgPool, constraint: &str) -> BTreeSet<String> {
    let sql = "select pg_get_constraintdef(oid) from pg_constraint where conname = $1";
    let definition: String = sqlx::query_scalar(sql).bind(constraint).fetch_one(pool).await.unwrap();
    let quoted = definition.split('\'').skip(1).step_by(2);
    quoted.map(ToOwned::to_owned).collect()
}

fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> BTreeSet<String> {
    all.iter().map(|value| word(*value).to_owned()).collect()
}

#[tokio::test]
async fn the_checks_allow_what_the_enums_know() {
    let db = TestDatabase::create().await;
    assert_eq!(allowed_words(&db.pool, "jobs_state_check").await, words(&JobState::ALL, JobState::as_str));
    assert_eq!(allowed_words(&db.pool, "jobs_kind_check").await, words(&JobKind::ALL, JobKind::as_str));
    assert_eq!(allowed_words(&db.pool, "keys_scope_check").await, words(&Scope::ALL, Scope::as_str));
    let standing = words(&GenerationState::ALL, GenerationState::as_str);
    assert_eq!(allowed_words(&db.pool, "generations_state_check").await, standing);
    let finished = JobState::ALL.into_iter().filter(|state| state.is_final()).collect::<Vec<_>>();
    assert_eq!(allowed_words(&db.pool, "jobs_finished").await, words(&finished, JobState::as_str));
}

#[tokio::test]
async fn the_table_of_queues_holds_what_the_enum_knows() {
    let db = TestDatabase::create().await;
    let stored: Vec<String> =
        sqlx::query_scalar("select name from queues").fetch_all(&db.pool).await.unwrap();
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), words(&Queue::ALL, Queue::as_str));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_migrated_database_can_be_migrated_again_by_several_at_once() {
    let db = TestDatabase::create().await;
    assert!(db::is_migrated(&db.pool).await.unwrap());
    let again = (0..3).map(|_| {
        let pool = db.pool.clone();
        tokio::spawn(async move { db::migrate(&pool).await })
    });
    for done in futures::future::join_all(again).await {
        done.unwrap().unwrap();
    }
    assert!(db::is_migrated(&db.pool).await.unwrap());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let db = TestDatabase::create().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (99990101000000, 'to come', true, '', 0)";
    sqlx::query(newer).execute(&db.pool).await.unwrap();
    let error = db::migrate(&db.pool).await.unwrap_err();
    assert!(matches!(error, MigrateError::Newer(99_990_101_000_000)), "{error}");
}

#[tokio::test]
async fn a_database_that_was_never_migrated_is_told_apart() {
    let db = TestDatabase::create().await;
    sqlx::query("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .execute(&db.pool)
        .await
        .unwrap();
    assert!(!db::is_migrated(&db.pool).await.unwrap());
}
