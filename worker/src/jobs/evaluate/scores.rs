//! Sums over queries, and what is told of them.

use lookalike_shared::domain::search::Probes;
use serde_json::{Map, Value, json};

use super::RANKINGS;
use super::judge::Judged;
use crate::models::StoredModel;

/// Sums over queries.
pub struct Scores {
    k: Vec<u32>,
    pub queries: u64,
    settings: Vec<Setting>,
    classes: Vec<OfClass>,
}

/// Sums of a setting.
struct Setting {
    probes: Probes,
    partitions: u64,
    entries: u64,
    /// For each ranking, for each class.
    sums: [Vec<Sums>; 2],
}

#[derive(Clone, Default)]
struct OfClass {
    queries: u64,
    predicted: u64,
}

/// Sums of a ranking over queries.
#[derive(Clone, Default)]
struct Sums {
    /// At each K.
    precision: Vec<f64>,
    recall: Vec<f64>,
    average: f64,
    kept: f64,
}

impl Scores {
    pub fn new(k: &[u32], settings: &[Probes], classes: usize) -> Self {
        let none = Sums { precision: vec![0.0; k.len()], recall: vec![0.0; k.len()], ..Sums::default() };
        let setting = |probes: &Probes| Setting {
            probes: *probes,
            partitions: 0,
            entries: 0,
            sums: RANKINGS.map(|_| vec![none.clone(); classes]),
        };
        let settings = settings.iter().map(setting).collect();
        Self { k: k.to_vec(), queries: 0, settings, classes: vec![OfClass::default(); classes] }
    }

    pub fn add(&mut self, query: &Judged) {
        self.queries += 1;
        let class = &mut self.classes[query.class];
        class.queries += 1;
        class.predicted += u64::from(query.predicted == query.class);
        for (setting, answers) in self.settings.iter_mut().zip(&query.answers) {
            // Which partitions are looked into does not depend on the ranking.
            setting.partitions += answers[0].partitions as u64;
            setting.entries += answers[0].entries.unsigned_abs();
            for (sums, answer) in setting.sums.iter_mut().zip(answers) {
                sums[query.class].add(&self.k, &answer.right, query.relevant, answer.kept);
            }
        }
    }

    /// What was asked for first, and every setting beside it.
    pub fn result(&self, model: &StoredModel, failed: u64) -> Value {
        let asked = &self.settings[0];
        let [embedding, probabilities] = asked.whole();
        let queries = self.queries as f64;
        let right = self.classes.iter().map(|class| class.predicted).sum::<u64>();
        let per_class: Vec<_> = (0..self.classes.len())
            .filter(|class| self.classes[*class].queries > 0)
            .map(|class| self.class_result(model.class_name(class), class))
            .collect();
        json!({
            "queries": self.queries,
            "failed": failed,
            "model": model.row.reference(),
            "accuracy": right as f64 / queries,
            "probes": asked.probes,
            "precision_at": by_ranking(&embedding, &probabilities, |sums| self.at(&sums.precision, queries)),
            "recall_at": by_ranking(&embedding, &probabilities, |sums| self.at(&sums.recall, queries)),
            "map": embedding.average / queries,
            "map_by": by_ranking(&embedding, &probabilities, |sums| json!(sums.average / queries)),
            "per_class": per_class,
            "routing_recall": embedding.kept / queries,
            "partitions_probed": asked.partitions as f64 / queries,
            "settings": self.settings.iter().map(|setting| self.setting_result(setting)).collect::<Vec<_>>(),
        })
    }

    fn setting_result(&self, setting: &Setting) -> Value {
        let queries = self.queries as f64;
        let [embedding, probabilities] = setting.whole();
        json!({
            "probes": setting.probes,
            "partitions_probed": setting.partitions as f64 / queries,
            "entries_scanned": setting.entries as f64 / queries,
            "routing_recall": by_ranking(&embedding, &probabilities, |sums| json!(sums.kept / queries)),
            "precision_at": by_ranking(&embedding, &probabilities, |sums| self.at(&sums.precision, queries)),
            "recall_at": by_ranking(&embedding, &probabilities, |sums| self.at(&sums.recall, queries)),
            "map_by": by_ranking(&embedding, &probabilities, |sums| json!(sums.average / queries)),
        })
    }

    fn class_result(&self, name: &str, class: usize) -> Value {
        let queries = self.classes[class].queries as f64;
        let [embedding, probabilities] = &self.settings[0].sums;
        let (embedding, probabilities) = (&embedding[class], &probabilities[class]);
        json!({
            "class": name,
            "queries": self.classes[class].queries,
            "accuracy": self.classes[class].predicted as f64 / queries,
            "precision_at": by_ranking(embedding, probabilities, |sums| self.at(&sums.precision, queries)),
            "recall_at": by_ranking(embedding, probabilities, |sums| self.at(&sums.recall, queries)),
            "map": embedding.average / queries,
            "map_by": by_ranking(embedding, probabilities, |sums| json!(sums.average / queries)),
        })
    }

    /// The mean at each K.
    fn at(&self, sums: &[f64], queries: f64) -> Value {
        let means = self.k.iter().zip(sums).map(|(k, sum)| (k.to_string(), json!(sum / queries)));
        Value::Object(means.collect::<Map<_, _>>())
    }
}

impl Setting {
    /// Over all classes.
    fn whole(&self) -> [Sums; 2] {
        [0, 1].map(|ranking: usize| {
            let mut whole = Sums::default();
            self.sums[ranking].iter().for_each(|sums| whole.merge(sums));
            whole
        })
    }
}

impl Sums {
    fn add(&mut self, k: &[u32], right: &[bool], relevant: u64, kept: f64) {
        for (position, k) in k.iter().enumerate() {
            let count = right.iter().take(*k as usize).filter(|right| **right).count() as f64;
            self.precision[position] += count / f64::from(*k);
            self.recall[position] += count / relevant.max(1) as f64;
        }
        self.average += average_precision(right);
        self.kept += kept;
    }

    fn merge(&mut self, other: &Self) {
        for (sums, others) in [(&mut self.precision, &other.precision), (&mut self.recall, &other.recall)] {
            sums.resize(others.len(), 0.0);
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
        self.average += other.average;
        self.kept += other.kept;
    }
}

fn by_ranking(embedding: &Sums, probabilities: &Sums, of: impl Fn(&Sums) -> Value) -> Value {
    json!({ "embedding": of(embedding), "probabilities": of(probabilities) })
}

/// Average precision over the hits: the mean of the precision at each right hit (Manning, Raghavan, Schütze,
/// *Introduction to Information Retrieval*, 2008, section 8.4), relative to the right hits found.
pub fn average_precision(right: &[bool]) -> f64 {
    let (mut found, mut sum) = (0.0, 0.0);
    for (position, right) in right.iter().enumerate() {
        if *right {
            found += 1.0;
            sum += found / (position + 1) as f64;
        }
    }
    if found == 0.0 { 0.0 } else { sum / found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_rewards_early_hits() {
        assert_eq!(average_precision(&[true, true, false]), 1.0);
        assert_eq!(average_precision(&[false, true]), 0.5);
        assert_eq!(average_precision(&[true, false, true]), (1.0 + 2.0 / 3.0) / 2.0);
        assert_eq!(average_precision(&[false]), 0.0);
    }

    #[test]
    fn missing_hits_count_as_wrong_and_recall_is_of_all_that_there_are() {
        let mut sums = Sums { precision: vec![0.0; 2], recall: vec![0.0; 2], ..Sums::default() };
        sums.add(&[1, 2], &[true], 4, 1.0);
        assert_eq!((sums.precision, sums.recall), (vec![1.0, 0.5], vec![0.25, 0.25]));
    }
}
