//! The service over real HTTP on a port of its own, each test with a database of its own.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod app;
mod auth;
mod events;
mod health;
mod idempotency;
mod jobs;
mod lists;
mod maintenance;
mod measuring;
mod outage;
mod pages;
mod pausing;
mod problems;
mod waiting;
