//! The worker: it takes jobs and runs them on one device.
//!
//! - [`runtime`]: the queue's loops, attempts, leases, stopping.
//! - [`jobs`]: one file per kind, the story of that job.
//! - [`dataset`]: labelled folders; [`picture`]: decoding, resizing, thumbnails, hashes.
//! - [`network`]: backbones interpreted on tch; [`inference`]: the thread that runs them; [`embedding`]: a
//!   picture's vectors.
//! - [`training`]: the training loop; [`indexing`]: objects to entries; [`matching`]: vectors to hits.
//! - [`models`]: stored models, fetched once; [`device`]: which device, and how busy it is.
//! - [`bench`]: what this machine does against its own limits.

#[cfg(test)]
mod allocator;
pub mod bench;
pub mod dataset;
pub mod device;
pub mod embedding;
pub mod indexing;
pub mod inference;
pub mod jobs;
pub mod matching;
pub mod models;
pub mod network;
pub mod picture;
pub mod runtime;
pub mod signals;
pub mod training;
