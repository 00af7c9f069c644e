//! Where the time of a pipeline goes: what each stage waits for.
//!
//! The stage that waits least is the one that all others wait for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Time that a stage spends, added up from wherever it is spent.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// Does something and adds the time that it takes.
    pub async fn time<T>(&self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        self.add(started.elapsed());
        done
    }

    /// Adds time.
    pub fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn seconds(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// What one stage waits for.
#[derive(Debug, Default)]
pub struct Stage {
    /// For something to do, from the stage before.
    pub input: Clock,
    /// For room behind it: the next stage is slower.
    pub output: Clock,
}

/// All stages of a pipeline.
#[derive(Debug, Default)]
pub struct Stages {
    /// Listing the source and comparing with the manifest.
    pub list: Stage,
    /// Fetching and decoding.
    pub read: Stage,
    /// Fetching alone, added up over all that are under way at a time.
    pub fetching: Clock,
    /// Decoding alone, likewise.
    pub decoding: Clock,
    /// The network.
    pub embed: Stage,
    /// Storing.
    pub commit: Stage,
}

impl Stages {
    /// Seconds by stage, as results show them.
    pub fn to_json(&self) -> Value {
        let waits = |stage: &Stage| json!({ "waits_for_input": round(&stage.input), "waits_for_output": round(&stage.output) });
        let mut read = waits(&self.read);
        read["fetching"] = json!(round(&self.fetching));
        read["decoding"] = json!(round(&self.decoding));
        json!({
            "list": waits(&self.list),
            "read": read,
            "embed": waits(&self.embed),
            "commit": waits(&self.commit),
        })
    }
}

/// Seconds to the millisecond.
fn round(clock: &Clock) -> f64 {
    (clock.seconds() * 1e3).round() / 1e3
}
