//! The private PostgreSQL of `up`.
//!
//! [`Postgres::start`] makes the database if need be and serves it on a Unix socket that only its user can
//! reach; from then on a thread keeps it served until it is asked to stop. Nothing here listens on a network.

mod cluster;
mod install;
mod orphans;
mod pidfile;
mod server;
mod stale;
mod tuning;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use lookalike_shared::config::Secret;
use nix::unistd::{Gid, Uid};
use tokio::sync::oneshot;

use self::cluster::Cluster;
use super::folder::DataFolder;
use super::stop::Stop;

/// A served database.
#[derive(Debug)]
pub struct Postgres {
    url: Secret,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Postgres {
    /// Serves the database of `folder`, made if need be, with the first PostgreSQL found in `places`.
    /// `executable` is this program; `asked` ends a start that is under way.
    ///
    /// # Errors
    /// When it cannot be made or does not start.
    pub async fn start(
        folder: Arc<DataFolder>,
        places: Vec<PathBuf>,
        executable: PathBuf,
        asked: &Stop,
    ) -> anyhow::Result<Self> {
        let prepared = tokio::task::spawn_blocking(move || Cluster::prepare(&folder, &places));
        let cluster = prepared.await.context("preparing the database failed")??;
        let url = Secret::new(cluster.url());
        let stop = asked.later();
        let (ready, is_ready) = oneshot::channel();
        let supervision = server::supervise(cluster, stop.clone(), executable, ready);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("postgres".to_owned());
        let thread = thread.spawn(move || runtime.block_on(supervision))?;
        let this = Self { url, stop, thread };
        let outcome = tokio::select! {
            outcome = is_ready => outcome.context("the thread that serves PostgreSQL failed").flatten(),
            () = asked.asked() => Err(anyhow::anyhow!("PostgreSQL was not ready yet")),
        };
        match outcome {
            Ok(()) => Ok(this),
            Err(error) => {
                this.stop().await;
                Err(error)
            }
        }
    }

    /// How clients connect.
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// Ends the database's service, everything written.
    pub async fn stop(self) {
        self.stop.ask();
        let thread = self.thread;
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the thread that served PostgreSQL failed");
        }
    }
}

/// Becomes the program `command`, run by the user and group of these numbers, which the kernel interrupts when process
/// `parent` ends. Gives a reason only when that fails.
pub fn serve_as_child(parent: u32, user: Option<(u32, u32)>, command: &[OsString]) -> anyhow::Error {
    let Some((program, arguments)) = command.split_first() else {
        return anyhow::anyhow!("a program to run expected");
    };
    // Before the rest: the kernel forgets about the parent when a process becomes another user.
    if let Some((uid, gid)) = user
        && let Err(error) = become_user(Uid::from_raw(uid), Gid::from_raw(gid))
    {
        return anyhow::Error::new(error).context(format!("cannot become user {uid}"));
    }
    // Elsewhere a killed `up` leaves its database running; the next one stops it.
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGINT) {
        return anyhow::Error::new(error).context("cannot ask to be told of the parent's end");
    }
    if nix::unistd::getppid().as_raw().cast_unsigned() != parent {
        return anyhow::anyhow!("process {parent} has ended already");
    }
    let error = Command::new(program).args(arguments).exec();
    anyhow::Error::new(error).context(format!("cannot run {}", program.to_string_lossy()))
}

/// Gives up every right but those of this user and its one group.
fn become_user(uid: Uid, gid: Gid) -> nix::Result<()> {
    #[cfg(not(target_vendor = "apple"))]
    nix::unistd::setgroups(&[gid])?;
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(uid)
}
