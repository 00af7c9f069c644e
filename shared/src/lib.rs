//! What the API and the workers share: nouns and statements.
//!
//! - [`domain`]: values, states and rules; no I/O.
//! - [`jobs`]: one payload per job kind.
//! - [`config`]: settings, the only reader of the environment.
//! - [`onnx`]: models as ONNX files.
//! - [`storage`]: sources of pictures and the artifacts store.
//! - [`db`]: every SQL statement, and the push of a task to apalis.
//! - [`telemetry`]: what is logged.
//! - `testing`: a database per test, and builders (feature `testing`).

pub mod config;
pub mod db;
pub mod domain;
pub mod jobs;
pub mod onnx;
pub mod storage;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
