//! SQLSTATEs and constraint names become the errors that callers tell apart.

use std::time::Duration;

use lookalike_shared::config::{DatabaseConfig, Secret};
use lookalike_shared::db::models::{delete_model, find_model, get_model};
use lookalike_shared::db::{DbError, connect, indexes, jobs, keys};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::testing::{TestDatabase, a_generation, a_key, a_model};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

#[tokio::test]
async fn a_taken_name_is_a_conflict_that_says_of_what() {
    let db = TestDatabase::create().await;
    a_key(&db.pool, "ci", Scope::Read).await;
    let name = "ci".parse().unwrap();
    let key = keys::NewKey {
        id: Uuid::now_v7(),
        name: &name,
        hash: b"other",
        hint: "x",
        scope: Scope::Read,
        expires_at: None,
    };
    let error = keys::insert_key(&db.pool, &key).await.unwrap_err();
    assert!(matches!(&error, DbError::Conflict(_)), "{error:?}");
    assert_eq!(error.to_string(), "a key of that name exists already");
    indexes::insert_index(&db.pool, Uuid::now_v7(), &name).await.unwrap();
    let error = indexes::insert_index(&db.pool, Uuid::now_v7(), &name).await.unwrap_err();
    assert_eq!(error.to_string(), "an index of that name exists already");
}

#[tokio::test]
async fn a_model_in_use_is_not_deleted() {
    let db = TestDatabase::create().await;
    let model = a_model(&db.pool, "scenes", &["a"], 4).await;
    a_generation(&db.pool, "gallery", model, 1, 4).await;
    let error = delete_model(&db.pool, model).await.unwrap_err();
    assert!(matches!(&error, DbError::Conflict(_)), "{error:?}");
    assert_eq!(error.to_string(), "an index uses this model");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let db = TestDatabase::create().await;
    let id = JobId::generate();
    let error = jobs::get_job(&db.pool, id).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no job \"{id}\""));
    let error = get_model(&db.pool, &"scenes@2".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no model \"scenes@2\"");
    assert_eq!(find_model(&db.pool, &"scenes".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_database_that_goes_away_is_worth_another_try() {
    let db = TestDatabase::create().await;
    let nowhere =
        DatabaseConfig { url: Secret::new("postgres://nobody@127.0.0.1:1/none"), max_connections: 1 };
    let error = tokio::time::timeout(Duration::from_secs(30), connect(&nowhere)).await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error}");
    // A session that is shot down in the middle of a statement: class 57, or the connection is just gone.
    let pool = PgPoolOptions::new().max_connections(1).connect(&db.url).await.unwrap();
    let error =
        sqlx::query("select pg_terminate_backend(pg_backend_pid())").execute(&pool).await.unwrap_err();
    assert!(DbError::from(error).is_transient());
}

#[tokio::test]
async fn a_lock_that_is_not_given_in_time_is_worth_another_try_and_a_bug_is_not() {
    let db = TestDatabase::create().await;
    let mut holder = db.pool.begin().await.unwrap();
    sqlx::query("lock table jobs").execute(&mut *holder).await.unwrap();
    let mut waiter = db.pool.begin().await.unwrap();
    sqlx::query("set local lock_timeout = '10ms'").execute(&mut *waiter).await.unwrap();
    let error = jobs::find_job(&mut *waiter, JobId::generate()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = sqlx::query("select no_such_column from keys").execute(&db.pool).await.unwrap_err();
    assert!(!DbError::from(error).is_transient());
}

#[tokio::test]
async fn a_stored_word_of_another_version_is_named() {
    let db = TestDatabase::create().await;
    let id = lookalike_shared::testing::enqueue_one(&db.pool, &lookalike_shared::testing::a_job()).await;
    sqlx::raw_sql("alter table jobs drop constraint jobs_kind_check; update jobs set kind = 'paint'")
        .execute(&db.pool)
        .await
        .unwrap();
    let error = jobs::get_job(&db.pool, id).await.unwrap_err();
    assert!(error.to_string().contains("unknown kind \"paint\""), "{error}");
}
