//! What files look like: sizes, heads, words that have no place here.

use super::{RepoFile, expect_none, lines_with, repo_files, sources};

/// The most lines of a file that somebody has to read as a whole.
const MAX_LINES: usize = 400;
/// The most lines of a `main.rs`: read settings, build, run.
const MAX_MAIN_LINES: usize = 60;

fn is_code(file: &RepoFile) -> bool {
    let endings = [".rs", ".ts", ".tsx", ".css", ".py", ".sql", ".sh"];
    endings.iter().any(|ending| file.path.ends_with(ending))
}

/// Files that a tool writes.
fn is_generated(file: &RepoFile) -> bool {
    let by_name = ["Cargo.lock", "package-lock.json", "openapi.json", "schema.ts", "pins.json"];
    file.is_in(&[".sqlx"]) || by_name.iter().any(|name| file.path.ends_with(name))
}

#[test]
fn files_are_short_enough_to_be_read() {
    let files = repo_files();
    let long = files
        .iter()
        .filter(|file| is_code(file) && !is_generated(file))
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path));
    expect_none(
        &format!("code files have at most {MAX_LINES} lines"),
        long,
        &[
            ("deploy/local/bootstrap.py", "runs before anything is built or installed, so it is one file"),
            (
                "shared/src/db/queue.rs",
                "the life of a job in SQL, from enqueueing to recovery, is read together",
            ),
        ],
    );
}

#[test]
fn programs_start_in_a_few_lines() {
    let files = sources();
    let long = files.iter().filter(|file| file.path.ends_with("src/main.rs")).filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MAX_MAIN_LINES).then(|| format!("{}: {lines} lines", file.path))
    });
    expect_none(&format!("main.rs has at most {MAX_MAIN_LINES} lines"), long, &[]);
}

#[test]
fn every_module_says_what_it_owns() {
    let files = sources();
    let silent = files.iter().filter(|file| !file.is_test() && !file.text.starts_with("//! "));
    expect_none("a source file begins with a head", silent.map(|file| file.path.clone()), &[]);
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let files = sources();
    let found = files
        .iter()
        .flat_map(|file| lines_with(file, &file.shipped_code(), &[".unwrap()"]).collect::<Vec<_>>());
    expect_none("`expect` states the invariant", found.collect::<Vec<_>>(), &[]);
}

#[test]
fn lints_are_excepted_with_a_reason() {
    let files = repo_files();
    let found = files.iter().filter(|file| file.is_rust()).flat_map(|file| {
        lines_with(file, &file.text, &[concat!("#[", "allow("), concat!("#![", "allow(")]).collect::<Vec<_>>()
    });
    expect_none("#[expect(lint, reason = \"...\")] instead of allow", found.collect::<Vec<_>>(), &[]);
}

/// Everything that is written by people.
fn written() -> Vec<RepoFile> {
    repo_files().into_iter().filter(|file| !is_generated(file)).collect()
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let files = written();
    let found = files.iter().flat_map(|file| lines_with(file, &file.text, &words).collect::<Vec<_>>());
    expect_none("no unfinished parts", found.collect::<Vec<_>>(), &[]);
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let words =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/opt/wh", "eels")];
    let files = repo_files();
    let found = files.iter().flat_map(|file| lines_with(file, &file.text, &words).collect::<Vec<_>>());
    expect_none(
        "no paths of a machine",
        found.collect::<Vec<_>>(),
        &[(
            "shared/src/config/local.rs",
            "an example of a home, in the tests of the rule that finds the data folder",
        )],
    );
}

#[test]
fn downloads_go_through_the_users_own_registries() {
    let words = [
        concat!("registry.npm", "js.org"),
        concat!("pypi", ".org"),
        concat!("python", "hosted.org"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("arti", "factory"),
    ];
    let files = repo_files();
    let found = files.iter().flat_map(|file| lines_with(file, &file.text, &words).collect::<Vec<_>>());
    expect_none("no host of a registry, so that mirrors and proxies hold", found.collect::<Vec<_>>(), &[]);
}

#[test]
fn tests_wait_for_what_they_test_and_never_sleep() {
    let files = repo_files();
    let found = files.iter().filter(|file| file.is_rust()).flat_map(|file| {
        let tests = if file.is_test() || file.is_in(&["tests", "shared/src/testing"]) {
            file.text.as_str()
        } else {
            file.text.split_once("#[cfg(test)]\nmod tests {").map_or("", |(_, tests)| tests)
        };
        lines_with(file, tests, &[concat!("sle", "ep(")]).collect::<Vec<_>>()
    });
    expect_none(
        "tests wait for signals or look with a deadline",
        found.collect::<Vec<_>>(),
        &[("shared/src/testing/wait.rs", "the pause between two looks of `wait_until`")],
    );
}
