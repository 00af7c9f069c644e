//! Migrations go forward only, and every query file is used.

use std::collections::BTreeSet;

use super::{RepoFile, expect_none, repo_files};

fn migrations() -> Vec<RepoFile> {
    repo_files().into_iter().filter(|file| file.is_in(&["migrations"])).collect()
}

/// `20261123000001_access.sql` in two.
fn parts(file: &RepoFile) -> Option<(&str, &str)> {
    let (version, name) = file.path.strip_prefix("migrations/")?.strip_suffix(".sql")?.split_once('_')?;
    let is_version = version.len() == 14 && version.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9'));
    (is_version && is_name).then_some((version, name))
}

#[test]
fn migrations_are_numbered_by_time_and_have_no_way_back() {
    let files = migrations();
    let odd = files.iter().filter(|file| parts(file).is_none()).map(|file| file.path.clone());
    expect_none("migrations/<yyyymmddhhmmss>_<name>.sql, without up and down", odd, &[]);
    let versions: BTreeSet<&str> = files.iter().filter_map(parts).map(|(version, _)| version).collect();
    assert_eq!(versions.len(), files.len(), "two migrations of one version");
}

#[test]
fn every_migration_says_what_it_makes() {
    let files = migrations();
    let silent = files.iter().filter(|file| !file.text.starts_with("-- ")).map(|file| file.path.clone());
    expect_none("a migration begins with a comment", silent, &[]);
}

#[test]
fn every_query_file_is_used() {
    let files = repo_files();
    let code: String =
        files.iter().filter(|file| file.is_in(&["shared/src/db"])).map(|file| file.text.as_str()).collect();
    let unused = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("shared/"))
        .filter(|path| path.starts_with("queries/") && !code.contains(&format!("\"{path}\"")));
    expect_none("shared/queries holds what shared/src/db reads", unused.map(ToOwned::to_owned), &[]);
}
