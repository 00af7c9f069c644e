//! Models: what a name alone means, how that is taken back, and labels.

use lookalike_shared::db::models::{
    delete_model, get_model, list_names, list_versions, merge_labels, roll_back, set_default,
};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::testing::{TestDatabase, a_model};
use serde_json::json;
use sqlx::PgPool;

fn scenes() -> Name {
    "scenes".parse().unwrap()
}

async fn default_of(pool: &PgPool) -> i32 {
    get_model(pool, &ModelRef { name: scenes(), version: None }).await.unwrap().version
}

#[tokio::test]
async fn a_rollback_takes_back_promotions_and_new_versions_one_by_one() {
    let db = TestDatabase::create().await;
    for _ in 0..3 {
        a_model(&db.pool, "scenes", &["a"], 2).await;
    }
    assert!(set_default(&db.pool, &scenes(), 1).await.unwrap());
    assert!(set_default(&db.pool, &scenes(), 1).await.unwrap(), "changes nothing");
    assert!(!set_default(&db.pool, &scenes(), 9).await.unwrap(), "there is none");
    a_model(&db.pool, "scenes", &["a"], 2).await;
    assert_eq!(default_of(&db.pool).await, 1, "a pin stays when a version is added");
    let mut seen = Vec::new();
    while let Some(version) = roll_back(&db.pool, &scenes()).await.unwrap() {
        assert_eq!(default_of(&db.pool).await, version);
        seen.push(version);
    }
    assert_eq!(seen, [3, 2, 1], "before the promotion it was 3, which came after 2 and 1");
}

#[tokio::test]
async fn a_rollback_skips_versions_that_are_gone_and_the_present_one() {
    let db = TestDatabase::create().await;
    let first = a_model(&db.pool, "scenes", &["a"], 2).await;
    assert_eq!(roll_back(&db.pool, &scenes()).await.unwrap(), None, "it was never another");
    let second = a_model(&db.pool, "scenes", &["a"], 2).await;
    delete_model(&db.pool, second).await.unwrap();
    assert_eq!(default_of(&db.pool).await, 1);
    assert_eq!(roll_back(&db.pool, &scenes()).await.unwrap(), None, "1 is the default again");
    a_model(&db.pool, "scenes", &["a"], 2).await;
    delete_model(&db.pool, first).await.unwrap();
    assert_eq!(roll_back(&db.pool, &scenes()).await.unwrap(), None, "what was the default is gone");
}

#[tokio::test]
async fn labels_are_merged_within_their_bound_and_found() {
    let db = TestDatabase::create().await;
    let first = a_model(&db.pool, "scenes", &["a"], 2).await;
    a_model(&db.pool, "scenes", &["a"], 2).await;
    a_model(&db.pool, "other", &["a"], 2).await;
    let merged = merge_labels(&db.pool, first, &json!({"team": "x", "stage": "test"}), 2).await.unwrap();
    assert_eq!(merged, Some(json!({"team": "x", "stage": "test"})));
    assert_eq!(merge_labels(&db.pool, first, &json!({"more": "y"}), 2).await.unwrap(), None, "too many");
    let merged = merge_labels(&db.pool, first, &json!({"stage": null, "more": "y"}), 2).await.unwrap();
    assert_eq!(merged, Some(json!({"team": "x", "more": "y"})));
    let labels = json!({"team": "x"});
    let names = list_names(&db.pool, Some(&labels), "", 10).await.unwrap();
    let told: Vec<_> = names.iter().map(|name| (name.latest.reference(), name.versions)).collect();
    assert_eq!(told, [("scenes@2".to_owned(), 2)]);
    let versions = list_versions(&db.pool, &scenes(), Some(&labels), None, 10).await.unwrap();
    assert_eq!(versions.iter().map(|model| model.version).collect::<Vec<_>>(), [1]);
}
