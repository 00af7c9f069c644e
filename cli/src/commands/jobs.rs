//! `lookalike jobs`

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::submit::conclude;
use super::{connect, parse_pair};
use crate::client::{Client, TargetArgs};
use crate::error::CliError;
use crate::follow::{self, Display};
use crate::output;
use crate::render::{self, Column, Format, results};

const EXAMPLES: &str = "\
Examples:
  lookalike jobs list --state failed --since 1d
  lookalike jobs watch 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10
  lookalike jobs cancel 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10";

/// List, watch and control jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, newest first
    #[command(after_help = "Example:\n  lookalike jobs list --kind index --state running")]
    List(ListArgs),
    /// Show one job
    #[command(after_help = "Example:\n  lookalike jobs show 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10 --json")]
    Show {
        /// The job
        id: String,
    },
    /// Follow one job to its end; with --json, one event a line
    #[command(after_help = "Example:\n  lookalike jobs watch 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10 --json")]
    Watch {
        /// The job
        id: String,
    },
    /// Stop jobs that have not ended
    #[command(after_help = "Example:\n  lookalike jobs cancel 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10")]
    Cancel {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Keep jobs from running; those that run stop and keep what they have done
    #[command(after_help = "Example:\n  lookalike jobs pause 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10")]
    Pause {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Let paused jobs go on
    #[command(after_help = "Example:\n  lookalike jobs resume 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10")]
    Resume {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Try a job that failed or was cancelled again
    #[command(after_help = "Example:\n  lookalike jobs retry 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10 --no-wait")]
    Retry {
        /// The job
        id: String,
        /// Do not wait for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// List the pictures that a job failed with, and why
    #[command(after_help = super::items::EXAMPLES)]
    Items(super::items::ItemsArgs),
    /// Index again only the pictures that an index job failed with
    #[command(
        after_help = "Example:\n  lookalike jobs retry-failed 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10 --code storage_refused"
    )]
    RetryFailed(super::items::RetryArgs),
    /// Delete jobs that have ended
    #[command(after_help = "Example:\n  lookalike jobs delete 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10")]
    Delete {
        /// The jobs
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only this state
    #[arg(long)]
    state: Option<String>,
    /// Only this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only jobs with this label
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    label: Option<(String, String)>,
    /// Only jobs made since then: a time, or a distance such as 30m, 12h or 7d
    #[arg(long, value_parser = parse_since)]
    since: Option<DateTime<Utc>>,
    /// The most jobs to list
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

const COLUMNS: &[Column] = &[
    ("ID", "/id", Format::Text),
    ("KIND", "/kind", Format::Text),
    ("STATE", "/state", Format::Text),
    ("PROGRESS", "/progress", Format::Progress),
    ("TRIES", "/attempt", Format::Text),
    ("MADE", "/created_at", Format::Age),
];

const CARD: &[Column] = &[
    ("id", "/id", Format::Text),
    ("kind", "/kind", Format::Text),
    ("queue", "/queue", Format::Text),
    ("state", "/state", Format::Text),
    ("reason", "/state_reason", Format::Text),
    ("error", "/error/detail", Format::Text),
    ("progress", "/progress", Format::Progress),
    ("attempt", "/attempt", Format::Text),
    ("of attempts", "/max_attempts", Format::Text),
    ("next attempt", "/next_attempt_at", Format::Age),
    ("worker", "/worker", Format::Text),
    ("labels", "/labels", Format::Text),
    ("made", "/created_at", Format::Age),
    ("started", "/started_at", Format::Age),
    ("finished", "/finished_at", Format::Age),
];

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List(filters) => {
            let jobs = client.list("/v1/jobs", &filters.query(), filters.limit).await?;
            render::print_list(&jobs, COLUMNS, "there are no such jobs", json)
        }
        Action::Show { id } => show(&client.get(&format!("/v1/jobs/{id}"), &[]).await?, json),
        Action::Watch { id } => watch(&client, &id, json).await,
        Action::Cancel { ids } => each(&client, &ids, json, Each::Cancel).await,
        Action::Pause { ids } => each(&client, &ids, json, Each::Pause).await,
        Action::Resume { ids } => each(&client, &ids, json, Each::Resume).await,
        Action::Delete { ids } => each(&client, &ids, json, Each::Delete).await,
        Action::Items(args) => super::items::list(&client, &args, json).await,
        Action::RetryFailed(args) => super::items::retry(&client, &args, json).await,
        Action::Retry { id, no_wait } => {
            let job = client.post(&format!("/v1/jobs/{id}/retry"), &json!({})).await?;
            conclude(&client, job, no_wait, json).await
        }
    }
}

impl ListArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let since = self.since.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        let fields = [
            ("kind", self.kind.clone()),
            ("state", self.state.clone()),
            ("queue", self.queue.clone()),
            ("label", self.label.as_ref().map(|(name, value)| format!("{name}:{value}"))),
            ("since", since),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn show(job: &Value, json: bool) -> Result<(), CliError> {
    render::print_card(job, CARD, json)?;
    if !json && job["state"] == "succeeded" {
        output::line(format!("\n{}", results::summary(job)))?;
    }
    Ok(())
}

async fn watch(client: &Client, id: &str, json: bool) -> Result<(), CliError> {
    let job = client.get(&format!("/v1/jobs/{id}"), &[]).await?;
    let display = if json { Display::JsonLines } else { Display::for_people() };
    let job = follow::to_end(client, job, display).await?;
    if json {
        output::json_line(&job)?;
    } else if job["state"] == "succeeded" {
        output::line(results::summary(&job))?;
    }
    follow::check(&job)
}

#[derive(Debug, Clone, Copy)]
enum Each {
    Cancel,
    Pause,
    Resume,
    Delete,
}

impl Each {
    fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }
}

/// A job, its state, and why it stands there.
fn told_of(id: &str, job: &Value) -> String {
    let reason = job["state_reason"].as_str().map_or(String::new(), |reason| format!(" ({reason})"));
    format!("{id} {}{reason}", render::fields::text(job, "/state"))
}

async fn each(client: &Client, ids: &[String], json: bool, action: Each) -> Result<(), CliError> {
    let mut answers = Vec::new();
    for id in ids {
        let path = format!("/v1/jobs/{id}");
        let (answer, told) = match action {
            Each::Cancel | Each::Pause | Each::Resume => {
                let job = client.post(&format!("{path}/{}", action.verb()), &json!({})).await?;
                let told = told_of(id, &job);
                (job, told)
            }
            Each::Delete => {
                client.delete(&path).await?;
                (json!({"id": id, "deleted": true}), format!("{id} deleted"))
            }
        };
        if !json {
            output::line(told)?;
        }
        answers.push(answer);
    }
    if json { output::json(&answers) } else { Ok(()) }
}

/// A time (RFC 3339), or a distance from now.
fn parse_since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = text.parse::<DateTime<Utc>>() {
        return Ok(time);
    }
    let wrong = || format!("\"{text}\" is no time: 2026-01-31T12:00:00Z, 30m, 12h or 7d expected");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let distance = match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    };
    distance.and_then(|distance| Utc::now().checked_sub_signed(distance)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_distance() {
        assert_eq!(parse_since("2026-01-31T12:00:00Z").unwrap().to_rfc3339(), "2026-01-31T12:00:00+00:00");
        let hours = (Utc::now() - parse_since("12h").unwrap()).num_minutes();
        assert!((719..=721).contains(&hours), "{hours}");
        for bad in ["", "h", "12", "12y", "yesterday", "9999999999999999d"] {
            assert!(parse_since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_given_filters_are_sent() {
        let filters = ListArgs {
            kind: Some("train".to_owned()),
            state: None,
            queue: None,
            label: Some(("team".to_owned(), "x".to_owned())),
            since: Some("2026-01-31T12:00:00Z".parse().unwrap()),
            limit: 5,
        };
        let sent = [("kind", "train"), ("label", "team:x"), ("since", "2026-01-31T12:00:00Z")];
        let sent = sent.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(filters.query(), sent);
    }
}
