//! The `lookalike` program: client commands and the local supervisor.
//!
//! - [`args`]: the command line.
//! - `commands`: one file per command.
//! - `client`: talking to a server; `follow`: watching a job; `render`: JSON as text.
//! - `up`: the private database, the API and the worker, started, watched and stopped together.
//! - [`samples`]: labelled sample pictures, drawn rather than stored.
//! - [`error`]: exit codes; `output`: standard output.

pub mod args;
mod client;
mod commands;
pub mod error;
mod follow;
mod output;
mod render;
pub mod samples;
mod up;
