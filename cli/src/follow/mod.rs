//! Following a job to its end, over broken connections and restarts of the server.

mod display;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::client::events::{Event, EventStream, Next};
use crate::error::CliError;
use crate::render::{fields, results};

pub use display::Display;

/// How long a server may be away before following it ends.
const PATIENCE: Duration = Duration::from_secs(120);
/// The first wait before a stream is opened again.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Follows a job, given as the server told it, and gives it back as it ended.
///
/// # Errors
/// Ctrl-C, which leaves the job running; a server that stays away; a refusal.
pub async fn to_end(client: &Client, job: Value, mut display: Display) -> Result<Value, CliError> {
    let id = fields::text(&job, "/id");
    if is_final(&job) {
        return Ok(job);
    }
    let ended = tokio::select! {
        ended = watch(client, &id, &mut display) => ended,
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted(format!(
            "not watching any more: job {id} goes on\n  watch it again:  lookalike jobs watch {id}\n  cancel it:       lookalike jobs cancel {id}"
        ))),
    };
    display.finish();
    ended
}

/// Whether the job is told as ended.
pub fn is_final(job: &Value) -> bool {
    matches!(job.get("state").and_then(Value::as_str), Some("succeeded" | "failed" | "cancelled"))
}

/// An error for a job that ended without a result.
///
/// # Errors
/// [`CliError::JobEnded`] unless it succeeded.
pub fn check(job: &Value) -> Result<(), CliError> {
    match job.get("state").and_then(Value::as_str) {
        Some("succeeded") => Ok(()),
        _ => Err(CliError::JobEnded(results::ending(job))),
    }
}

async fn watch(client: &Client, id: &str, display: &mut Display) -> Result<Value, CliError> {
    let path = format!("/v1/jobs/{id}");
    let mut events = EventStream::new(client, &format!("{path}/events"));
    let mut away = Away::default();
    loop {
        match events.next().await {
            Ok(Next::Event(event)) => {
                away = Away::default();
                display.show(&event)?;
                if !ends_stream(&event) {
                    continue;
                }
            }
            Ok(Next::Ended) => {}
            Err(error @ CliError::Unreachable(_)) => away.bear(error, id)?,
            Err(error) => return Err(error),
        }
        match client.get(&path, &[]).await {
            Ok(job) if is_final(&job) => return Ok(job),
            Ok(_) => {}
            Err(error @ CliError::Unreachable(_)) => away.bear(error, id)?,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(away.next_wait()).await;
    }
}

/// Whether the job's own state has to be asked for: it ended, or events were missed.
fn ends_stream(event: &Event) -> bool {
    event.kind == "resync" || is_final(&event.data)
}

/// How long the server has been away.
#[derive(Debug, Default)]
struct Away {
    since: Option<Instant>,
    waits: u32,
}

impl Away {
    fn bear(&mut self, error: CliError, id: &str) -> Result<(), CliError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return Ok(());
        }
        Err(CliError::Unreachable(format!("{error}\n  job {id} may go on: lookalike jobs watch {id}")))
    }

    fn next_wait(&mut self) -> Duration {
        let wait = (FIRST_WAIT * 2_u32.pow(self.waits.min(8))).min(LONGEST_WAIT);
        self.waits += 1;
        wait
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_final_states_end_a_job() {
        for (state, ended) in
            [("running", false), ("cancelling", false), ("failed", true), ("succeeded", true)]
        {
            assert_eq!(is_final(&json!({"state": state})), ended, "{state}");
        }
    }

    #[test]
    fn a_failed_job_tells_why() {
        let job = json!({"id": "1", "kind": "index", "state": "failed", "attempt": 3,
                         "error": {"code": "source_not_found", "detail": "there is no source \"x\""}});
        let error = check(&job).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("there is no source \"x\""), "{error}");
    }

    #[test]
    fn waits_grow_while_the_server_is_away() {
        let mut away = Away::default();
        let waits: Vec<_> = (0..7).map(|_| away.next_wait().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    }
}
