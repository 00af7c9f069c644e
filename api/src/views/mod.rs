//! The shapes that travel. Domain types are not the wire format: what is renamed or added inside never shows.

pub mod comparison;
pub mod entry;
pub mod evaluation;
pub mod event;
pub mod index;
pub mod job;
pub mod key;
pub mod model;
pub mod queue;
pub mod schedule;
pub mod search;
pub mod source;
pub mod submission;
pub mod system;
pub mod training;
pub mod upload;
pub mod worker;
