//! `lookalike keys`

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::connect;
use super::submit::Payload;
use crate::client::{Client, TargetArgs};
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format, fields};

const EXAMPLES: &str = "\
Examples:
  lookalike keys create nightly-indexer --scope submit --expires-in-days 90
  lookalike keys list
  lookalike keys revoke nightly-indexer";

/// List, make and revoke keys.
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
    /// List keys
    #[command(after_help = "Example:\n  lookalike keys list")]
    List,
    /// Make a key and print its secret, which is told only once
    #[command(after_help = "Example:\n  lookalike keys create dashboard --scope read")]
    Create {
        /// Its name
        name: String,
        /// What it may do; each scope includes the ones before it
        #[arg(long, value_parser = ["read", "submit", "manage", "admin"])]
        scope: String,
        /// When it stops to work [default: never]
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// Revoke a key
    #[command(after_help = "Example:\n  lookalike keys revoke dashboard")]
    Revoke {
        /// Its name or its id
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("SCOPE", "/scope", Format::Text),
    ("BEGINS WITH", "/hint", Format::Text),
    ("LAST USED", "/last_used_at", Format::Age),
    ("EXPIRES", "/expires_at", Format::Age),
    ("ID", "/id", Format::Text),
];

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List => {
            let keys = client.list("/v1/keys", &[], usize::MAX).await?;
            render::print_list(&keys, COLUMNS, "there are no keys", json)
        }
        Action::Create { name, scope, expires_in_days } => {
            let mut payload = Payload::default();
            payload.set("name", Some(name)).set("scope", Some(scope));
            payload.set("expires_at", expires_in_days.map(|days| expiry(Utc::now(), days)));
            let key = client.post("/v1/keys", &payload.into_json()).await?;
            if json { output::json(&key) } else { output::line(fields::text(&key, "/key")) }
        }
        Action::Revoke { name } => {
            let id = find_id(&client, &name).await?;
            client.delete(&format!("/v1/keys/{id}")).await?;
            let revoked = json!({"id": id, "revoked": true});
            if json { output::json(&revoked) } else { output::line(format!("{name} revoked")) }
        }
    }
}

fn expiry(now: DateTime<Utc>, days: u32) -> String {
    (now + TimeDelta::days(i64::from(days))).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The id of a key told by its name or its id.
async fn find_id(client: &Client, name: &str) -> Result<String, CliError> {
    if name.parse::<uuid::Uuid>().is_ok() {
        return Ok(name.to_owned());
    }
    let keys = client.list("/v1/keys", &[], usize::MAX).await?;
    let found = keys.iter().find(|key| key["name"] == name).and_then(|key| key["id"].as_str());
    found.map(str::to_owned).ok_or_else(|| {
        let names: Vec<_> = keys.iter().filter_map(|key| key.get("name").and_then(Value::as_str)).collect();
        CliError::Other(anyhow::anyhow!("there is no key \"{name}\", only {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_a_time() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        assert_eq!(expiry(now, 90), "2026-05-01T12:00:00Z");
    }
}
