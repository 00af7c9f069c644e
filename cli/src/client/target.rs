//! Which server a command talks to, and the key it shows there.
//!
//! Flags win over the environment, which wins over the data folder of a running `up`. The key of a data
//! folder is shown to the server of that folder only.

use std::path::PathBuf;

use clap::Args;
use lookalike_shared::config::{Environment, Secret};
use url::Url;

use crate::error::CliError;
use crate::up::folder;

/// How a server is named on the command line.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct TargetArgs {
    /// The server, e.g. http://127.0.0.1:8080 [env: LOOKALIKE_URL] [default: the running `lookalike up`]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The key to show it [env: LOOKALIKE_KEY] [default: the admin key of the running `lookalike up`]
    #[arg(long, global = true, value_name = "KEY")]
    key: Option<String>,
    /// The data folder of that `lookalike up` [env: LOOKALIKE_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// A server and the key to show it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server.
    pub url: Url,
    /// The key.
    pub key: Option<Secret>,
}

impl TargetArgs {
    /// Decides, with `env` for what the flags leave open.
    ///
    /// # Errors
    /// When no server is known, or its URL is none.
    pub fn resolve(&self, env: &mut Environment) -> Result<Target, CliError> {
        let folder = self.data_dir.clone().unwrap_or_else(|| env.data_dir());
        let local = folder::read_url(&folder);
        let named = self.url.clone().or_else(|| env.get("LOOKALIKE_URL").map(str::to_owned));
        let Some(url) = named.or_else(|| local.clone()) else {
            return Err(CliError::Unreachable(format!(
                "no server is known: none runs on {}; start one with `lookalike up`, or name one with --url",
                folder.display()
            )));
        };
        let is_local = local.is_some_and(|local| same_server(&local, &url));
        let key = match self.key.as_deref().or_else(|| env.get("LOOKALIKE_KEY")) {
            Some(key) => Some(Secret::new(key)),
            None if is_local => folder::read_key(&folder)?,
            None => None,
        };
        Ok(Target { url: parse(&url)?, key })
    }
}

fn parse(text: &str) -> Result<Url, CliError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        CliError::Usage(format!("\"{text}\" is no server: a URL such as http://127.0.0.1:8080 expected"))
    })
}

fn same_server(a: &str, b: &str) -> bool {
    match (Url::parse(a), Url::parse(b)) {
        (Ok(a), Ok(b)) => a.origin() == b.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("url"), "http://127.0.0.1:9\n").unwrap();
        std::fs::write(root.path().join("admin.key"), "local\n").unwrap();
        root
    }

    fn resolve(args: TargetArgs, pairs: &[(&str, &str)]) -> Result<(String, Option<String>), CliError> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let target = args.resolve(&mut Environment::from_values(pairs))?;
        Ok((target.url.to_string(), target.key.map(|key| key.expose().to_owned())))
    }

    #[test]
    fn a_running_up_is_found_by_itself() {
        let root = running();
        let found = resolve(TargetArgs::default(), &[("LOOKALIKE_DATA_DIR", root.path().to_str().unwrap())]);
        assert_eq!(found.unwrap(), ("http://127.0.0.1:9/".to_owned(), Some("local".to_owned())));
    }

    #[test]
    fn the_local_key_is_not_shown_to_another_server() {
        let root = running();
        let args = |url: &str| TargetArgs {
            url: Some(url.to_owned()),
            data_dir: Some(root.path().to_owned()),
            ..TargetArgs::default()
        };
        assert_eq!(resolve(args("http://other:9"), &[]).unwrap().1, None);
        assert_eq!(resolve(args("http://127.0.0.1:9/"), &[]).unwrap().1.as_deref(), Some("local"));
        let named = resolve(args("http://other:9"), &[("LOOKALIKE_KEY", "k")]).unwrap();
        assert_eq!(named.1.as_deref(), Some("k"));
    }

    #[test]
    fn no_server_and_no_url_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let args = TargetArgs { data_dir: Some(root.path().to_owned()), ..TargetArgs::default() };
        assert_eq!(resolve(args.clone(), &[]).unwrap_err().exit_code(), 3);
        assert_eq!(resolve(args, &[("LOOKALIKE_URL", "localhost:80")]).unwrap_err().exit_code(), 2);
    }
}
