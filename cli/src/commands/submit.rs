//! What every command that submits a job has in common.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::parse_pair;
use crate::client::Client;
use crate::error::CliError;
use crate::follow::{self, Display};
use crate::output;
use crate::render::{fields, results};

/// How a job is submitted and followed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Job")]
pub struct SubmitArgs {
    /// Print the job's id and do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
    /// Higher goes first within a queue, -100 to 100
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// How often the job may be tried
    #[arg(long, value_name = "N")]
    max_attempts: Option<i32>,
    /// A label to find the job by; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    label: Vec<(String, String)>,
}

impl SubmitArgs {
    /// Adds what the user said of the job to its payload.
    pub fn add_to(&self, payload: &mut Payload) {
        payload.set("priority", self.priority).set("max_attempts", self.max_attempts);
        if !self.label.is_empty() {
            payload.set("labels", Some(self.label.iter().cloned().collect::<BTreeMap<_, _>>()));
        }
    }
}

/// A request's fields: those that the user left open are left to the server.
#[derive(Debug, Clone, Default)]
pub struct Payload(Map<String, Value>);

impl Payload {
    /// Sets a field if there is a value.
    pub fn set(&mut self, name: &str, value: Option<impl Serialize>) -> &mut Self {
        if let Some(value) = value {
            let value = serde_json::to_value(value).expect("a value of strings and numbers");
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// The JSON.
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// Submits a job and, unless told otherwise, follows it to its end and prints its result.
///
/// # Errors
/// A refusal, Ctrl-C, or a job that ends without a result.
pub async fn submit(
    client: &Client,
    kind: &str,
    mut payload: Payload,
    args: &SubmitArgs,
    json: bool,
) -> Result<(), CliError> {
    args.add_to(&mut payload);
    let job = client.post(&format!("/v1/jobs/{kind}"), &payload.into_json()).await?;
    conclude(client, job, args.no_wait, json).await
}

/// Follows a submitted job as far as wanted and prints what came of it.
///
/// # Errors
/// As [`submit`].
pub async fn conclude(client: &Client, job: Value, no_wait: bool, json: bool) -> Result<(), CliError> {
    if no_wait {
        return if json { output::json(&job) } else { output::line(fields::text(&job, "/id")) };
    }
    let display = if json { Display::beside_json() } else { Display::for_people() };
    let job = follow::to_end(client, job, display).await?;
    if json {
        output::json(&job)?;
    } else if job["state"] == "succeeded" {
        output::line(results::summary(&job))?;
    }
    follow::check(&job)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_given_is_not_sent() {
        let args = SubmitArgs { label: vec![("team".to_owned(), "x".to_owned())], ..SubmitArgs::default() };
        let mut payload = Payload::default();
        payload.set("index", Some("gallery")).set("model", None::<String>);
        args.add_to(&mut payload);
        assert_eq!(payload.into_json(), json!({"index": "gallery", "labels": {"team": "x"}}));
    }
}
