//! The worker process of `up`: one, started again whenever it dies.
//!
//! It gets its settings in its environment and a standard input that stays open as long as `up` lives: when
//! that closes, the worker stops by itself. Its messages go to our standard error as they are.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lookalike_shared::config::Secret;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::backoff::Backoff;
use super::stop::Stop;

/// A worker that died this often before it was ever ready has a problem that a restart does not solve.
const STARTS: u32 = 5;

/// Where the worker is that lies beside `executable`.
///
/// # Errors
/// When there is none.
pub fn find(executable: &Path) -> anyhow::Result<PathBuf> {
    let program = executable.with_file_name("lookalike-worker");
    if !program.is_file() {
        bail!(
            "there is no worker at {}: run `make build`, or start without one with --no-worker",
            program.display()
        );
    }
    Ok(program)
}

/// What a worker is started with.
#[derive(Debug)]
pub struct WorkerProgram {
    program: PathBuf,
    settings: Vec<(&'static str, Secret)>,
    grace: Duration,
}

impl WorkerProgram {
    /// The worker that lies beside `executable`, with these settings; `grace` is how long it may take to stop.
    ///
    /// # Errors
    /// When there is none.
    pub fn beside(
        executable: &Path,
        settings: Vec<(&'static str, Secret)>,
        grace: Duration,
    ) -> anyhow::Result<Self> {
        Ok(Self { program: find(executable)?, settings, grace })
    }

    /// Keeps a worker running until `stop`. `is_ready` tells that one was ready once.
    ///
    /// # Errors
    /// When it dies again and again without ever having been ready.
    pub async fn supervise(self, stop: Stop, is_ready: watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let started = Instant::now();
            let ended = self.run_once(&stop).await;
            if stop.is_asked() {
                return Ok(());
            }
            let reason = match ended {
                Ok(status) => format!("the worker ended with {status}"),
                Err(error) => format!("the worker cannot run: {error:#}"),
            };
            let wait = backoff.after(started.elapsed());
            if !*is_ready.borrow() && backoff.deaths() >= STARTS {
                bail!("{reason}, for the {STARTS}th time: its messages above tell why");
            }
            tracing::warn!(wait_ms = wait.as_millis() as u64, "{reason}; starting it again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.asked() => return Ok(()),
            }
        }
    }

    async fn run_once(&self, stop: &Stop) -> anyhow::Result<ExitStatus> {
        let mut command = Command::new(&self.program);
        command.arg("run").envs(self.settings.iter().map(|(name, value)| (name, value.expose())));
        // A group of its own: Ctrl-C reaches `up` alone, which stops things in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(io::stderr()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
        // Held here, since `wait` would close it: the worker stops when it closes.
        let _input = child.stdin.take();
        tokio::select! {
            status = child.wait() => Ok(status?),
            () = stop.asked() => self.end(&mut child, stop).await,
        }
    }

    async fn end(&self, child: &mut Child, stop: &Stop) -> anyhow::Result<ExitStatus> {
        if let Some(pid) = child.id() {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).context("cannot signal the worker")?;
        }
        tokio::select! {
            status = child.wait() => return Ok(status?),
            // It keeps to its own grace; this is for one that hangs.
            () = tokio::time::sleep(self.grace + Duration::from_secs(5)) => {
                tracing::warn!("the worker does not stop: ending it");
            }
            () = stop.hurried() => {}
        }
        child.start_kill()?;
        Ok(child.wait().await?)
    }
}
