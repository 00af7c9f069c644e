//! What tests of every crate build on (feature `testing`): a real database per test, builders of jobs and
//! entries, and the queue written as text.
//!
//! Nothing here stands in for a part of ours: the builders call the functions that the program calls. A broken
//! set-up panics with its reason, since a test can do nothing about it.

mod builders;
mod database;
mod server;
mod text;
mod wait;

pub use builders::{
    a_generation, a_job, a_job_of, a_key, a_model, a_worker, an_entry, commit_entries, enqueue_all,
    enqueue_one, expire_lease, make_due, start,
};
pub use database::TestDatabase;
pub use text::{events_as_text, queue_as_text};
pub use wait::wait_until;
