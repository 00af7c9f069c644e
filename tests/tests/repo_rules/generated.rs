//! What is generated is what would be generated now: `make gen` writes it.

use std::collections::BTreeSet;
use std::fs;

use lookalike_shared::config::{VARIABLES, env_example, markdown_table};
use lookalike_shared::domain::job::JobState;

use super::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_env_example_lists_every_setting() {
    assert_eq!(read(".env.example"), env_example(), ".env.example is old: run `make gen`");
}

#[test]
fn the_readme_lists_every_setting() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("<!-- settings -->").expect("README.md marks its table of settings");
    let (table, _) = rest.split_once("<!-- /settings -->").expect("README.md marks the end of its table");
    assert_eq!(table.trim(), markdown_table().trim(), "the README's table is old: run `make gen`");
}

#[test]
fn settings_are_listed_once_and_say_what_they_do() {
    let names: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(names.len(), VARIABLES.len());
    for variable in VARIABLES {
        assert!(variable.name.starts_with("LOOKALIKE_"), "{}", variable.name);
        assert!(variable.help.ends_with('.'), "{}", variable.name);
    }
}

/// The diagram of states in ARCHITECTURE.md (Mermaid, `from --> to`) is `JobState::exits`.
#[test]
fn the_diagram_of_states_is_the_table_of_exits() {
    let page = read("ARCHITECTURE.md");
    let (_, rest) = page.split_once("stateDiagram-v2").expect("ARCHITECTURE.md draws the states of a job");
    let (diagram, _) = rest.split_once("```").expect("the diagram ends");
    let drawn: BTreeSet<(String, String)> = diagram
        .lines()
        .filter_map(|line| line.split_once("-->"))
        .map(|(from, to)| {
            (from.trim().to_owned(), to.split(':').next().unwrap_or_default().trim().to_owned())
        })
        .filter(|(from, to)| from != "[*]" && to != "[*]")
        .collect();
    let exits = JobState::ALL
        .iter()
        .flat_map(|from| from.exits().iter().map(|to| (from.as_str().to_owned(), to.as_str().to_owned())));
    assert_eq!(drawn, exits.collect());
}
