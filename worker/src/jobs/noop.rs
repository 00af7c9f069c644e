//! Nothing, done well.

use serde_json::json;

use crate::runtime::context::JobOutcome;

/// Gives an empty result.
pub fn run() -> JobOutcome {
    JobOutcome::Result(json!({}))
}
