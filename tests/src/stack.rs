//! `lookalike up` as a child process, and ways to do it harm.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lookalike_shared::testing::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::{Client, Remote};

/// From an empty folder to `ready`: making the database and warming the worker up, on a busy machine.
const START: Duration = Duration::from_secs(180);
/// A stop takes at most the grace period of the worker and then some.
const STOP: Duration = Duration::from_secs(60);

/// One of our programs, as `make build` leaves it.
///
/// # Errors
/// When it is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release").join(name);
    path.canonicalize().with_context(|| format!("there is no target/release/{name}: run `make build`"))
}

/// What a stack is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folders or URLs that pictures are read from, by the source's name.
    pub sources: Vec<(String, String)>,
    /// Settings beside the flags.
    pub environment: Vec<(String, String)>,
    /// Start no worker.
    pub without_worker: bool,
}

impl Options {
    /// Adds a source.
    #[must_use]
    pub fn source(mut self, name: &str, folder: &Path) -> Self {
        self.sources.push((name.to_owned(), folder.display().to_string()));
        self
    }

    /// Adds a bucket as a source, with its options.
    #[must_use]
    pub fn remote(mut self, name: &str, remote: &Remote) -> Self {
        self.sources.push((name.to_owned(), remote.url.clone()));
        self.environment.extend(remote.environment(name));
        self
    }

    /// Adds a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running system. Dropped, it is killed and its data folder removed.
#[derive(Debug)]
pub struct Stack {
    up: Child,
    options: Options,
    data: TempDir,
    log: Arc<Mutex<String>>,
    _turn: SemaphorePermit<'static>,
    /// Talks to it with the admin key.
    pub client: Client,
}

/// One system at a time: a worker takes every processor, and tests say how long things may take.
static TURNS: Semaphore = Semaphore::const_new(1);

impl Stack {
    /// Starts everything on an empty data folder and a free port, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the error holds its log.
    pub async fn start(options: Options) -> Result<Self> {
        let turn = TURNS.acquire().await?;
        let data = tempfile::tempdir()?;
        let (up, log, client) = launch(data.path(), &options).await?;
        Ok(Self { up, options, data, log, _turn: turn, client })
    }

    /// Starts it again on the same data folder, after [`Self::terminate`] or [`Self::kill_everything`]. It may
    /// get another port; `client` knows.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self) -> Result<()> {
        (self.up, self.log, self.client) = launch(self.data.path(), &self.options).await?;
        Ok(())
    }

    /// Everything it said so far, on standard output and error.
    pub fn log(&self) -> String {
        text_of(&self.log)
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Stops it with SIGTERM and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal_up(Signal::SIGTERM)?;
        let ended = tokio::time::timeout(STOP, self.up.wait()).await;
        Ok(ended.with_context(|| format!("it does not stop:\n{}", self.log()))??)
    }

    /// Kills the worker as a power cut would, and gives its process id. `up` starts another one.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill_worker(&self) -> Result<u32> {
        let worker = self.worker_pid()?;
        kill(Pid::from_raw(worker.cast_signed()), Signal::SIGKILL)?;
        Ok(worker)
    }

    /// The process id of the worker.
    ///
    /// # Errors
    /// When there is none.
    pub fn worker_pid(&self) -> Result<u32> {
        let up = self.up.id().context("up has ended")?;
        let worker = processes_of(up)?.into_iter().find(|(_, program)| program == "lookalike-worker");
        worker.map(|(pid, _)| pid).context("up has no worker now")
    }

    /// Kills PostgreSQL's postmaster as a power cut would; its sessions end with it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_postgres(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.postgres_pid()?), Signal::SIGKILL)?)
    }

    /// Kills `up` alone, and with it the API; the worker and the database end by themselves.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill_up(&mut self) -> Result<()> {
        self.signal_up(Signal::SIGKILL)?;
        self.up.wait().await?;
        Ok(())
    }

    /// Kills `up`, the worker and the database at once, as a power cut would, and waits until all are gone.
    ///
    /// # Errors
    /// When one of them does not run.
    pub async fn kill_everything(&mut self) -> Result<()> {
        let (worker, postgres) = (self.worker_pid()?.cast_signed(), self.postgres_pid()?);
        self.signal_up(Signal::SIGKILL)?;
        for pid in [worker, postgres] {
            kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        }
        self.up.wait().await?;
        wait_until("the killed processes are gone", STOP, || async {
            let is_gone = |pid| kill(Pid::from_raw(pid), None).is_err();
            (is_gone(worker) && is_gone(postgres)).then_some(())
        })
        .await;
        Ok(())
    }

    /// The first line of PostgreSQL's `postmaster.pid`, wherever `up` keeps its database.
    fn postgres_pid(&self) -> Result<i32> {
        let elsewhere = std::fs::read_to_string(self.data_dir().join("postgres.path"));
        let base =
            elsewhere.map_or_else(|_| self.data_dir().join("postgres"), |path| PathBuf::from(path.trim()));
        let file = base.join("data/postmaster.pid");
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("{} tells no pid", file.display()))?;
        let first = text.lines().next().unwrap_or_default();
        first.trim().parse().with_context(|| format!("\"{first}\" is no pid"))
    }

    fn signal_up(&self, signal: Signal) -> Result<()> {
        let pid = self.up.id().context("up has ended")?;
        Ok(kill(Pid::from_raw(pid.cast_signed()), signal)?)
    }
}

impl Drop for Stack {
    /// Ends it in order when it still runs, so that no database is left behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the stack\n{}", self.log());
        }
        if self.signal_up(Signal::SIGTERM).is_err() {
            return;
        }
        // The worker stops when `up` is gone, and so does the database: waiting here serves the data folder alone.
        for _ in 0..2_000 {
            match self.up.try_wait() {
                Ok(None) => std::thread::park_timeout(Duration::from_millis(10)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}

/// Runs `lookalike up` and waits until it is ready.
async fn launch(data: &Path, options: &Options) -> Result<(Child, Arc<Mutex<String>>, Client)> {
    let mut command = Command::new(program("lookalike")?);
    command.args(["up", "--listen", "127.0.0.1:0", "--device", "cpu", "--data-dir"]).arg(data);
    for (name, place) in &options.sources {
        command.arg("--source").arg(format!("{name}={place}"));
    }
    if options.without_worker {
        command.arg("--no-worker");
    }
    // What is told of a failed test: all but the line per request.
    command.env("LOOKALIKE_LOG", "info,lookalike_api::observe=warn").env("NO_COLOR", "1");
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut up = command.spawn()?;
    let log = Arc::new(Mutex::new(String::new()));
    let (lines, mut said) = mpsc::unbounded_channel();
    copy_lines(up.stdout.take().context("standard output is piped")?, log.clone(), lines.clone());
    copy_lines(up.stderr.take().context("standard error is piped")?, log.clone(), lines);
    let ready = async {
        while let Some(line) = said.recv().await {
            if let Some(url) = line.strip_prefix("ready ") {
                return Some(url.to_owned());
            }
        }
        None
    };
    let url = tokio::time::timeout(START, ready).await.unwrap_or_default();
    let Some(url) = url else { bail!("it does not become ready:\n{}", text_of(&log)) };
    let key = std::fs::read_to_string(data.join("admin.key"))?;
    let client = Client::new(&url, key.trim())?;
    Ok((up, log, client))
}

/// The processes whose parent is `parent`: their ids and the names of their programs.
fn processes_of(parent: u32) -> Result<Vec<(u32, String)>> {
    let mut system = System::new()?;
    let exe = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, exe);
    let children = system.processes().values().filter(|process| process.thread_kind().is_none());
    let children = children.filter(|process| process.parent().is_some_and(|id| id.as_u32() == parent));
    let name = |process: &sysinfo::Process| {
        let file = process.exe().and_then(Path::file_name).unwrap_or_default();
        file.to_string_lossy().trim_end_matches(" (deleted)").to_owned()
    };
    Ok(children.map(|process| (process.pid().as_u32(), name(process))).collect())
}

/// Copies lines into the log and hands them on, until the other end closes.
fn copy_lines(
    from: impl AsyncRead + Unpin + Send + 'static,
    log: Arc<Mutex<String>>,
    to: mpsc::UnboundedSender<String>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Ok(mut log) = log.lock() {
                log.push_str(&line);
                log.push('\n');
            }
            // Nobody listens after the start.
            _ = to.send(line);
        }
    });
}

fn text_of(log: &Mutex<String>) -> String {
    log.lock().map(|log| log.clone()).unwrap_or_default()
}
