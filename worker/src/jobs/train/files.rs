//! The list of the files that a run used, kept with the model, and the fingerprint of what they hold.
//!
//! JSON Lines: keys of a store may hold commas, quotes and line breaks, sizes stay numbers, and a line can be read alone,
//! so a list of millions is read as a stream.

use std::collections::BTreeSet;

use bytes::Bytes;
use lookalike_shared::storage::{Source, StorageError, model_files_key};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::data::TrainingData;
use crate::dataset::{Part, SeenFile, hex};

/// Lines that are written at a time.
const LINES: usize = 10_000;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Line<'a> {
    uri: &'a str,
    class: &'a str,
    part: Part,
    /// In bytes.
    size: u64,
    etag: &'a str,
    /// Of the file's bytes.
    sha256: &'a str,
}

/// The files of a run: those of the training part, then those of the validation part, each by class and key.
pub struct FileList<'a> {
    lines: Vec<Line<'a>>,
}

impl<'a> FileList<'a> {
    /// The list of a run.
    pub fn of(data: &'a TrainingData) -> Self {
        Self::of_parts(&data.classes, &data.train_files, &data.validation_files)
    }

    fn of_parts(classes: &'a [String], train: &'a [SeenFile], validation: &'a [SeenFile]) -> Self {
        let parts = [(Part::Train, train), (Part::Validation, validation)];
        let lines = parts.into_iter().flat_map(|(part, files)| {
            files.iter().map(move |SeenFile { file, seen }| Line {
                uri: &file.uri,
                class: &classes[file.class],
                part,
                size: file.size,
                etag: &file.etag,
                sha256: &seen.sha256,
            })
        });
        Self { lines: lines.collect() }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// SHA-256, in hexadecimal digits, over the lines `part`, tab, class, tab, SHA-256 of the file, newline, in the order
    /// of their bytes and each as often as it occurs. Runs on the same pictures, of the same classes and parts, have the
    /// same, wherever the files lie and whatever they are called.
    pub fn fingerprint(&self) -> String {
        let told = |line: &Line<'_>| format!("{}\t{}\t{}\n", line.part.as_str(), line.class, line.sha256);
        let ordered: BTreeSet<(String, usize)> =
            self.lines.iter().enumerate().map(|(number, line)| (told(line), number)).collect();
        let mut hash = Sha256::new();
        ordered.iter().for_each(|(line, _)| hash.update(line));
        hex(&hash.finalize())
    }

    /// Writes the list of a model.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn put(&self, artifacts: &Source, model: Uuid) -> Result<(), StorageError> {
        let mut writer = artifacts.writer(&model_files_key(model))?;
        for lines in self.lines.chunks(LINES) {
            if let Err(error) = writer.write(text(lines)).await {
                _ = writer.abort().await;
                return Err(error);
            }
        }
        writer.finish().await
    }
}

fn text(lines: &[Line<'_>]) -> Bytes {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line).expect("a line is plain data");
        text.push(b'\n');
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{LabelledFile, Seen};

    fn seen(uri: &str, class: usize, content: char) -> SeenFile {
        let seen = Seen { sha256: content.to_string().repeat(64), width: 1, height: 1, gray: false };
        let (key, uri) = (uri.to_owned(), uri.to_owned());
        SeenFile { file: LabelledFile { key, uri, class, size: 7, etag: "7-1".to_owned() }, seen }
    }

    #[test]
    fn a_line_tells_everything_of_a_file() {
        let classes = ["a \"quoted\" class".to_owned()];
        let (train, validation) = ([seen("s/x,y\n.jpg", 0, 'a')], [seen("s/z.jpg", 0, 'b')]);
        let list = FileList::of_parts(&classes, &train, &validation);
        let text = text(&list.lines);
        let lines: Vec<serde_json::Value> =
            text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(lines.len(), 2);
        let expected = serde_json::json!({
            "uri": "s/x,y\n.jpg", "class": classes[0], "part": "train", "size": 7, "etag": "7-1", "sha256": "a".repeat(64)
        });
        assert_eq!((&lines[0], &lines[1]["part"]), (&expected, &serde_json::json!("validation")));
    }

    #[test]
    fn the_fingerprint_is_of_what_is_learnt_not_of_where_it_lies() {
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let print = |train: &[SeenFile], validation: &[SeenFile]| {
            FileList::of_parts(&classes, train, validation).fingerprint()
        };
        let plain = print(&[seen("1", 0, 'a'), seen("2", 1, 'b')], &[seen("3", 0, 'c')]);
        assert_eq!(plain, print(&[seen("x/9", 1, 'b'), seen("x/8", 0, 'a')], &[seen("y", 0, 'c')]));
        assert_ne!(plain, print(&[seen("1", 0, 'a'), seen("2", 0, 'b')], &[seen("3", 0, 'c')]), "a class");
        assert_ne!(plain, print(&[seen("1", 0, 'a')], &[seen("2", 1, 'b'), seen("3", 0, 'c')]), "a part");
        let twice = [seen("1", 0, 'a'), seen("1b", 0, 'a'), seen("2", 1, 'b')];
        assert_ne!(plain, print(&twice, &[seen("3", 0, 'c')]), "a copy");
    }
}
