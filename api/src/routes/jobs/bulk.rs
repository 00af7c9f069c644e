//! One action on many jobs: those named, or those that pass a filter.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, post, web};
use lookalike_shared::db::jobs::{self, Standing};
use lookalike_shared::db::{DbError, PgPool, pausing, queue};
use lookalike_shared::domain::job::{JobId, JobState};
use lookalike_shared::domain::scope::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::BulkFilter;
use crate::auth::{Caller, Submit};
use crate::extract::Json;
use crate::problem::ApiError;
use crate::state::State;
use crate::views::job::{BulkAnswer, BulkItem};

/// The most jobs of one request.
pub const MAX_BULK: usize = 1_000;

/// What may be done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Stop it.
    Cancel,
    /// Send it back to its queue.
    Retry,
    /// Forget it.
    Delete,
    /// Keep it from running, or stop it and keep what it has done.
    Pause,
    /// Let a paused one go on.
    Resume,
}

impl Action {
    /// The states in which it does something.
    pub fn states(self) -> &'static [JobState] {
        match self {
            Self::Cancel => &[
                JobState::Scheduled,
                JobState::Queued,
                JobState::Running,
                JobState::Retrying,
                JobState::Cancelling,
            ],
            Self::Retry => &[JobState::Failed, JobState::Cancelled],
            Self::Delete => &[JobState::Succeeded, JobState::Failed, JobState::Cancelled],
            Self::Pause => &[JobState::Queued, JobState::Running, JobState::Retrying],
            Self::Resume => &[JobState::Queued, JobState::Running],
        }
    }

    /// Whether it is for paused jobs only, or for others only.
    fn paused(self) -> Option<bool> {
        match self {
            Self::Cancel | Self::Retry | Self::Delete => None,
            Self::Pause => Some(false),
            Self::Resume => Some(true),
        }
    }

    /// Whether a job that stands so is, or already was, where the action leads.
    fn allows(self, job: Standing) -> bool {
        let paused = self != Self::Resume || job.paused;
        let was_there = self == Self::Cancel && job.state == JobState::Cancelled;
        was_there || (paused && self.states().contains(&job.state))
    }

    /// 409: why a job that stands so refuses.
    pub fn refusal(self, id: JobId, job: Standing) -> ApiError {
        let done = match self {
            Self::Cancel => "cancelled",
            Self::Retry => "retried",
            Self::Delete => "deleted",
            Self::Pause => "paused",
            Self::Resume => {
                let state = job.state.as_str();
                return ApiError::conflict(format!("job {id} is {state} and not paused"));
            }
        };
        let states: Vec<_> = self.states().iter().map(|state| state.as_str()).collect();
        let (state, states) = (job.state.as_str(), states.join(", "));
        ApiError::conflict(format!("job {id} is {state}; only a job that is {states} can be {done}"))
    }

    async fn run(self, db: &PgPool, ids: &[JobId]) -> Result<BTreeSet<JobId>, DbError> {
        Ok(match self {
            Self::Cancel => queue::cancel_jobs(db, ids).await?.into_iter().map(|(id, _)| id).collect(),
            Self::Retry => queue::retry_jobs(db, ids).await?.into_iter().collect(),
            Self::Delete => jobs::delete_jobs(db, ids).await?.into_iter().collect(),
            Self::Pause => pausing::pause_jobs(db, ids).await?.into_iter().map(|(id, _)| id).collect(),
            Self::Resume => pausing::resume_jobs(db, ids).await?.into_iter().collect(),
        })
    }
}

/// An action and the jobs it is for: either `ids` or `filter`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkRequest {
    /// What to do.
    action: Action,
    /// These jobs, at most 1000.
    #[serde(default)]
    #[schema(value_type = Option<Vec<uuid::Uuid>>, max_items = 1000)]
    ids: Option<Vec<JobId>>,
    /// The newest 1000 jobs that pass and that the action can change; `{}` means all.
    #[serde(default)]
    filter: Option<BulkFilter>,
    /// Only tell what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Cancels, retries, pauses, resumes or deletes up to 1000 jobs and answers for each. Needs scope `submit`, and `manage` to delete.
#[utoipa::path(
    tag = "jobs",
    request_body = BulkRequest,
    responses((status = 200, description = "What became of each job", body = BulkAnswer))
)]
#[post("/jobs/bulk")]
pub(super) async fn bulk(
    caller: Caller<Submit>,
    state: web::Data<State>,
    request: Json<BulkRequest>,
) -> Result<HttpResponse, ApiError> {
    let BulkRequest { action, ids, filter, dry_run } = request.0;
    if action == Action::Delete {
        caller.require(Scope::Manage)?;
    }
    let ids = chosen(&state.db, action, ids, filter).await?;
    let changed = if dry_run { BTreeSet::new() } else { action.run(&state.db, &ids).await? };
    let standings = jobs::list_standings(&state.db, &ids).await?;
    let standings: BTreeMap<JobId, Standing> = standings.into_iter().collect();
    let items: Vec<BulkItem> = ids
        .iter()
        .map(|id| match (changed.contains(id), standings.get(id)) {
            (true, _) => fine(*id),
            (false, None) => refused(*id, &ApiError::not_found("job", id)),
            (false, Some(job)) if action.allows(*job) => fine(*id),
            (false, Some(job)) => refused(*id, &action.refusal(*id, *job)),
        })
        .collect();
    let affected = items.iter().filter(|item| item.ok).count();
    Ok(HttpResponse::Ok().json(BulkAnswer { affected, dry_run, items }))
}

async fn chosen(
    db: &PgPool,
    action: Action,
    ids: Option<Vec<JobId>>,
    filter: Option<BulkFilter>,
) -> Result<Vec<JobId>, ApiError> {
    match (ids, filter) {
        (Some(mut ids), None) if (1..=MAX_BULK).contains(&ids.len()) => {
            let mut seen = BTreeSet::new();
            ids.retain(|id| seen.insert(*id));
            Ok(ids)
        }
        (Some(ids), None) => {
            let detail = format!("{} jobs are named, 1 to {MAX_BULK} expected", ids.len());
            Err(ApiError::invalid_field("/ids", detail))
        }
        (None, Some(filter)) => {
            let Some(filter) = filter.filter(action.states(), action.paused()) else { return Ok(Vec::new()) };
            let found = jobs::list_jobs(db, &filter, MAX_BULK as i64).await?;
            Ok(found.into_iter().map(|job| job.id).collect())
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(ApiError::invalid_field("", "either ids or filter is expected"))
        }
    }
}

fn fine(id: JobId) -> BulkItem {
    BulkItem { id, ok: true, problem: None }
}

fn refused(id: JobId, error: &ApiError) -> BulkItem {
    BulkItem { id, ok: false, problem: Some(error.problem(None, None)) }
}
