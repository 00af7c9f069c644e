//! What a labelled set must be for a training to start, and what is odd about it: one definition for the training and
//! for the report before it.

use std::collections::BTreeMap;

use super::duplicates::Duplicates;
use crate::runtime::context::JobError;

/// Reasons that are told in one message; more are counted.
const TOLD: usize = 10;

/// A reason not to start a training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable name of the reason.
    pub code: &'static str,
    /// Class, count and bound in a sentence without its full stop.
    pub detail: String,
}

/// Refuses fewer than two classes, and classes that have fewer than `least` of what is counted in `counts`, named by
/// `what`: `files` before they were read, `readable pictures` after.
pub fn check_counts(classes: &[String], counts: &[u32], what: &str, least: u32) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if classes.len() < 2 {
        let names: Vec<_> = classes.iter().map(|class| format!("\"{class}\"")).collect();
        let detail = format!("{} class ({}), at least 2 expected", classes.len(), names.join(", "));
        refusals.push(Refusal { code: "too_few_classes", detail });
    }
    for (class, count) in classes.iter().zip(counts).filter(|(_, count)| **count < least) {
        let detail = format!(
            "class \"{class}\" has {count} {what}, at least {least} readable pictures expected (min_images_per_class)"
        );
        refusals.push(Refusal { code: "too_few_pictures", detail });
    }
    refusals
}

/// The failure that the refusals are, if there is one: under the code of the first.
///
/// # Errors
/// A permanent failure.
pub fn refuse(refusals: &[Refusal]) -> Result<(), JobError> {
    let Some(first) = refusals.first() else { return Ok(()) };
    let told: Vec<&str> = refusals.iter().take(TOLD).map(|refusal| refusal.detail.as_str()).collect();
    let more = refusals.len().saturating_sub(TOLD);
    let rest = if more > 0 { format!("; and {more} more like these") } else { String::new() };
    Err(JobError::permanent(first.code, told.join("; ") + &rest))
}

/// What does not keep a training from starting but may spoil it, in sentences without their full stops: files that
/// cannot be read, by code; equal files; classes without a picture to be judged by, where `held` counts those.
pub fn warnings(
    unreadable: &BTreeMap<String, u64>,
    duplicates: &Duplicates,
    classes: &[String],
    held: Option<&[u32]>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if !unreadable.is_empty() {
        let codes: Vec<_> = unreadable.iter().map(|(code, count)| format!("{count} {code}")).collect();
        let total: u64 = unreadable.values().sum();
        warnings.push(format!("{total} files cannot be read ({}); they are left out", codes.join(", ")));
    }
    let Duplicates { across_parts, across_classes, within_class } = duplicates;
    for (groups, what) in [
        (across_parts, "are both learnt from and judged by, which makes the measured accuracy too good"),
        (across_classes, "lie in more than one class, so that one of their labels is wrong"),
        (within_class, "are there more than once in their class, so that they count more than others"),
    ] {
        if let Some(example) = groups.example() {
            warnings.push(format!("{} pictures {what}, e.g. {example}", groups.groups));
        }
    }
    let without = classes.iter().zip(held.unwrap_or_default()).filter(|(_, count)| **count == 0);
    warnings.extend(without.map(|(class, _)| {
        format!("class \"{class}\" has 0 validation pictures, at least 1 is needed to measure it")
    }));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_refusal_names_class_count_and_bound() {
        assert!(check_counts(&names(&["cat", "dog"]), &[100, 101], "files", 100).is_empty());
        let refusals = check_counts(&names(&["cat", "dog"]), &[100, 99], "readable pictures", 100);
        assert_eq!(refusals.len(), 1);
        assert_eq!(
            refusals[0].detail,
            "class \"dog\" has 99 readable pictures, at least 100 readable pictures expected (min_images_per_class)"
        );
        let refusals = check_counts(&names(&["cat"]), &[3], "files", 4);
        let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code).collect();
        assert_eq!(codes, ["too_few_classes", "too_few_pictures"]);
        assert_eq!(refusals[0].detail, "1 class (\"cat\"), at least 2 expected");
    }

    #[test]
    fn many_refusals_are_one_short_failure() {
        let classes: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
        let refusals = check_counts(&classes, &[1; 300], "files", 2);
        let Err(JobError::Permanent(failure)) = refuse(&refusals) else { panic!("refused for good") };
        assert_eq!(failure.code, "too_few_pictures");
        assert!(failure.detail.ends_with("; and 290 more like these"), "{}", failure.detail);
        assert!(refuse(&[]).is_ok());
    }

    #[test]
    fn warnings_tell_what_is_left_out_and_what_is_not_measured() {
        let unreadable = BTreeMap::from([("corrupt".to_owned(), 2), ("truncated".to_owned(), 1)]);
        let classes = names(&["cat", "dog"]);
        let told = warnings(&unreadable, &Duplicates::default(), &classes, Some(&[3, 0]));
        assert_eq!(told[0], "3 files cannot be read (2 corrupt, 1 truncated); they are left out");
        assert!(told[1].starts_with("class \"dog\" has 0 validation pictures"), "{told:?}");
        assert!(warnings(&BTreeMap::new(), &Duplicates::default(), &classes, None).is_empty());
    }
}
