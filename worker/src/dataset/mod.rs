//! Labelled folders: which files belong to which class, and their pictures, read in parallel.

mod listing;
mod reader;
mod split;

pub use listing::{LabelledFile, Listing, class_of_uri, list};
pub use reader::{Reader, Unreadable, fetch_all, picture_limits};
pub use split::split;
