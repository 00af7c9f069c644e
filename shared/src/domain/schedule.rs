//! When a schedule is due: every so often, or by a cron expression in a time zone, each time a little later by jitter.
//!
//! Nothing here reads a clock: the present is handed in. An interval is counted from an anchor, so that due times do not
//! drift with when they were dealt with; the next due time always lies after the present, so that a server that was away
//! for many due times has missed all of them but one. Where clocks change, a cron expression with a fixed time whose time
//! does not exist that day is due at the first moment after the gap, and one whose time comes twice is due the first time.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::FieldError;

/// The shortest interval, in seconds.
pub const MIN_EVERY_SECONDS: i64 = 60;
/// The longest interval, in seconds: 365 days.
pub const MAX_EVERY_SECONDS: i64 = 31_536_000;
/// The most jitter, in seconds, however far apart due times are: a day.
pub const MAX_JITTER_SECONDS: i64 = 86_400;
/// The most bytes of a cron expression.
const MAX_CRON_BYTES: usize = 100;
/// How many due times are looked at to tell how near they lie.
const GAPS: usize = 60;

/// When a schedule is due, as it was asked for and is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timing {
    /// Every so many seconds; or none, and a cron expression says when.
    pub every_seconds: Option<i64>,
    /// Five fields: minute, hour, day of month, month, day of week.
    pub cron: Option<String>,
    /// The time zone of the cron expression, by its IANA name; UTC when not given.
    pub timezone: Option<String>,
    /// How much later than due a job may start, in seconds.
    pub jitter_seconds: i64,
}

/// A due time and when its job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time that the rule names.
    pub due_at: DateTime<Utc>,
    /// That time and its jitter.
    pub next_at: DateTime<Utc>,
}

/// A [`Timing`] that was understood.
#[derive(Debug, Clone)]
pub struct Plan {
    recurrence: Recurrence,
    jitter_seconds: i64,
}

#[derive(Debug, Clone)]
enum Recurrence {
    Every(TimeDelta),
    Cron(Box<Cron>, Tz),
}

impl Timing {
    /// Every rule that it breaks, or what it means. `now` is where the nearness of due times is looked at from.
    ///
    /// # Errors
    /// Each broken rule, with the field, the value and the bound.
    pub fn check(&self, now: DateTime<Utc>) -> Result<Plan, Vec<FieldError>> {
        let plan = self.parse()?;
        let dues: Vec<_> = plan.dues(now, now).take(GAPS).collect();
        if dues.is_empty() {
            let cron = shown(self.cron.as_deref().unwrap_or_default());
            return Err(vec![FieldError::new("/cron", format!("\"{cron}\" names a time that never comes"))]);
        }
        let gap = dues.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).min();
        let most = gap.map_or(MAX_JITTER_SECONDS, |gap| MAX_JITTER_SECONDS.min(gap - 1));
        if !(0..=most).contains(&self.jitter_seconds) {
            let near = gap.map_or(String::new(), |gap| format!(": due times are {gap} seconds apart"));
            let detail = format!("{} is out of range, 0 to {most} expected{near}", self.jitter_seconds);
            return Err(vec![FieldError::new("/jitter_seconds", detail)]);
        }
        Ok(plan)
    }

    /// What it means, without a look at its due times: for what was checked when it was stored.
    ///
    /// # Errors
    /// Each broken rule.
    pub fn parse(&self) -> Result<Plan, Vec<FieldError>> {
        let error = |pointer, detail: String| Err(vec![FieldError::new(pointer, detail)]);
        let recurrence = match (self.every_seconds, &self.cron) {
            (None, None) => {
                return error("/every_seconds", "one of every_seconds and cron is needed".to_owned());
            }
            (Some(_), Some(_)) => {
                return error(
                    "/cron",
                    "every_seconds says when already: leave one of the two out".to_owned(),
                );
            }
            (Some(every), None) => {
                if !(MIN_EVERY_SECONDS..=MAX_EVERY_SECONDS).contains(&every) {
                    let bounds = format!("{MIN_EVERY_SECONDS} to {MAX_EVERY_SECONDS} expected");
                    return error("/every_seconds", format!("{every} is out of range, {bounds}"));
                }
                if self.timezone.is_some() {
                    return error("/timezone", "an interval has no time zone: it goes with cron".to_owned());
                }
                Recurrence::Every(TimeDelta::seconds(every))
            }
            (None, Some(cron)) => match (parse_cron(cron), parse_zone(self.timezone.as_deref())) {
                (Ok(cron), Ok(zone)) => Recurrence::Cron(Box::new(cron), zone),
                (cron, zone) => return Err(cron.err().into_iter().chain(zone.err()).collect()),
            },
        };
        Ok(Plan { recurrence, jitter_seconds: self.jitter_seconds })
    }
}

impl Plan {
    /// The first due time after `after`; `seed` is the schedule whose jitter it is, `anchor` where an interval is counted
    /// from. None when it never comes.
    pub fn next(&self, seed: Uuid, anchor: DateTime<Utc>, after: DateTime<Utc>) -> Option<Due> {
        self.upcoming(seed, anchor, after).next()
    }

    /// The due times after `after`, in order.
    pub fn upcoming(
        &self,
        seed: Uuid,
        anchor: DateTime<Utc>,
        after: DateTime<Utc>,
    ) -> impl Iterator<Item = Due> {
        let jitter_seconds = self.jitter_seconds;
        self.dues(anchor, after).map(move |due_at| {
            let next_at = due_at + jitter(seed, due_at, jitter_seconds);
            Due { due_at, next_at }
        })
    }

    fn dues(&self, anchor: DateTime<Utc>, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.due_after(anchor, after), move |due| self.due_after(anchor, *due))
    }

    fn due_after(&self, anchor: DateTime<Utc>, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.recurrence {
            Recurrence::Every(every) => {
                let past = (after - anchor).num_seconds().div_euclid(every.num_seconds());
                // Before the anchor, where a clock that was set back may lie, the first one is next.
                Some(anchor + *every * i32::try_from((past + 1).max(1)).ok()?)
            }
            Recurrence::Cron(cron, zone) => {
                let next = cron.find_next_occurrence(&after.with_timezone(zone), false).ok()?;
                Some(next.to_utc())
            }
        }
    }
}

/// How much later than due a job of this schedule starts: 0 to `most` seconds, the same whoever works it out, another for
/// every schedule and every due time, so that schedules of one rule do not start together.
fn jitter(seed: Uuid, due_at: DateTime<Utc>, most: i64) -> TimeDelta {
    let mut hash = Sha256::new();
    hash.update(seed.as_bytes());
    hash.update(due_at.timestamp().to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let number = digest.iter().take(7).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    TimeDelta::seconds(number % (most.max(0) + 1))
}

fn parse_cron(text: &str) -> Result<Cron, FieldError> {
    let wrong = |reason: &str| {
        let detail = format!(
            "\"{}\" is no cron expression: {reason}; minute, hour, day of month, month and day of week expected, \
             as in \"0 3 * * *\"",
            shown(text)
        );
        FieldError::new("/cron", detail)
    };
    if text.len() > MAX_CRON_BYTES {
        return Err(wrong(&format!("it has more than {MAX_CRON_BYTES} bytes")));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| {
        let reason = match error {
            CronError::InvalidPattern(reason)
            | CronError::IllegalCharacters(reason)
            | CronError::ComponentError(reason) => reason,
            error @ (CronError::EmptyPattern
            | CronError::InvalidDate
            | CronError::InvalidTime
            | CronError::TimeSearchLimitExceeded) => error.to_string(),
        };
        let mut letters = reason.trim_end_matches('.').chars();
        let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
        wrong(&(first + letters.as_str()))
    })
}

fn parse_zone(name: Option<&str>) -> Result<Tz, FieldError> {
    let Some(name) = name else { return Ok(Tz::UTC) };
    name.parse().map_err(|_| {
        let detail =
            format!("\"{}\" is no time zone: an IANA name expected, as in Europe/Vienna", shown(name));
        FieldError::new("/timezone", detail)
    })
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
