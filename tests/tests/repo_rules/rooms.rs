//! Who may use what: crates, and rooms inside of them.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{expect_none, lines_with, root, sources};

/// What `crate_name` depends on when it is built, not tested.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let metadata = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new(env!("CARGO")).args(metadata).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == crate_name).expect(crate_name);
    let normal =
        package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
    normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

const CRATES: [&str; 4] = ["lookalike-shared", "lookalike-api", "lookalike-worker", "lookalike-cli"];

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    for (name, allowed) in [
        ("lookalike-shared", &[][..]),
        ("lookalike-api", &["lookalike-shared"][..]),
        ("lookalike-worker", &["lookalike-shared"][..]),
        ("lookalike-cli", &["lookalike-api", "lookalike-shared"][..]),
    ] {
        let ours: Vec<String> = dependencies(name)
            .into_iter()
            .filter(|dependency| dependency.starts_with("lookalike-"))
            .collect();
        assert_eq!(ours, allowed, "{name}");
    }
}

#[test]
fn each_heavy_dependency_has_its_crates() {
    for (prefix, at_home) in [
        ("tch", &["lookalike-worker"][..]),
        ("actix", &["lookalike-api"][..]),
        ("apalis", &["lookalike-shared", "lookalike-worker"][..]),
        ("sqlx", &["lookalike-shared"][..]),
        ("clap", &["lookalike-cli", "lookalike-worker"][..]),
    ] {
        let users =
            CRATES.into_iter().filter(|name| dependencies(name).iter().any(|used| used.starts_with(prefix)));
        let mut users: Vec<&str> = users.collect();
        users.sort_unstable();
        let mut expected = at_home.to_vec();
        expected.sort_unstable();
        assert_eq!(users, expected, "{prefix}");
    }
}

/// Fails for every line outside of `rooms` that holds one of `words`.
fn expect_only_in(words: &[&str], rooms: &[&str], exceptions: &[(&str, &str)]) {
    let mut violations = Vec::new();
    for file in sources().iter().filter(|file| !file.is_in(rooms)) {
        violations.extend(lines_with(file, &file.shipped_code(), words));
    }
    expect_none(&format!("{words:?} only in {rooms:?}"), violations, exceptions);
}

#[test]
fn sql_is_written_in_one_room() {
    expect_only_in(
        &[
            "sqlx::query",
            "sqlx::raw_sql",
            "query!(",
            "query_as!(",
            "query_scalar!(",
            "query_file",
            "raw_sql(",
        ],
        &["shared/src/db"],
        &[
            (
                "shared/src/testing/builders.rs",
                "tests bring about what no statement of ours does: a lease that ran out",
            ),
            (
                "shared/src/testing/database.rs",
                "makes and drops databases, which no part of the program does",
            ),
            ("shared/src/testing/text.rs", "writes both tables of the queue as one text, for tests"),
        ],
    );
}

#[test]
fn apalis_is_met_where_tasks_are_pushed_and_where_the_loop_runs() {
    expect_only_in(
        &["use apalis", "apalis::prelude", "apalis_postgres::"],
        &["shared/src/db", "worker/src/runtime"],
        &[(
            "shared/src/testing/database.rs",
            "names the state of the schema by every migration, the queue's too",
        )],
    );
}

#[test]
fn the_network_is_computed_in_few_rooms() {
    expect_only_in(
        &["tch::"],
        &[
            "worker/src/network",
            "worker/src/inference",
            "worker/src/training",
            "worker/src/matching",
            "worker/src/device",
            "worker/src/bench",
        ],
        &[("worker/src/runtime/mod.rs", "holds the device that was chosen, for training, which it starts")],
    );
}

#[test]
fn the_environment_is_read_in_one_room() {
    expect_only_in(
        &["std::env", "env::var", "use std::{env"],
        &["shared/src/config"],
        &[("shared/src/testing/server.rs", "the one variable of tests, which no part of the program reads")],
    );
}

#[test]
fn the_domain_has_no_input_no_output_and_no_clock() {
    let words =
        ["sqlx", "tokio", "std::fs", "std::env", "Utc::now", "Instant::now", "SystemTime::now", "reqwest"];
    let files = sources();
    let domain = files.iter().filter(|file| file.is_in(&["shared/src/domain"]));
    let found: Vec<String> =
        domain.flat_map(|file| lines_with(file, &file.shipped_code(), &words).collect::<Vec<_>>()).collect();
    expect_none("shared/src/domain is values and rules", found, &[]);
}
