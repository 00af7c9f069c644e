//! Finds the look-alikes of a picture: what is asked ([`question`]) is matched, and what was found is told ([`telling`]).

mod question;
mod telling;

use std::slice;
use std::time::Instant;

use lookalike_shared::db::DbError;
use lookalike_shared::db::generations::has_vanished;
use lookalike_shared::domain::search::NEAR_DUPLICATE_BITS;
use lookalike_shared::jobs::{Example, QueryExample, Search};
use serde_json::Value;
use uuid::Uuid;

use crate::matching::{MatchError, Wanted};
use crate::models::StoredModel;
use crate::runtime::context::{JobContext, JobError, JobOutcome};

pub use question::{Question, ask_together};

/// How often a search whose generation was dropped meanwhile begins again with the one that took its place.
const SWAPS: usize = 3;

/// Why a search found nothing to tell.
#[derive(Debug, Clone)]
pub enum Miss {
    /// Its generation was dropped between the look at the index and the match.
    Vanished,
    /// Anything else.
    Failed(JobError),
}

impl From<JobError> for Miss {
    fn from(error: JobError) -> Self {
        Self::Failed(error)
    }
}

impl From<DbError> for Miss {
    fn from(error: DbError) -> Self {
        if has_vanished(&error) { Self::Vanished } else { Self::Failed(error.into()) }
    }
}

impl From<MatchError> for Miss {
    fn from(error: MatchError) -> Self {
        if error.has_vanished() { Self::Vanished } else { Self::Failed(error.into()) }
    }
}

/// Whether something that is asked with lies in a source.
pub fn reads_a_source(context: &JobContext) -> bool {
    // What cannot be read is told when the search is begun.
    context.payload::<Search>().is_ok_and(|search| search.query.reads_a_source())
}

/// Searches alone from beginning to end.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    tokio::select! {
        asked = ask_alone(&context) => answer(&context, asked).await,
        // A source that says nothing is not waited for.
        () = context.stop.tripped() => Err(JobError::Stopped),
    }
}

/// Matches what was asked and tells what was found, where, and how long each step took.
///
/// # Errors
/// What the question or the match failed with.
pub async fn answer(context: &JobContext, mut asked: Result<Question, Miss>) -> Result<JobOutcome, JobError> {
    for _ in 0..SWAPS {
        context.check_stop()?;
        let found = match asked {
            Ok(question) => find(context, question).await,
            Err(miss) => Err(miss),
        };
        match found {
            Ok(answer) => return Ok(JobOutcome::Result(answer)),
            Err(Miss::Vanished) => asked = ask_alone(context).await,
            Err(Miss::Failed(error)) => return Err(error),
        }
    }
    let detail = "the generations of the index are dropped one after the other";
    Err(JobError::retry("generation_vanished", detail))
}

async fn ask_alone(context: &JobContext) -> Result<Question, Miss> {
    let broken_off = || JobError::retry("search_broken_off", "the search was not begun");
    ask_together(slice::from_ref(context)).await.pop().unwrap_or_else(|| Err(broken_off().into()))
}

/// Searches the generation that was active when the index was looked up, with its model, whatever is swapped meanwhile.
async fn find(context: &JobContext, mut question: Question) -> Result<Value, Miss> {
    let started = Instant::now();
    let Question { search, index, generation, model, vector, .. } = &question;
    let classes = search.filter.class.as_ref().map(|names| class_numbers(names, model)).transpose()?;
    let metadata =
        (!search.filter.metadata.is_empty()).then(|| Value::Object(search.filter.metadata.clone()));
    let exclude = asked_with(search);
    let wanted = Wanted {
        vector,
        probes: search.probes,
        temperature: model.temperature(),
        rank_by: search.rank_by,
        k: search.k,
        classes: classes.as_deref(),
        metadata: metadata.as_ref(),
        min_similarity: search.min_similarity,
        exclude: &exclude,
        uri_prefix: search.filter.uri_prefix.as_deref(),
        collapse: search.collapse_duplicates.then_some(NEAR_DUPLICATE_BITS),
    };
    let found = context.services.matcher.find(*generation, &index.partitions, &wanted).await?;
    question.timings.matching = question::elapsed_ms(started);
    Ok(telling::answer(&question, &found))
}

fn class_numbers(names: &[String], model: &StoredModel) -> Result<Vec<usize>, JobError> {
    let number = |name: &String| {
        let position = model.row.classes.iter().position(|class| class == name);
        let unknown = || format!("model {} has no class \"{name}\"", model.row.reference());
        position.ok_or_else(|| JobError::permanent("unknown_class", unknown()))
    };
    names.iter().map(number).collect()
}

/// The entries that are asked with are no hits.
fn asked_with(search: &Search) -> Vec<Uuid> {
    let entry = |part: QueryExample| match part.of {
        Example::Entry { entry_id } => Some(entry_id),
        Example::Picture { .. } | Example::Object { .. } => None,
    };
    search.query.parts().into_iter().filter_map(entry).collect()
}
