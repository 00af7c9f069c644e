//! Matching on a real database: both engines give the same answers, and what is committed is seen.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod agreement;
mod following;
mod gallery;
