//! The whole system as a test sees it: the real programs, started on an empty data folder and talked to over
//! HTTP, killed and started again.
//!
//! - [`Stack`]: `lookalike up` with a worker, and ways to do it harm.
//! - [`Client`]: jobs over HTTP: submit, wait, follow.
//! - [`Samples`]: labelled pictures, drawn by `lookalike samples`.
//! - [`S3Server`], [`Azurite`]: buckets behind the real protocols; [`Remote`] is one as settings name it.
//! - [`FaultProxy`]: between a client and such a server, what networks and servers do wrong.
//!
//! Nothing here knows how the programs work inside; what a test needs is in the HTTP contract.

mod azurite;
mod client;
mod proxy;
mod remote;
mod s3;
mod samples;
mod stack;

pub use azurite::Azurite;
pub use client::{Client, EventStream, Job, ServerEvent};
pub use proxy::{Fault, FaultProxy, Request, first, seeded};
pub use remote::{Remote, open_source};
pub use s3::S3Server;
pub use samples::Samples;
pub use stack::{Options, Stack, program};
