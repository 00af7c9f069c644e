//! `lookalike openapi`

use anyhow::Context;

use crate::error::CliError;
use crate::output;

/// Prints the OpenAPI document of the API.
///
/// # Errors
/// When standard output is closed.
pub fn run() -> Result<(), CliError> {
    output::line(lookalike_api::openapi::document().to_pretty_json().context("the document is no JSON")?)
}
