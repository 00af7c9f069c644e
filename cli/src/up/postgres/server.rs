//! Serving a database: one postmaster at a time, started again whenever it dies.
//!
//! A thread of its own starts it, because the kernel ends a child marked with a parent-death signal when the
//! *thread* that started it ends (prctl(2)). So when `up` is killed, PostgreSQL stops by itself, orderly.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;

use super::cluster::Cluster;
use super::orphans;
use super::pidfile::PidFile;
use super::tuning;
use crate::up::backoff::Backoff;
use crate::up::stop::Stop;

/// How often a start is tried before `up` gives up: about 20 s, in which orphaned backends end.
const STARTS: u32 = 7;
/// How often the postmaster's file is looked at while it starts.
const POLL: Duration = Duration::from_millis(10);
/// How long an orderly end may take.
const GRACE: Duration = Duration::from_secs(30);

/// Serves `cluster` until `stop`; `ready` hears once whether the first start worked.
pub async fn supervise(
    cluster: Cluster,
    stop: Stop,
    executable: PathBuf,
    ready: oneshot::Sender<anyhow::Result<()>>,
) {
    let mut server = Server { cluster, stop, executable, first: Some(ready), log: LogTail::default() };
    let mut backoff = Backoff::default();
    loop {
        let started = Instant::now();
        let ended = server.serve_once().await;
        if server.stop.is_asked() {
            break;
        }
        let reason = match ended {
            Ok(status) => format!("PostgreSQL ended with {status}"),
            Err(error) => format!("PostgreSQL did not start: {error:#}"),
        };
        let wait = backoff.after(started.elapsed());
        if server.first.is_some() && backoff.deaths() >= STARTS {
            server.tell_first(Err(anyhow!("{reason}\n{}", server.log.text())));
            break;
        }
        tracing::warn!(wait_ms = wait.as_millis() as u64, "{reason}; starting it again");
        let dismissed = orphans::dismiss(&server.cluster.data);
        if dismissed > 0 {
            tracing::warn!(count = dismissed, "ended processes that outlived the postmaster");
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = server.stop.asked() => break,
        }
    }
    server.cluster.remove_run_folder();
    server.tell_first(Err(anyhow!("stopped before PostgreSQL was ready")));
}

struct Server {
    cluster: Cluster,
    stop: Stop,
    executable: PathBuf,
    first: Option<oneshot::Sender<anyhow::Result<()>>>,
    log: LogTail,
}

impl Server {
    async fn serve_once(&mut self) -> anyhow::Result<ExitStatus> {
        let mut child = self.spawn()?;
        let log = child.stderr.take().expect("stderr is piped");
        let reader = tokio::spawn(read_log(log, self.log.clone(), self.stop.clone()));
        let ended = self.attend(&mut child).await;
        // Ends with the last process that holds the pipe, which may be an orphan: not waited for.
        if tokio::time::timeout(Duration::from_millis(200), reader).await.is_err() {
            tracing::debug!("some process of PostgreSQL still holds its log");
        }
        ended
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let cluster = &self.cluster;
        let mut command = std::process::Command::new(&self.executable);
        Cluster::isolate(&mut command);
        command.arg("serve-postgres");
        // This program may lie where that user cannot reach it, so it becomes that user when it runs already.
        if let Some(account) = &cluster.account {
            command.arg(format!("--uid={}", account.uid)).arg(format!("--gid={}", account.gid));
        }
        command.arg(std::process::id().to_string()).arg(cluster.install.program("postgres"));
        command.arg("-D").arg(&cluster.data).arg("-k").arg(&cluster.run);
        command.args(["-c", "listen_addresses=", "-c", "port=5432", "-c", "unix_socket_permissions=0700"]);
        for (name, value) in tuning::settings(tuning::memory_bytes(), tuning::shared_bytes()) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: Ctrl-C reaches `up` alone, which stops things in order.
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
        Command::from(command).spawn().with_context(|| format!("cannot run {}", self.executable.display()))
    }

    /// Waits for the child's end, tells when it is ready, and ends it when that is asked for.
    async fn attend(&mut self, child: &mut Child) -> anyhow::Result<ExitStatus> {
        let pid = Pid::from_raw(child.id().context("it ended at once")?.cast_signed());
        let stop = self.stop.clone();
        tokio::select! {
            status = child.wait() => return Ok(status?),
            () = stop.asked() => return end(child, pid, &stop).await,
            () = self.becomes_ready(pid) => self.tell_first(Ok(())),
        }
        tokio::select! {
            status = child.wait() => Ok(status?),
            () = stop.asked() => end(child, pid, &stop).await,
        }
    }

    async fn becomes_ready(&self, pid: Pid) {
        let started = Instant::now();
        let mut told = 0;
        loop {
            if PidFile::read(&self.cluster.data).is_some_and(|file| file.pid == pid && file.ready) {
                tracing::debug!(duration_ms = started.elapsed().as_millis() as u64, "PostgreSQL is ready");
                return;
            }
            if started.elapsed().as_secs() / 10 > told {
                told = started.elapsed().as_secs() / 10;
                tracing::info!(
                    seconds = told * 10,
                    "PostgreSQL is still starting: it recovers what was not written yet"
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn tell_first(&mut self, outcome: anyhow::Result<()>) {
        if let Some(first) = self.first.take() {
            // Nobody listens when `up` is stopping already.
            _ = first.send(outcome);
        }
    }
}

/// Ends the postmaster: fast (statements are rolled back, everything is written), at once when hurried or too
/// slow (the next start recovers).
async fn end(child: &mut Child, pid: Pid, stop: &Stop) -> anyhow::Result<ExitStatus> {
    kill(pid, Signal::SIGINT).context("cannot signal PostgreSQL")?;
    tokio::select! {
        status = child.wait() => return Ok(status?),
        () = tokio::time::sleep(GRACE) => tracing::warn!("PostgreSQL does not end: it will recover at the next start"),
        () = stop.hurried() => {}
    }
    kill(pid, Signal::SIGQUIT).context("cannot signal PostgreSQL")?;
    match tokio::time::timeout(Duration::from_secs(5), child.wait()).await {
        Ok(status) => Ok(status?),
        Err(_) => {
            child.start_kill()?;
            Ok(child.wait().await?)
        }
    }
}

/// The last lines of PostgreSQL's log, to explain a start that fails.
#[derive(Debug, Clone, Default)]
struct LogTail(Arc<Mutex<Vec<String>>>);

impl LogTail {
    const KEPT: usize = 12;

    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == Self::KEPT {
            lines.remove(0);
        }
        lines.push(line.to_owned());
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// Hands PostgreSQL's log on to ours. Failed statements are the business of those who sent them.
async fn read_log(log: ChildStderr, tail: LogTail, stop: Stop) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tail.push(&line);
        match line.split(':').next().unwrap_or_default() {
            "PANIC" => tracing::error!(target: "postgres", "{line}"),
            "FATAL" | "WARNING" if !stop.is_asked() => tracing::warn!(target: "postgres", "{line}"),
            _ => tracing::debug!(target: "postgres", "{line}"),
        }
    }
}
