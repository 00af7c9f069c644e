//! Models: versions, what a name alone means, how that is taken back, lists, and labels.

use lookalike_shared::db::models::{
    delete_model, get_model, get_model_by_id, list_names, list_versions, merge_labels, roll_back, set_default,
};
use lookalike_shared::domain::name::{ModelRef, Name};
use lookalike_shared::testing::{TestDatabase, a_model};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

fn scenes() -> Name {
    "scenes".parse().unwrap()
}

async fn default_of(pool: &PgPool) -> i32 {
    get_model(pool, &ModelRef { name: scenes(), version: None }).await.unwrap().version
}

async fn version_of(pool: &PgPool, id: Uuid) -> i32 {
    get_model_by_id(pool, id).await.unwrap().version
}

#[tokio::test]
async fn a_version_is_never_given_to_a_second_model() {
    let db = TestDatabase::create().await;
    let first = a_model(&db.pool, "scenes", &["a"], 2).await;
    let second = a_model(&db.pool, "scenes", &["a"], 2).await;
    delete_model(&db.pool, second).await.unwrap();
    let third = a_model(&db.pool, "scenes", &["a"], 2).await;
    assert_eq!(version_of(&db.pool, third).await, 3, "2 was another model");
    for id in [first, third] {
        delete_model(&db.pool, id).await.unwrap();
    }
    let fourth = a_model(&db.pool, "scenes", &["a"], 2).await;
    assert_eq!(version_of(&db.pool, fourth).await, 4, "a name keeps its count without versions");
    let other = a_model(&db.pool, "other", &["a"], 2).await;
    assert_eq!(version_of(&db.pool, other).await, 1);
}

#[tokio::test]
async fn versions_from_before_the_count_are_counted() {
    let db = TestDatabase::create().await;
    a_model(&db.pool, "scenes", &["a"], 2).await;
    let second = a_model(&db.pool, "scenes", &["a"], 2).await;
    sqlx::raw_sql("drop table model_names").execute(&db.pool).await.unwrap();
    let migration = include_str!("../../../migrations/20261129000001_model_versions.sql");
    sqlx::raw_sql(migration).execute(&db.pool).await.unwrap();
    delete_model(&db.pool, second).await.unwrap();
    let third = a_model(&db.pool, "scenes", &["a"], 2).await;
    assert_eq!(version_of(&db.pool, third).await, 3);
}

#[tokio::test]
async fn lists_leave_out_what_of_a_card_grows_and_keep_the_rest() {
    let db = TestDatabase::create().await;
    let id = a_model(&db.pool, "scenes", &["a"], 2).await;
    let whole = json!({
        "pretrained": "x@1",
        "hardest": [{"uri": "photos/a.jpg"}],
        "dataset": {"train": 3, "images_per_class": {"a": 3}},
        "metrics": {"validation_accuracy": 0.5, "confusion": [[3]], "per_class": [{"class": 0}],
                    "calibration": {"temperature": 1.5, "bins": [{"confidence": 0.5}]}},
    });
    let sql = "update models set card = $1 where id = $2";
    sqlx::query(sql).bind(&whole).bind(id).execute(&db.pool).await.unwrap();
    a_model(&db.pool, "scenes", &["a"], 2).await;
    assert!(set_default(&db.pool, &scenes(), 1).await.unwrap());
    let brief = json!({
        "pretrained": "x@1",
        "dataset": {"train": 3},
        "metrics": {"validation_accuracy": 0.5, "calibration": {"temperature": 1.5}},
    });
    let versions = list_versions(&db.pool, &scenes(), None, None, 10).await.unwrap();
    assert_eq!(versions.iter().map(|model| &model.card).collect::<Vec<_>>(), [&json!({}), &brief]);
    assert_eq!(list_names(&db.pool, None, "", 10).await.unwrap()[0].default.card, brief);
    assert_eq!(get_model_by_id(&db.pool, id).await.unwrap().card, whole);
}

#[tokio::test]
async fn a_name_is_listed_with_its_newest_version_and_its_default_one() {
    let db = TestDatabase::create().await;
    for name in ["one", "scenes", "scenes", "scenes", "two", "two"] {
        a_model(&db.pool, name, &["a"], 2).await;
    }
    assert!(set_default(&db.pool, &scenes(), 2).await.unwrap());
    assert!(set_default(&db.pool, &"two".parse().unwrap(), 2).await.unwrap(), "a pin to the newest");
    let names = list_names(&db.pool, None, "", 10).await.unwrap();
    let told: Vec<_> =
        names.iter().map(|name| (name.latest.reference(), name.default.reference(), name.versions)).collect();
    let expected = [("one@1", "one@1", 1), ("scenes@3", "scenes@2", 3), ("two@2", "two@2", 2)];
    assert_eq!(
        told,
        expected.map(|(latest, default, versions)| (latest.to_owned(), default.to_owned(), versions))
    );
    assert!(
        names.iter().all(|name| name.default.is_default && name.latest.is_default == (name.versions != 3))
    );
    let page = list_names(&db.pool, None, "one", 1).await.unwrap();
    assert_eq!(page.iter().map(|name| &*name.latest.name).collect::<Vec<_>>(), ["scenes"]);
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
