//! Files with the same bytes: within a class, in several classes, and both learnt from and judged by.

use serde::Serialize;

use super::{Part, SeenFile};

/// Groups that are shown; all are counted.
const EXAMPLES: usize = 100;
/// Files of a group that are shown.
const FILES_SHOWN: usize = 10;

/// Equal files of a labelled set. One group may be of several kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// In one class, whichever the part: they count more than others.
    pub within_class: Groups,
    /// In several classes: a label is wrong.
    pub across_classes: Groups,
    /// Among the training and among the validation pictures: what is measured is too good.
    #[serde(rename = "train_validation")]
    pub across_parts: Groups,
}

/// Groups of equal files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Groups {
    /// How many different contents there are more than once.
    pub groups: u64,
    /// How many files they are.
    pub files: u64,
    /// At most 100 groups, of at most 10 files each.
    pub examples: Vec<Vec<Twin>>,
}

/// One of several equal files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// `source/key`.
    pub uri: String,
    /// Its class.
    pub class: String,
    /// What it is for.
    pub part: Part,
}

impl Duplicates {
    /// The equal ones among files to learn from and files to be judged by, whose classes are these.
    pub fn of(classes: &[String], train: &[SeenFile], validation: &[SeenFile]) -> Self {
        let train = train.iter().map(|file| Member { part: Part::Train, file });
        let validation = validation.iter().map(|file| Member { part: Part::Validation, file });
        let mut members: Vec<Member<'_>> = train.chain(validation).collect();
        members.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut found = Self::default();
        for group in members.chunk_by(|a, b| a.file.seen.sha256 == b.file.seen.sha256) {
            found.add(classes, group);
        }
        found
    }

    /// Files of one class that are not the first of their bytes there: what could be deleted.
    pub fn surplus(&self) -> u64 {
        self.within_class.files - self.within_class.groups
    }

    fn add(&mut self, classes: &[String], group: &[Member<'_>]) {
        if group.len() < 2 {
            return;
        }
        for same in group.chunk_by(|a, b| a.class() == b.class()).filter(|same| same.len() > 1) {
            self.within_class.add(classes, same);
        }
        if group.iter().any(|member| member.class() != group[0].class()) {
            self.across_classes.add(classes, group);
        }
        if group.iter().any(|member| member.part != group[0].part) {
            self.across_parts.add(classes, group);
        }
    }
}

impl Groups {
    /// One of the files, and one that it equals.
    pub fn example(&self) -> Option<String> {
        let group = self.examples.first()?;
        let (first, last) = (group.first()?, group.last()?);
        Some(format!("{} and {}", first.uri, last.uri))
    }

    fn add(&mut self, classes: &[String], group: &[Member<'_>]) {
        self.groups += 1;
        self.files += group.len() as u64;
        if self.examples.len() < EXAMPLES {
            let twins = group.iter().take(FILES_SHOWN).map(|member| Twin {
                uri: member.file.file.uri.clone(),
                class: classes[member.class()].clone(),
                part: member.part,
            });
            self.examples.push(twins.collect());
        }
    }
}

struct Member<'a> {
    part: Part,
    file: &'a SeenFile,
}

impl Member<'_> {
    fn class(&self) -> usize {
        self.file.file.class
    }

    fn order(&self) -> (&str, usize, Part, &str) {
        (&self.file.seen.sha256, self.class(), self.part, &self.file.file.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{LabelledFile, Seen};

    fn seen(uri: &str, class: usize, content: u8) -> SeenFile {
        let seen = Seen { sha256: format!("{content:064}"), width: 1, height: 1, gray: false };
        let (key, uri) = (uri.to_owned(), uri.to_owned());
        SeenFile { file: LabelledFile { key, uri, class, size: 1, etag: String::new() }, seen }
    }

    #[test]
    fn equal_files_are_told_by_where_they_lie() {
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let train = [seen("a", 0, 1), seen("b", 0, 1), seen("c", 1, 1), seen("d", 1, 2), seen("e", 0, 3)];
        let validation = [seen("v", 1, 2), seen("w", 0, 4)];
        let found = Duplicates::of(&classes, &train, &validation);
        // a = b in one class, c the same in another; d is judged by as v.
        assert_eq!((found.within_class.groups, found.within_class.files), (2, 4));
        assert_eq!((found.across_classes.groups, found.across_classes.files), (1, 3));
        assert_eq!((found.across_parts.groups, found.across_parts.files), (1, 2));
        assert_eq!(found.surplus(), 2);
        assert_eq!(found.across_parts.example().unwrap(), "d and v");
        let conflict: Vec<_> =
            found.across_classes.examples[0].iter().map(|c| (c.uri.as_str(), c.class.as_str())).collect();
        assert_eq!(conflict, [("a", "cat"), ("b", "cat"), ("c", "dog")]);
    }

    #[test]
    fn examples_are_bounded_and_counts_are_not() {
        let classes = ["cat".to_owned()];
        let train: Vec<_> = (0..240).map(|n| seen(&format!("{n:03}"), 0, n / 2)).collect();
        let found = Duplicates::of(&classes, &train, &[]);
        assert_eq!((found.within_class.groups, found.within_class.examples.len()), (120, 100));
        let same: Vec<_> = (0..30).map(|n| seen(&format!("{n:03}"), 0, 0)).collect();
        assert_eq!(Duplicates::of(&classes, &same, &[]).within_class.examples[0].len(), 10);
    }
}
