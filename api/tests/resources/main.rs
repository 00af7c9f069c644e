//! Keys, uploads, sources, models, indexes, entries and submissions over real HTTP, each test with a database
//! and a folder of its own.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod entries;
mod indexes;
mod keys;
mod models;
mod registry;
mod search;
mod sources;
mod submissions;
mod support;
mod uploads;
