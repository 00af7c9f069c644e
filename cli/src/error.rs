//! Why a command did not do what was asked, and the exit code that says so.
//!
//! Scripts rely on the codes: they are listed in [`EXIT_CODES`], which `--help` prints.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::client::Problem;

/// The codes, as `--help` tells them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a job failed or was cancelled, or the request was refused
  2    wrong usage or settings
  3    the server cannot be reached
  4    not allowed: no valid key, or one of too small a scope
  130  interrupted; a job that was being followed goes on";

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments or settings that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// No server answers, or none is known.
    #[error("{0}")]
    Unreachable(String),
    /// The server refused the request.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The job ended without a result.
    #[error("{0}")]
    JobEnded(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
    /// Nobody reads standard output any more, as in `lookalike jobs list | head`.
    #[error("standard output is closed")]
    OutputClosed,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl CliError {
    /// The exit code, see [`EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::JobEnded(_) | Self::Other(_) => 1,
            Self::Refused(problem) if matches!(problem.status, 401 | 403) => 4,
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Interrupted(_) => 130,
        }
    }

    /// Tells the error on standard error, as JSON for programs, and gives the code to exit with.
    pub fn report(&self, as_json: bool) -> ExitCode {
        match self {
            Self::OutputClosed => {}
            _ if as_json => eprintln!("{}", self.to_json()),
            Self::Interrupted(message) => eprintln!("{message}"),
            Self::Usage(_) | Self::Unreachable(_) | Self::Refused(_) | Self::JobEnded(_) | Self::Other(_) => {
                eprintln!("error: {self}");
            }
        }
        ExitCode::from(self.exit_code())
    }

    /// The server's problem document, or one of the same shape for what happened here.
    fn to_json(&self) -> Value {
        match self {
            Self::Refused(problem) => serde_json::to_value(problem).expect("strings and numbers"),
            Self::Usage(_)
            | Self::Unreachable(_)
            | Self::JobEnded(_)
            | Self::Interrupted(_)
            | Self::OutputClosed
            | Self::Other(_) => json!({"detail": self.to_string(), "exit_code": self.exit_code()}),
        }
    }
}

impl From<lookalike_shared::config::ConfigError> for CliError {
    fn from(error: lookalike_shared::config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_to_programs_as_the_server_told_it() {
        let problem = Problem { status: 404, code: "not_found".to_owned(), ..Problem::default() };
        let told = CliError::Refused(Box::new(problem)).to_json();
        assert_eq!((&told["status"], &told["code"]), (&json!(404), &json!("not_found")));
        assert_eq!(CliError::Usage("no".to_owned()).to_json(), json!({"detail": "no", "exit_code": 2}));
    }

    #[test]
    fn every_documented_code_is_given() {
        let refused = |status| CliError::Refused(Box::new(Problem { status, ..Problem::default() }));
        let given = [
            (CliError::OutputClosed, 0),
            (CliError::JobEnded(String::new()), 1),
            (refused(422), 1),
            (CliError::Usage(String::new()), 2),
            (CliError::Unreachable(String::new()), 3),
            (refused(401), 4),
            (refused(403), 4),
            (CliError::Interrupted(String::new()), 130),
        ];
        for (error, code) in given {
            assert_eq!(error.exit_code(), code, "{error:?}");
            assert!(EXIT_CODES.contains(&format!("\n  {code} ")), "{code} is not documented");
        }
    }
}
