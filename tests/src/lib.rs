//! The whole system as a test sees it: the real programs, started on an empty data folder and talked to over
//! HTTP, killed and started again.
//!
//! - [`Stack`]: `lookalike up` with a worker, and ways to do it harm.
//! - [`Client`]: jobs over HTTP: submit, wait, follow.
//! - [`Samples`]: labelled pictures, drawn by `lookalike samples`.
//!
//! Nothing here knows how the programs work inside; what a test needs is in the HTTP contract.

mod client;
mod samples;
mod stack;

pub use client::{Client, EventStream, Job, ServerEvent};
pub use samples::Samples;
pub use stack::{Options, Stack, program};
