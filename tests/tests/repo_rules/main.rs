//! The rules of this repository that a machine can check: rooms, sizes, words, migrations, generated parts.
//!
//! A rule that has exceptions lists each with its reason; an exception that is no longer needed fails too.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod files;
mod generated;
mod rooms;
mod sql;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository.
struct RepoFile {
    /// Its path from the repository's root.
    path: String,
    /// Its content; files that are no text are left out.
    text: String,
}

impl RepoFile {
    /// The part of a Rust file that is shipped: without its unit tests, which stand last, and without comments.
    fn shipped_code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let code = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether it holds tests only.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it lies in one of these folders.
    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| Path::new(&self.path).starts_with(folder))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every text file that is, or is about to be, part of the repository.
fn repo_files() -> Vec<RepoFile> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root()).output().expect("git is installed");
    assert!(
        output.status.success(),
        "the rules look at what git tracks: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let paths: BTreeSet<String> =
        String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(ToOwned::to_owned).collect();
    let read = |path: String| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(RepoFile { path, text })
    };
    let files: Vec<RepoFile> = paths.into_iter().filter_map(read).collect();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"));
    files
}

/// The Rust files that are shipped.
fn sources() -> Vec<RepoFile> {
    let shipped =
        |file: &RepoFile| file.is_rust() && file.is_in(&["api/src", "cli/src", "shared/src", "worker/src"]);
    repo_files().into_iter().filter(shipped).collect()
}

/// Fails with every violation at once, unless there is none. `exceptions` are paths with reasons.
fn expect_none(rule: &str, violations: impl IntoIterator<Item = String>, exceptions: &[(&str, &str)]) {
    let violations: Vec<String> = violations.into_iter().collect();
    let excused = |violation: &str, path: &str| {
        violation.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let needless: Vec<&str> = exceptions
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !violations.iter().any(|violation| excused(violation, path)))
        .collect();
    assert!(needless.is_empty(), "{rule}\nexceptions that are no longer needed: {needless:?}");
    let left: Vec<String> = violations
        .into_iter()
        .filter(|violation| !exceptions.iter().any(|(path, _)| excused(violation, path)))
        .collect();
    assert!(left.is_empty(), "{rule}\n  {}", left.join("\n  "));
}

/// `path:line: text` of every line that holds one of `words`, not as the end of a longer word.
fn lines_with<'a>(
    file: &'a RepoFile,
    text: &'a str,
    words: &'a [&'a str],
) -> impl Iterator<Item = String> + 'a {
    text.lines()
        .enumerate()
        .filter(move |(_, line)| words.iter().any(|word| holds_word(line, word)))
        .map(move |(number, line)| format!("{}:{}: {}", file.path, number + 1, line.trim()))
}

fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let within = |at: usize| word.starts_with(is_part) && line[..at].ends_with(is_part);
    line.match_indices(word).any(|(at, _)| !within(at))
}
