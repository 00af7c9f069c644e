//! Keys, uploads, sources, models, indexes, entries and submissions over real HTTP, each test with a database
//! and a folder of its own.

mod entries;
mod indexes;
mod keys;
mod models;
mod search;
mod sources;
mod submissions;
mod support;
mod uploads;
