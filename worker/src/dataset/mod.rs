//! Labelled folders: which files belong to which class, what is wrong with them, and their pictures.
//!
//! - [`list`], [`Sets`]: the files of a set, of a training's two sets.
//! - [`Reader`]: reads and decodes in parallel; [`Seen`] is what is known of a file then.
//! - [`check_counts`], [`Duplicates`], [`suggest_size`]: what a training needs and is told; [`Report`]: the same
//!   before it.
//! - [`cache`]: pictures decoded once, in a mapped file.

pub mod cache;
mod checks;
mod duplicates;
mod listing;
mod reader;
mod report;
mod seen;
mod sets;
mod size;
mod split;

pub use checks::{Refusal, check_counts, refuse, warnings};
pub use duplicates::{Duplicates, Groups, Twin};
pub use listing::{LabelledFile, Listing, class_of_uri, list};
pub use reader::{Reader, Unreadable, Views, fetch_all, picture_limits};
pub use report::{ClassReport, Report, SetReport, Sizes, Spread, TinyClass};
pub use seen::{Part, ReadFiles, Seen, SeenFile, add_counts, count_codes, counts, hex, readable, unreadable};
pub use sets::{ListedSet, Sets};
pub use size::{SuggestedSize, median, suggest_size, suited_size};
pub use split::split;
