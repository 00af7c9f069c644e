//! `lookalike schedules`

use clap::Subcommand;
use serde_json::{Value, json};

use super::connect;
use super::submit::{Payload, conclude};
use crate::client::{Client, TargetArgs};
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format, fields};

const EXAMPLES: &str = "\
Examples:
  lookalike schedules create follow --index gallery --source photos --prefix gallery/ --every 15m --jitter 30s
  lookalike schedules create nightly --index gallery --source photos --cron \"0 3 * * *\" --timezone Europe/Vienna
  lookalike schedules list
  lookalike schedules run nightly";

/// List, make, pause, run and delete schedules: indexes that follow their sources.
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
    /// List schedules
    #[command(after_help = "Example:\n  lookalike schedules list --index gallery")]
    List {
        /// Only those of this index
        #[arg(long)]
        index: Option<String>,
    },
    /// Show a schedule, its next due times and how its last job ended
    #[command(after_help = "Example:\n  lookalike schedules show nightly")]
    Show {
        /// The schedule
        name: String,
    },
    /// Make a schedule
    #[command(after_help = EXAMPLES)]
    Create(Box<Creation>),
    /// Stop a schedule from being due; a job that runs goes on
    #[command(after_help = "Example:\n  lookalike schedules pause nightly")]
    Pause {
        /// The schedule
        name: String,
    },
    /// Make a paused schedule due again, from now on
    #[command(after_help = "Example:\n  lookalike schedules resume nightly")]
    Resume {
        /// The schedule
        name: String,
    },
    /// Run a schedule now and follow its job
    #[command(after_help = "Example:\n  lookalike schedules run nightly --no-wait")]
    Run {
        /// The schedule
        name: String,
        /// Print the job's id and do not wait for its end
        #[arg(long)]
        no_wait: bool,
    },
    /// Delete a schedule; its jobs stay
    #[command(after_help = "Example:\n  lookalike schedules delete nightly")]
    Delete {
        /// The schedule
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct Creation {
    /// Its name
    name: String,
    /// The index that it fills
    #[arg(long)]
    index: String,
    /// The declared source of the pictures, or `uploads`
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Where in the source
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Keep entries whose picture is gone
    #[arg(long)]
    add: bool,
    /// How often: 15m, 6h, 1d, 1h30m; at least a minute
    #[arg(long, value_name = "TIME", value_parser = seconds, required_unless_present = "cron", conflicts_with = "cron")]
    every: Option<u64>,
    /// When: minute, hour, day of month, month, day of week
    #[arg(long, value_name = "FIELDS")]
    cron: Option<String>,
    /// The time zone of --cron, by its IANA name [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    timezone: Option<String>,
    /// Start up to so much later each time
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    jitter: Option<u64>,
    /// Make it paused
    #[arg(long)]
    paused: bool,
}

const COLUMNS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("INDEX", "/index", Format::Text),
    ("FOLLOWS", "/follows", Format::Text),
    ("DUE", "/due", Format::Text),
    ("NEXT", "/next_at", Format::Age),
    ("LAST", "/last_at", Format::Age),
    ("STATE", "/last_job/state", Format::Text),
    ("SKIPPED", "/skipped", Format::Text),
];

const CARD: &[Column] = &[
    ("name", "/name", Format::Text),
    ("index", "/index", Format::Text),
    ("follows", "/follows", Format::Text),
    ("mode", "/mode", Format::Text),
    ("due", "/due", Format::Text),
    ("next", "/next", Format::Text),
    ("last", "/last_at", Format::Age),
    ("last job", "/last_job/id", Format::Text),
    ("its state", "/last_job/state", Format::Text),
    ("because", "/last_job/error/detail", Format::Text),
    ("skipped", "/skipped", Format::Text),
    ("last skipped", "/last_skipped_at", Format::Age),
    ("made by", "/created_by", Format::Text),
    ("made", "/created_at", Format::Age),
];

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List { index } => {
            let query: Vec<_> = index.map(|index| ("index", index)).into_iter().collect();
            let mut schedules = client.list("/v1/schedules", &query, usize::MAX).await?;
            if !json {
                schedules.iter_mut().for_each(tell);
            }
            render::print_list(&schedules, COLUMNS, "there are no schedules", json)
        }
        Action::Show { name } => print(client.get(&path(&name), &[]).await?, json),
        Action::Create(creation) => print(client.post("/v1/schedules", &payload(*creation)).await?, json),
        Action::Pause { name } => pause(&client, &name, true, json).await,
        Action::Resume { name } => pause(&client, &name, false, json).await,
        Action::Run { name, no_wait } => {
            let job = client.post(&format!("{}/run", path(&name)), &json!({})).await?;
            conclude(&client, job, no_wait, json).await
        }
        Action::Delete { name } => {
            client.delete(&path(&name)).await?;
            let deleted = json!({"schedule": name, "deleted": true});
            if json { output::json(&deleted) } else { output::line(format!("{name} deleted")) }
        }
    }
}

async fn pause(client: &Client, name: &str, paused: bool, json: bool) -> Result<(), CliError> {
    print(client.patch(&path(name), &json!({"paused": paused})).await?, json)
}

fn path(name: &str) -> String {
    format!("/v1/schedules/{name}")
}

fn payload(creation: Creation) -> Value {
    let mut payload = Payload::default();
    payload.set("name", Some(creation.name)).set("index", Some(creation.index));
    payload.set("source", Some(creation.source)).set("prefix", creation.prefix);
    payload.set("mode", creation.add.then_some("add"));
    payload.set("every_seconds", creation.every).set("cron", creation.cron);
    payload.set("timezone", creation.timezone).set("jitter_seconds", creation.jitter);
    payload.set("paused", creation.paused.then_some(true));
    payload.into_json()
}

fn print(mut schedule: Value, json: bool) -> Result<(), CliError> {
    if !json {
        tell(&mut schedule);
    }
    render::print_card(&schedule, CARD, json)
}

/// Adds what a schedule follows and when it is due, in words.
fn tell(schedule: &mut Value) {
    let follows = format!("{}/{}", fields::text(schedule, "/source"), fields::text(schedule, "/prefix"));
    let mut due = match schedule["every_seconds"].as_f64() {
        Some(seconds) => format!("every {}", whole_units(seconds)),
        None => format!("{} {}", fields::text(schedule, "/cron"), fields::text(schedule, "/timezone")),
    };
    if let Some(jitter) = schedule["jitter_seconds"].as_f64().filter(|jitter| *jitter > 0.0) {
        due += &format!(", up to {} later", whole_units(jitter));
    }
    if schedule["paused"] == true {
        due += ", paused";
    }
    if schedule["next"].as_array().is_some_and(Vec::is_empty) {
        schedule["next"] = Value::Null;
    }
    schedule["follows"] = json!(follows);
    schedule["due"] = json!(due);
}

/// Seconds in the one unit that they are a whole number of, as `--every` takes them.
fn whole_units(seconds: f64) -> String {
    let whole = seconds as u64;
    let unit = UNITS.iter().find(|(_, length)| whole >= *length && whole.is_multiple_of(*length));
    unit.map_or(format!("{whole}s"), |(name, length)| format!("{}{name}", whole / length))
}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads `15m` or `1h30m`.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no time: numbers with d, h, m or s expected, as in 15m or 1h30m");
    let mut total = 0_u64;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let (_, length) = UNITS.iter().find(|(name, _)| *name == letter).ok_or_else(wrong)?;
        let number: u64 = std::mem::take(&mut digits).parse().map_err(|_| wrong())?;
        let part = number.checked_mul(*length).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    if digits.is_empty() && !text.is_empty() { Ok(total) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units() {
        for (text, total) in [("15m", 900), ("90s", 90), ("1h30m", 5_400), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(seconds(text), Ok(total), "{text}");
        }
        for text in
            ["", "15", "m", "15x", "1h30", "-5m", "1.5h", "99999999999999999999d", "999999999999999999d"]
        {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!([60.0, 5_400.0, 86_400.0, 61.0, 0.0].map(whole_units), ["1m", "90m", "1d", "61s", "0s"]);
    }

    #[test]
    fn a_schedule_is_told_in_words() {
        let mut nightly = json!({"source": "photos", "prefix": "", "every_seconds": null, "cron": "0 3 * * *",
                                 "timezone": "Europe/Vienna", "jitter_seconds": 90, "paused": true});
        tell(&mut nightly);
        assert_eq!(nightly["follows"], "photos/");
        assert_eq!(nightly["due"], "0 3 * * * Europe/Vienna, up to 90s later, paused");
        let mut often =
            json!({"source": "photos", "prefix": "a/", "every_seconds": 900, "jitter_seconds": 0});
        tell(&mut often);
        assert_eq!((&often["follows"], &often["due"]), (&json!("photos/a/"), &json!("every 15m")));
    }
}
