//! The commands, one file each: its arguments, and what it does.

pub mod api;
pub mod docs;
pub mod evaluate;
mod generations;
mod held;
pub mod index;
pub mod indexes;
mod items;
pub mod jobs;
pub mod keys;
pub mod migrate;
pub mod models;
pub mod openapi;
pub mod postgres;
pub mod samples;
pub mod schedules;
pub mod search;
pub mod sources;
mod submit;
pub mod train;
pub mod up;
pub mod uploads;
pub mod validate;
pub mod workers;

use lookalike_shared::config::Environment;

use crate::client::{Client, TargetArgs};
use crate::error::CliError;

/// A client of the server that the arguments, the environment or a running `up` name.
fn connect(target: &TargetArgs) -> Result<Client, CliError> {
    Client::new(target.resolve(&mut Environment::of_process())?)
}

/// Splits `NAME=VALUE`.
fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("\"{text}\" is no NAME=VALUE")),
    }
}

/// Model reference parts: `name`, or `name@version`.
fn parse_model(text: &str) -> Result<lookalike_shared::domain::name::ModelRef, String> {
    text.parse().map_err(|error: lookalike_shared::domain::name::InvalidModelRef| error.to_string())
}
