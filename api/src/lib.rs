//! The HTTP service: routes, authentication, live events, the OpenAPI document and the dashboard.
//!
//! - [`startup`]: builds the service and runs it until told to stop.
//! - [`state`]: what every request may reach.
//! - [`routes`]: one file per resource; a handler extracts, checks and calls one use case.
//! - [`views`]: the shapes that travel, apart from the domain types.
//! - [`submit`]: how a job enters, the same for every kind.
//! - [`together`]: statements that requests share.
//! - [`problem`]: every refusal, as `application/problem+json`.
//! - [`auth`]: keys, sessions and what they may do.
//! - [`extract`]: bodies, queries and paths whose mistakes become problems.
//! - [`multipart`]: forms within bounds.
//! - [`picture`]: what a picture's first bytes tell.
//! - [`weights`]: PyTorch's files of weights, made into safetensors.
//! - [`idempotency`], [`paging`], [`etag`], [`prefer`]: conventions that all routes share.
//! - [`observe`]: request ids, access log, HTTP metrics and security headers.
//! - [`feed`]: the one reader of job events that live streams and waiting requests hang on.
//! - [`maintenance`]: what has to be done again and again while the service runs.
//! - [`metrics`]: what Prometheus reads.
//! - [`openapi`]: the document, made from the routes themselves.
//! - [`dashboard`]: the web app, built into the binary.

pub mod auth;
pub mod csv;
pub mod dashboard;
pub mod etag;
pub mod extract;
pub mod feed;
pub mod idempotency;
pub mod maintenance;
pub mod metrics;
pub mod multipart;
pub mod observe;
pub mod openapi;
pub mod paging;
pub mod picture;
pub mod prefer;
pub mod problem;
pub mod routes;
pub mod startup;
pub mod state;
pub mod submit;
pub mod together;
pub mod views;
pub mod weights;
