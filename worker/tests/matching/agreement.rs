//! The engine in memory against the database's, and both against looking at every entry.

use futures::future::join_all;
use lookalike_shared::db::gallery::graphs::{Built, build_graph, find_outgrown};
use lookalike_shared::domain::search::{Probes, RankBy};
use lookalike_shared::testing::a_generation;
use lookalike_worker::matching::{Matcher, Wanted};
use rand::RngExt;
use serde_json::json;

use super::gallery::{CLASSES, DIM, Gallery, find, told, wanted};

/// Enough for everything here.
const AMPLE: u64 = 1 << 30;
/// Rounds of changes, and queries after each.
const ROUNDS: usize = 250;
const QUERIES: usize = 400;

/// 100 000 queries, between which entries come, go, change their class, and generations are rebuilt: ids, order and distances
/// are the same to the last bit.
#[tokio::test(flavor = "multi_thread")]
async fn engines_agree_on_a_hundred_thousand_queries_between_writes_and_rebuilds() {
    let mut gallery = Gallery::create(1).await;
    let (resident, database) = (
        Matcher::new(gallery.db.pool.clone(), AMPLE).unwrap(),
        Matcher::new(gallery.db.pool.clone(), 0).unwrap(),
    );
    gallery.change(400, 0, 0).await;
    for round in 0..ROUNDS {
        let (came, changed, gone) = match round % 5 {
            0 => (3, 0, 0),
            1 => (0, 2, 0),
            2 => (0, 0, 3),
            3 => (20, 10, 22),
            _ => (0, 0, 0),
        };
        gallery.change(came, changed, gone).await;
        if round % 50 == 49 {
            let name = format!("rebuilt-{round}");
            gallery.generation = a_generation(&gallery.db.pool, &name, gallery.model, CLASSES, DIM).await;
            gallery.entries.clear();
            gallery.change(300, 0, 0).await;
        }
        let queries: Vec<_> = (0..QUERIES)
            .map(|_| {
                let vector = gallery.vector();
                let k = [1, 10, 30][gallery.random.random_range(0..3)];
                let probes = [Probes::All, Probes::Auto, Probes::Fixed(1)][gallery.random.random_range(0..3)];
                let rank_by = [RankBy::Embedding, RankBy::Probabilities][gallery.random.random_range(0..2)];
                (vector, k, probes, rank_by)
            })
            .collect();
        let (db, generation) = (&gallery.db, gallery.generation);
        let both = join_all(queries.iter().map(|(vector, k, probes, rank_by)| {
            let wanted = Wanted { k: *k, probes: *probes, rank_by: *rank_by, ..wanted(vector) };
            let (resident, database) = (&resident, &database);
            async move {
                tokio::join!(find(db, resident, generation, &wanted), find(db, database, generation, &wanted))
            }
        }));
        for ((vector, k, probes, rank_by), (here, there)) in queries.iter().zip(both.await) {
            assert_eq!(told(&here), told(&there), "round {round}, {k} {probes} {rank_by:?}");
            assert_eq!((here.engine(), there.engine()), ("resident", "postgres"));
            if *probes == Probes::All {
                assert_eq!(told(&here), gallery.expected(vector, *rank_by, *k as usize));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_bounds_and_exclusions_mean_the_same_in_both_engines() {
    let mut gallery = Gallery::create(2).await;
    gallery.change(500, 0, 0).await;
    let mut tagged = gallery.new_entry();
    tagged.metadata = json!({"team": "x"}).as_object().unwrap().clone();
    tagged.uri = "photos/tagged/1.jpg".to_owned();
    super::gallery::store(&gallery.db, gallery.generation, &[], std::slice::from_ref(&tagged)).await;
    gallery.entries.insert(tagged.id, tagged.clone());
    let vector = gallery.vector();
    let (db, generation) = (&gallery.db, gallery.generation);
    let own = gallery.expected(&vector, RankBy::Embedding, 1)[0].0;
    let (team, nobody) = (json!({"team": "x"}), json!({"team": "y"}));
    for budget in [0, AMPLE] {
        let matcher = Matcher::new(db.pool.clone(), budget).unwrap();
        let base = wanted(&vector);
        let found = find(db, &matcher, generation, &Wanted { exclude: &[own], ..base.clone() }).await;
        assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 11)[1..]);
        let found =
            find(db, &matcher, generation, &Wanted { classes: Some(&[1, 3]), k: 1_000, ..base.clone() })
                .await;
        assert_eq!(
            found.hits.len(),
            gallery.entries.values().filter(|entry| entry.class_id % 2 == 1).count()
        );
        assert_eq!(found.partitions, 2);
        // Just what is within the bound, to the last of it.
        let tenth = gallery.expected(&vector, RankBy::Embedding, 10)[9].1;
        let bounded = Wanted { min_similarity: Some(1.0 / (1.0 + tenth) - 1e-9), k: 1_000, ..base.clone() };
        assert_eq!(
            told(&find(db, &matcher, generation, &bounded).await),
            gallery.expected(&vector, RankBy::Embedding, 10)
        );
        for (metadata, prefix, count) in [
            (Some(&team), None, 1),
            (Some(&nobody), None, 0),
            (None, Some("photos/tagged/"), 1),
            (Some(&team), Some("photos/%"), 0),
        ] {
            let filtered = Wanted { metadata, uri_prefix: prefix, ..base.clone() };
            let found = find(db, &matcher, generation, &filtered).await;
            assert_eq!((found.hits.len(), found.engine()), (count, "postgres"));
            assert!(found.hits.iter().all(|found| found.hit.entry_id == tagged.id));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn near_duplicates_are_told_once_however_many_there_are() {
    let mut gallery = Gallery::create(3).await;
    let vector = gallery.vector();
    let mut entries = Vec::new();
    for copy in 0..300 {
        let mut entry = gallery.new_entry();
        entry.perceptual_hash = if copy < 290 { 0xffff ^ (1 << (copy % 3)) } else { u64::MAX << (copy % 40) };
        entry.embedding.clone_from(&vector.embedding);
        entry.embedding[0] += copy as f32 / 100.0;
        entries.push(entry);
    }
    super::gallery::store(&gallery.db, gallery.generation, &[], &entries).await;
    for budget in [0, AMPLE] {
        let matcher = Matcher::new(gallery.db.pool.clone(), budget).unwrap();
        let collapsed = Wanted { collapse: Some(4), k: 3, ..wanted(&vector) };
        let found = find(&gallery.db, &matcher, gallery.generation, &collapsed).await;
        let ids: Vec<_> = told(&found).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids[0], entries[0].id);
        assert_eq!(ids.len(), 3);
        assert!(ids[1..].iter().all(|id| entries[290..].iter().any(|entry| entry.id == *id)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_with_a_graph_is_searched_exactly_where_it_is_in_memory() {
    let mut gallery = Gallery::create(4).await;
    gallery.change(1_200, 0, 0).await;
    let outgrown = find_outgrown(&gallery.db.pool, 100, &[]).await.unwrap().unwrap();
    assert_eq!(build_graph(&gallery.db.pool, &outgrown).await.unwrap(), Built::Ready);
    let vector = gallery.vector();
    for (budget, approximate) in [(0, 1), (AMPLE, 0)] {
        let matcher = Matcher::new(gallery.db.pool.clone(), budget).unwrap();
        let found = find(&gallery.db, &matcher, gallery.generation, &wanted(&vector)).await;
        assert_eq!(found.approximate, approximate);
        assert_eq!(told(&found), gallery.expected(&vector, RankBy::Embedding, 10));
    }
}
