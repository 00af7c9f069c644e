//! Live changes of jobs as server-sent events.
//!
//! A stream first replays from the database what happened after `Last-Event-ID` (or `?after=`), then follows the
//! [`crate::feed`]. It subscribes before it reads, and skips what it sent, so nothing is lost or sent twice.
//! A stream that falls behind reads the database again.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use chrono::Utc;
use futures::Stream;
use lookalike_shared::db::{events, jobs};
use lookalike_shared::domain::job::JobId;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, interval_at};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::auth::Caller;
use crate::extract::Query;
use crate::feed::{BATCH, Change};
use crate::problem::ApiError;
use crate::state::State;
use crate::views::event::{self, EventView};

/// How often a stream that has nothing to say says so.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a stream waits for a database that is away before it asks again.
const RETRY: Duration = Duration::from_secs(1);

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(all).service(of_job);
}

/// Where a stream goes on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct After {
    /// The last event id that the client has; `Last-Event-ID` means the same and goes first.
    #[param(value_type = Option<i64>)]
    after: Option<i64>,
}

/// Changes of all jobs, from now on or after the given id. When that id is no longer kept the stream begins with
/// `resync` and goes on from now.
#[utoipa::path(
    tag = "events",
    params(After, ("Last-Event-ID" = Option<i64>, Header, description = "The last event id that the client has")),
    responses((status = 200, description = "Events; `data:` is a JobEvent", body = EventView, content_type = "text/event-stream"))
)]
#[get("/events")]
async fn all(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    after: Query<After>,
) -> Result<HttpResponse, ApiError> {
    let changes = state.feed.follow();
    let (oldest, newest) = events::find_bounds(&state.db).await?;
    let asked = last_event_id(&request).or(after.after);
    let resync = asked.is_some_and(|id| is_lost(id, oldest, newest));
    let last = if resync { newest } else { asked.unwrap_or(newest) };
    let resync = resync.then(|| event::resync(newest, Utc::now()));
    Ok(respond(Follower::new(state, changes, None, last), resync))
}

/// Changes of one job, from its first kept one or after the given id. The stream ends after the job's end; a
/// client that has seen the end is answered 204.
#[utoipa::path(
    tag = "events",
    params(
        ("id" = Uuid, Path),
        After,
        ("Last-Event-ID" = Option<i64>, Header, description = "The last event id that the client has")
    ),
    responses(
        (status = 200, description = "Events; `data:` is a JobEvent", body = EventView, content_type = "text/event-stream"),
        (status = 204, description = "The job has ended and the client has seen it")
    )
)]
#[get("/jobs/{id}/events")]
async fn of_job(
    _caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<Uuid>,
    after: Query<After>,
) -> Result<HttpResponse, ApiError> {
    let id = JobId(*id);
    let changes = state.feed.follow();
    let job = jobs::get_job(&state.db, id).await?;
    let (oldest, newest) = events::find_bounds(&state.db).await?;
    let asked = last_event_id(&request).or(after.after);
    let resync = asked.is_some_and(|id| is_lost(id, oldest, newest));
    // What is kept of this job is little, so it is all sent again.
    let last = if resync { 0 } else { asked.unwrap_or(0) };
    let resync = resync.then(|| event::resync(oldest.saturating_sub(1), Utc::now()));
    if job.state.is_final() && events::list_events(&state.db, Some(id), last, 1).await?.is_empty() {
        return Ok(match resync {
            None => HttpResponse::NoContent().finish(),
            Some(resync) => stream_headers().body(resync),
        });
    }
    Ok(respond(Follower::new(state, changes, Some(id), last), resync))
}

fn last_event_id(request: &HttpRequest) -> Option<i64> {
    request.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// Whether events after `asked` may be missing from what is kept.
fn is_lost(asked: i64, oldest: i64, newest: i64) -> bool {
    asked > newest || asked.saturating_add(1) < oldest
}

fn stream_headers() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream");
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response.insert_header(("x-accel-buffering", "no"));
    // Compressed, events would wait in the compressor.
    response.insert_header(ContentEncoding::Identity);
    response
}

fn respond(follower: Follower, resync: Option<Bytes>) -> HttpResponse {
    stream_headers().streaming(follower.stream(resync))
}

/// One client that follows.
struct Follower {
    state: web::Data<State>,
    changes: Receiver<Arc<Change>>,
    job: Option<JobId>,
    /// The newest event that was sent, or skipped as another job's.
    last: i64,
    /// Whether the newest event that was replayed was the end of the job.
    ended: bool,
    keep_alive: Interval,
}

/// What a follower does next.
enum Next {
    Send(Bytes),
    SendLast(Bytes),
    Replay,
    End,
}

impl Follower {
    fn new(state: web::Data<State>, changes: Receiver<Arc<Change>>, job: Option<JobId>, last: i64) -> Self {
        let keep_alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        Self { state, changes, job, last, ended: false, keep_alive }
    }

    fn stream(mut self, resync: Option<Bytes>) -> Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>>>> {
        Box::pin(async_stream::stream! {
            // The first bytes make proxies and browsers open the stream.
            yield Ok(Bytes::from_static(b": connected\n\n"));
            if let Some(resync) = resync {
                yield Ok(resync);
            }
            let mut next = Next::Replay;
            loop {
                match next {
                    Next::End => return,
                    Next::Send(frame) => yield Ok(frame),
                    Next::SendLast(frame) => {
                        yield Ok(frame);
                        return;
                    }
                    Next::Replay => loop {
                        let Some((frames, ended, full)) = self.replay_patiently().await else { return };
                        if !frames.is_empty() {
                            yield Ok(frames);
                        }
                        if ended {
                            return;
                        }
                        if !full {
                            break;
                        }
                    },
                }
                next = self.next().await;
            }
        })
    }

    /// The same as [`Self::replay`], tried until the database answers; none when the service stops first.
    async fn replay_patiently(&mut self) -> Option<(Bytes, bool, bool)> {
        loop {
            match self.replay().await {
                Ok(batch) => return Some(batch),
                Err(error) => {
                    tracing::debug!(cause = ?error.cause(), "a stream cannot read events; trying again")
                }
            }
            let stop = self.state.stop.clone();
            stop.run_until_cancelled(tokio::time::sleep(RETRY)).await?;
        }
    }

    /// A batch of what the database holds, whether the job ended with it, and whether there may be more.
    async fn replay(&mut self) -> Result<(Bytes, bool, bool), ApiError> {
        let events = events::list_events(&self.state.db, self.job, self.last, BATCH).await?;
        let full = events.len() as i64 == BATCH;
        if let Some(last) = events.last() {
            self.last = last.id;
            self.ended = self.job.is_some() && event::is_final(last);
        }
        let frames: Vec<Bytes> = events.iter().map(event::frame).collect();
        Ok((frames.concat().into(), self.ended && !full, full))
    }

    async fn next(&mut self) -> Next {
        loop {
            let change = tokio::select! {
                () = self.state.stop.cancelled() => return Next::End,
                _ = self.keep_alive.tick() => return Next::Send(Bytes::from_static(b": keep-alive\n\n")),
                change = self.changes.recv() => change,
            };
            match change {
                Ok(change) if change.event.id <= self.last => {}
                Ok(change) => {
                    self.last = change.event.id;
                    match self.job {
                        None => return Next::Send(change.frame.clone()),
                        Some(job) if job.0 != change.event.job_id => {}
                        Some(_) if event::is_final(&change.event) => {
                            return Next::SendLast(change.frame.clone());
                        }
                        Some(_) => return Next::Send(change.frame.clone()),
                    }
                }
                Err(RecvError::Lagged(_)) => return Next::Replay,
                Err(RecvError::Closed) => return Next::End,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_lost_when_events_after_it_are_gone_or_it_never_was() {
        assert!(!is_lost(0, 0, 0));
        assert!(!is_lost(0, 1, 9));
        assert!(!is_lost(4, 5, 9));
        assert!(!is_lost(9, 5, 9));
        assert!(is_lost(3, 5, 9));
        assert!(is_lost(10, 5, 9));
        assert!(is_lost(1, 0, 0));
    }
}
