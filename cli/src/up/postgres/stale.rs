//! What a killed `up` left running or lying about. The base folder is locked, so nobody else serves it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};

use super::orphans;
use super::pidfile::{PidFile, is_alive, is_shared_memory_used, is_uncollected};

/// Ends a postmaster that a killed `up` left behind: nothing that it committed is lost.
/// Gives the folder of its socket.
///
/// # Errors
/// When it cannot be stopped.
pub fn stop(data: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Some(file) = PidFile::read(data) else { return Ok(None) };
    if file.is_serving(data) {
        tracing::info!(pid = file.pid.as_raw(), "stopping the database that an earlier `up` left behind");
        // Fast, then at once with recovery at the next start, then by force (PostgreSQL 16 manual, section 19.5).
        let steps = [(Signal::SIGINT, 15), (Signal::SIGQUIT, 5), (Signal::SIGKILL, 5)];
        let stopped = steps.into_iter().any(|(signal, seconds)| {
            _ = kill(file.pid, signal);
            wait_for_end(&file, Duration::from_secs(seconds))
        });
        if !stopped {
            bail!("process {} serves {} and cannot be stopped", file.pid, data.display());
        }
    }
    // One that ended in order took its file away.
    if let Some(left) = PidFile::read(data)
        && is_uncollected(left.pid)
    {
        forget_uncollected(&left, data)?;
    }
    Ok(file.socket_dir)
}

/// Removes the file of a postmaster that is dead but whose number is still taken (in a container whose first
/// process collects nobody): PostgreSQL would refuse to start for ever. Only once nobody of it is left.
fn forget_uncollected(file: &PidFile, data: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    orphans::dismiss(data);
    while file.shared_memory.is_some_and(is_shared_memory_used) {
        if start.elapsed() > Duration::from_secs(10) {
            bail!("processes of an earlier PostgreSQL (process {}) still use {}", file.pid, data.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::remove_file(data.join("postmaster.pid")).context("cannot remove postmaster.pid")
}

fn wait_for_end(file: &PidFile, longest: Duration) -> bool {
    let start = Instant::now();
    while is_alive(file.pid) {
        if start.elapsed() > longest {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
