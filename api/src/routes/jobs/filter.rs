//! What lists and bulk requests narrow jobs to.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use lookalike_shared::db::jobs::JobFilter;
use lookalike_shared::domain::job::{JobKind, JobState, Queue};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{List, Moment, Repeated};

/// A label asked for: `key:value`, or `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String, String);

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once([':', '=']) {
            Some(_) if text.contains('\0') => Err("a label holds no NUL".to_owned()),
            Some((key, value)) if !key.is_empty() => Ok(Self(key.to_owned(), value.to_owned())),
            _ => Err(format!("\"{}\" is no key:value", text.chars().take(80).collect::<String>())),
        }
    }
}

/// Filters of a list, all of which must hold.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Only these kinds: repeated, or separated by commas.
    #[param(value_type = Option<String>, example = "train,index")]
    kind: List<JobKind>,
    /// Only these states: repeated, or separated by commas.
    #[param(value_type = Option<String>, example = "queued,running")]
    state: List<JobState>,
    /// Only these queues: repeated, or separated by commas.
    #[param(value_type = Option<String>, example = "search")]
    queue: List<Queue>,
    /// Only jobs with this label, `key:value`; repeat it for several.
    #[param(value_type = Option<String>, example = "team:x")]
    label: Repeated<Label>,
    /// Only jobs submitted at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// Only jobs that are paused or about to be; with `false`, only others.
    paused: Option<bool>,
}

impl JobQuery {
    /// The filter of the database.
    pub fn filter(self) -> JobFilter {
        JobFilter {
            kinds: self.kind.0,
            states: self.state.0,
            queues: self.queue.0,
            labels: labels(self.label.0),
            since: self.since.map(|since| since.0),
            paused: self.paused,
            before: None,
        }
    }
}

/// Filters of a bulk request, all of which must hold. Lists may be written as text with commas.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkFilter {
    /// Only these kinds.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    kind: Words<JobKind>,
    /// Only these states.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    state: Words<JobState>,
    /// Only these queues.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    queue: Words<Queue>,
    /// Only jobs with these labels, each `key:value`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    label: Words<Label>,
    /// Only jobs submitted at this time or later.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
}

impl BulkFilter {
    /// The filter of the database, narrowed to the states of `within` and to what is paused or not. None when no
    /// state is left.
    pub fn filter(self, within: &[JobState], paused: Option<bool>) -> Option<JobFilter> {
        let asked = |state: &JobState| self.state.0.is_empty() || self.state.0.contains(state);
        let states: Vec<JobState> = within.iter().copied().filter(asked).collect();
        (!states.is_empty()).then(|| JobFilter {
            kinds: self.kind.0,
            states,
            queues: self.queue.0,
            labels: labels(self.label.0),
            since: self.since.map(|since| since.0),
            paused,
            before: None,
        })
    }
}

/// All of these labels, as the database is asked for them; none when there are none.
pub fn labels(labels: Vec<Label>) -> Option<serde_json::Value> {
    let labels: BTreeMap<String, String> = labels.into_iter().map(|Label(key, value)| (key, value)).collect();
    (!labels.is_empty()).then(|| serde_json::json!(labels))
}

/// Words of JSON: a list, or one text with commas.
#[derive(Debug, Clone)]
struct Words<T>(Vec<T>);

impl<T> Default for Words<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Words<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a list of texts, or one text with commas, expected")]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        let words = match Written::deserialize(deserializer)? {
            Written::One(text) => text.split(',').map(str::trim).map(str::to_owned).collect(),
            Written::Many(words) => words,
        };
        let words = words.iter().filter(|word| !word.is_empty());
        words.map(|word| word.parse().map_err(serde::de::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_filter_reads_lists_and_text() {
        let filter: BulkFilter =
            serde_json::from_str(r#"{"kind": "train, index", "state": ["queued"], "label": "a:b:c"}"#)
                .unwrap();
        let filter = filter.filter(&JobState::ALL, None).unwrap();
        assert_eq!(filter.kinds, [JobKind::Train, JobKind::Index]);
        assert_eq!(filter.states, [JobState::Queued]);
        assert_eq!(filter.labels, Some(serde_json::json!({"a": "b:c"})));
    }

    #[test]
    fn states_that_an_action_cannot_change_are_left_out() {
        let filter = |text| serde_json::from_str::<BulkFilter>(text).unwrap();
        assert!(filter(r#"{"state": "succeeded"}"#).filter(&[JobState::Queued], None).is_none());
        assert_eq!(filter("{}").filter(&[JobState::Queued], None).unwrap().states, [JobState::Queued]);
    }
}
