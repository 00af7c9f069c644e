//! Keys, uploads, sources, models, indexes, entries and submissions over real HTTP, each test with a database
//! and a folder of its own.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod entries;
mod generations;
mod indexes;
mod items;
mod keys;
mod models;
mod registry;
mod schedules;
mod search;
mod sources;
mod submissions;
mod support;
mod uploads;
