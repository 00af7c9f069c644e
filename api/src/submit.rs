//! How a job enters: checked, enqueued with its pictures in one transaction, answered with 202 or, when the
//! client waits for it and it ends in time, with 200 and its result.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use lookalike_shared::db::jobs::{self, Job};
use lookalike_shared::db::queue::{self, NewJob};
use lookalike_shared::db::{DbError, PgConnection, pictures};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::jobs::{Payload, Search, Submission};
use serde_json::json;

use crate::auth::Caller;
use crate::feed::Ending;
use crate::idempotency::{self, Answer, Created, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};
use crate::prefer;
use crate::problem::ApiError;
use crate::state::State;
use crate::together::{Pictures, new_pictures};
use crate::views::job::JobView;

/// Submits a job. `pictures` are the query pictures of a search with their weights, in order; other kinds have
/// none. What needs the database (does the index exist?) is checked by the caller before.
///
/// # Errors
/// 422 with every rule that payload and submission break; what [`idempotency::with_idempotency`] refuses.
pub async fn submit<P: Payload, R>(
    state: &State,
    caller: &Caller<R>,
    request: &HttpRequest,
    payload: P,
    submission: Submission,
    pictures: Vec<(f32, Vec<u8>)>,
) -> Result<HttpResponse, ApiError> {
    submit_after(state, caller, request, payload, submission, pictures, async |_: &mut PgConnection| Ok(()))
        .await
}

/// Submits a job as [`submit`] does, once `prepare` has done its part in the same transaction.
///
/// # Errors
/// Those of [`submit`], and what `prepare` refuses.
pub async fn submit_after<P: Payload, R>(
    state: &State,
    caller: &Caller<R>,
    request: &HttpRequest,
    payload: P,
    submission: Submission,
    pictures: Vec<(f32, Vec<u8>)>,
    prepare: impl AsyncFnOnce(&mut PgConnection) -> Result<(), ApiError>,
) -> Result<HttpResponse, ApiError> {
    let errors = [payload.check(), submission.check()].concat();
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let hash = hash_of(request, &payload, &submission, &pictures);
    let job = NewJob::new(&payload, submission, Some(caller.key().id));
    let work = async |tx: &mut PgConnection| {
        prepare(&mut *tx).await?;
        create(tx, &job, &pictures).await
    };
    let answer = idempotency::with_idempotency(state, caller, request, hash, work).await?;
    respond(state, request, answer).await
}

/// Submits a search. Without an idempotency key it shares its transaction with those that come at the same time.
///
/// # Errors
/// Those of [`submit`].
pub async fn submit_search<R>(
    state: &State,
    caller: &Caller<R>,
    request: &HttpRequest,
    search: Search,
    submission: Submission,
    pictures: Pictures,
) -> Result<HttpResponse, ApiError> {
    if request.headers().contains_key(IDEMPOTENCY_KEY) {
        return submit(state, caller, request, search, submission, pictures).await;
    }
    let job = NewJob::new(&search, submission, Some(caller.key().id));
    let id = job.id;
    // Before anybody can take the job.
    let ending = state.feed.ending_of(id.0);
    let stored = state.together.enqueue(job, pictures).await?;
    if let Some(wait) = prefer::wait(request) {
        // The job is stored, whatever becomes of the wait.
        if let Ok(job) = ended_within(state, id, ending, wait).await
            && job.state.is_final()
        {
            return Ok(finished(job, wait, false));
        }
    }
    Ok(accepted(Answer { created: created(stored), replayed: false }))
}

async fn create(
    tx: &mut PgConnection,
    job: &NewJob,
    pictures: &[(f32, Vec<u8>)],
) -> Result<Created, ApiError> {
    if !pictures.is_empty() {
        pictures::insert_pictures(&mut *tx, &new_pictures(job.id, pictures)).await?;
    }
    let stored = queue::enqueue(&mut *tx, std::slice::from_ref(job)).await?;
    stored.into_iter().next().map(created).ok_or_else(|| DbError::not_found("job", job.id).into())
}

/// The answer that a job was enqueued.
///
/// # Errors
/// 503 when the database is away.
pub async fn enqueued(tx: &mut PgConnection, id: JobId) -> Result<Created, ApiError> {
    Ok(created(jobs::get_job(&mut *tx, id).await?))
}

fn created(job: Job) -> Created {
    let location = Some(location(job.id));
    Created { status: StatusCode::ACCEPTED, location, body: json!(JobView::from(job)) }
}

/// Answers at once, or waits as the client prefers. A repeated request waits for the job it asked for first.
///
/// # Errors
/// None: the job is stored, whatever becomes of the wait.
pub async fn respond(state: &State, request: &HttpRequest, answer: Answer) -> Result<HttpResponse, ApiError> {
    let Some(wait) = prefer::wait(request) else { return Ok(accepted(answer)) };
    let id = answer.created.body.get("id").and_then(|id| id.as_str()?.parse().ok());
    let Some(id) = id.map(JobId) else { return Ok(accepted(answer)) };
    match wait_for_end(state, id, wait).await {
        Ok(job) if job.state.is_final() => Ok(finished(job, wait, answer.replayed)),
        // The job is stored, whatever became of the wait.
        Ok(_) | Err(_) => Ok(accepted(answer)),
    }
}

fn finished(job: Job, wait: Duration, replayed: bool) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_LOCATION, location(job.id)));
    response.insert_header((prefer::PREFERENCE_APPLIED, prefer::applied(wait)));
    if replayed {
        response.insert_header((IDEMPOTENT_REPLAYED, "true"));
    }
    response.json(JobView::from(job))
}

fn accepted(answer: Answer) -> HttpResponse {
    let mut response = answer.respond();
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

/// Where a job is.
pub fn location(id: JobId) -> String {
    format!("/v1/jobs/{id}")
}

/// The job once it has ended, or as it is after `wait` or when the service stops.
///
/// # Errors
/// 404 when there is no such job.
pub async fn wait_for_end(state: &State, id: JobId, wait: Duration) -> Result<Job, ApiError> {
    let ending = state.feed.ending_of(id.0);
    let job = state.together.job(id).await?;
    if job.state.is_final() || wait.is_zero() {
        return Ok(job);
    }
    ended_within(state, id, ending, wait).await
}

/// The job once it has ended, or as it is after `wait` or when the service stops.
async fn ended_within(state: &State, id: JobId, mut ending: Ending, wait: Duration) -> Result<Job, ApiError> {
    let ended = tokio::select! {
        job = ending.ended() => job,
        () = tokio::time::sleep(wait) => None,
        () = state.stop.cancelled() => None,
    };
    match ended {
        Some(job) => Ok(job),
        None => state.together.job(id).await,
    }
}

fn hash_of<P: Payload>(
    request: &HttpRequest,
    payload: &P,
    submission: &Submission,
    pictures: &[(f32, Vec<u8>)],
) -> [u8; 32] {
    let payload = serde_json::to_vec(payload).expect("a payload is plain data");
    let submission = serde_json::to_vec(submission).expect("a submission is plain data");
    let weights: Vec<[u8; 4]> = pictures.iter().map(|(weight, _)| weight.to_le_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![&payload, &submission];
    for (weight, (_, bytes)) in weights.iter().zip(pictures) {
        parts.push(weight);
        parts.push(bytes);
    }
    idempotency::request_hash(request, &parts)
}
