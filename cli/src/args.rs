//! The command line: every command with its help, and where it is carried out.

use clap::{CommandFactory, Parser, Subcommand};

use crate::client::TargetArgs;
use crate::commands::{
    api, docs, evaluate, index, indexes, jobs, keys, migrate, models, openapi, postgres, samples, schedules,
    search, sources, train, up, uploads, validate, workers,
};
use crate::error::{CliError, EXIT_CODES};
use crate::output;

/// Content-based image retrieval: train a classifier, index pictures, find look-alikes.
#[derive(Debug, Parser)]
#[command(name = "lookalike", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything here: database, API, dashboard and one worker
    Up(up::Args),
    /// Run only the API and the dashboard
    Api(api::Args),
    /// Bring the database to this version
    Migrate(migrate::Args),
    /// Train a model on labelled pictures
    Train(Box<train::Args>),
    /// Report on labelled pictures before training on them
    Validate(validate::Args),
    /// Put pictures into an index
    Index(index::Args),
    /// Find look-alikes of a picture
    Search(search::Args),
    /// Measure an index with labelled pictures
    Evaluate(evaluate::Args),
    /// List, watch and control jobs
    Jobs(jobs::Args),
    /// List, import and delete models
    Models(models::Args),
    /// List, make, rebuild and delete indexes
    Indexes(indexes::Args),
    /// List, make, pause and run schedules: indexes that follow their sources
    Schedules(schedules::Args),
    /// List sources, look into them, and test them
    Sources(sources::Args),
    /// Upload folders of pictures
    Uploads(uploads::Args),
    /// List, make and revoke keys
    Keys(keys::Args),
    /// List workers and how busy they are
    Workers(workers::Args),
    /// Print the OpenAPI document of the API
    #[command(after_help = "Example:\n  lookalike openapi > openapi.json")]
    Openapi,
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  lookalike completions bash > ~/.local/share/bash-completion/completions/lookalike"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a small set of labelled sample pictures
    #[command(hide = true)]
    Samples(samples::Args),
    /// Print generated parts of the documentation
    #[command(hide = true)]
    Docs(docs::Args),
    /// Become PostgreSQL, bound to a parent process
    #[command(hide = true)]
    ServePostgres(postgres::Args),
}

impl Cli {
    /// Whether the command prints JSON, its error included.
    pub fn prints_json(&self) -> bool {
        self.command.target().is_some_and(|target| target.json)
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// [`CliError`], whose exit code tells scripts what happened.
    pub fn run(self) -> Result<(), CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(anyhow::Error::new)?.block_on(self.command.run())
    }
}

impl Command {
    /// How a client command names its server.
    fn target(&self) -> Option<&TargetArgs> {
        match self {
            Self::Train(args) => Some(&args.target),
            Self::Validate(args) => Some(&args.target),
            Self::Index(args) => Some(&args.target),
            Self::Search(args) => Some(&args.target),
            Self::Evaluate(args) => Some(&args.target),
            Self::Jobs(args) => Some(&args.target),
            Self::Models(args) => Some(&args.target),
            Self::Indexes(args) => Some(&args.target),
            Self::Schedules(args) => Some(&args.target),
            Self::Sources(args) => Some(&args.target),
            Self::Uploads(args) => Some(&args.target),
            Self::Keys(args) => Some(&args.target),
            Self::Workers(args) => Some(&args.target),
            Self::Up(_)
            | Self::Api(_)
            | Self::Migrate(_)
            | Self::Openapi
            | Self::Completions { .. }
            | Self::Samples(_)
            | Self::Docs(_)
            | Self::ServePostgres(_) => None,
        }
    }

    async fn run(self) -> Result<(), CliError> {
        match self {
            Self::Up(args) => up::run(args).await,
            Self::Api(args) => api::run(args).await,
            Self::Migrate(args) => migrate::run(args).await,
            Self::Train(args) => train::run(*args).await,
            Self::Validate(args) => validate::run(args).await,
            Self::Index(args) => index::run(args).await,
            Self::Search(args) => search::run(args).await,
            Self::Evaluate(args) => evaluate::run(args).await,
            Self::Jobs(args) => jobs::run(args).await,
            Self::Models(args) => models::run(args).await,
            Self::Indexes(args) => indexes::run(args).await,
            Self::Schedules(args) => schedules::run(args).await,
            Self::Sources(args) => sources::run(args).await,
            Self::Uploads(args) => uploads::run(args).await,
            Self::Keys(args) => keys::run(args).await,
            Self::Workers(args) => workers::run(args).await,
            Self::Openapi => openapi::run(),
            Self::Completions { shell } => completions(shell),
            Self::Samples(args) => samples::run(&args),
            Self::Docs(args) => docs::run(&args),
            Self::ServePostgres(args) => Err(postgres::run(&args)),
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lookalike", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_visible_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
                let path = format!("{path} {}", child.get_name());
                if child.has_subcommands() {
                    check(child, &path);
                }
                let help = child.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("lookalike"), "`{path}` has no example");
            }
        }
        check(&Cli::command(), "lookalike");
    }

    #[test]
    fn no_argument_is_mistaken_for_a_global_one() {
        fn check(command: &clap::Command, globals: &[String]) {
            let mut globals = globals.to_vec();
            for argument in command.get_arguments() {
                let id = argument.get_id().to_string();
                assert!(!globals.contains(&id), "`{}` has another \"{id}\"", command.get_name());
                if argument.is_global_set() {
                    globals.push(id);
                }
            }
            for child in command.get_subcommands() {
                check(child, &globals);
            }
        }
        check(&Cli::command(), &[]);
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [&["lookalike"][..], &["lookalike", "search"], &["lookalike", "up", "--no-such"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
