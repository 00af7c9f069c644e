//! A running `lookalike up` in a test: started, asked, signalled, and gone when dropped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Longer than anything here takes, on a busy machine too.
const LONGEST: Duration = Duration::from_secs(120);
const PROGRAM: &str = env!("CARGO_BIN_EXE_lookalike");

/// A data folder that vanishes with the test.
pub struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The admin key in it.
    pub fn key(&self) -> String {
        fs::read_to_string(self.path().join("admin.key")).unwrap().trim().to_owned()
    }

    /// Runs a client command on it: exit code, standard output, standard error.
    pub fn client(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = program(self);
        let output = command.args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The process that serves its database.
    pub fn postmaster(&self) -> i32 {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        text.lines().next().and_then(|line| line.parse().ok()).unwrap_or(0)
    }

    /// Ends that process without any chance to tidy up.
    pub fn kill_postgres(&self) {
        kill(Pid::from_raw(self.postmaster()), Signal::SIGKILL).unwrap();
    }

    /// Every process of PostgreSQL that works in it.
    pub fn postgres_processes(&self) -> Vec<i32> {
        let data = self.data();
        let pids = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data))
            .collect()
    }

    /// Waits until none is left.
    pub fn wait_for_no_postgres(&self) {
        wait_until("PostgreSQL has ended", || self.postgres_processes().is_empty());
    }

    /// Waits until another process serves its database.
    pub fn wait_for_postmaster_other_than(&self, before: i32) {
        wait_until("PostgreSQL was started again", || {
            let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            text.contains("ready") && self.postmaster() != before
        });
    }

    fn data(&self) -> PathBuf {
        self.path().canonicalize().unwrap().join("postgres/data")
    }
}

/// A running `up`, killed when dropped.
pub struct Up {
    child: Child,
    url: String,
}

impl Up {
    /// Starts one without a worker and waits until it says that it is ready.
    pub fn start(folder: &Folder) -> Self {
        Self::start_at(Path::new(PROGRAM), folder)
    }

    /// Starts a copy of the program that lies in a folder which only this user can enter.
    pub fn start_from_closed_folder(folder: &Folder) -> (Self, TempDir) {
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let copy = closed.path().join("lookalike");
        fs::copy(PROGRAM, &copy).unwrap();
        (Self::start_at(&copy, folder), closed)
    }

    fn start_at(path: &Path, folder: &Folder) -> Self {
        let mut command = program_at(path, folder);
        command.args(["up", "--no-worker", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("it ended before it was ready").unwrap();
        let url = line.strip_prefix("ready ").unwrap_or_else(|| panic!("\"{line}\"")).to_owned();
        Self { child, url }
    }

    /// Starts one that is expected not to start: exit code and standard error.
    pub fn refused(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
        let output = program(folder).args(["up", "--no-worker"]).args(arguments).output().unwrap();
        assert!(output.stdout.is_empty(), "{output:?}");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Where it serves.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for a path: status and body.
    pub fn get(&mut self, path: &str, key: Option<&str>) -> (u16, String) {
        self.ask("GET", path, key, "")
    }

    /// Sends JSON to a path: status and body.
    pub fn post(&mut self, path: &str, key: &str, body: &str) -> (u16, String) {
        self.ask("POST", path, Some(key), body)
    }

    /// Waits until it finds its database again.
    pub fn wait_until_ready(&mut self) {
        let address = self.address();
        wait_until("the API is ready", || {
            exchange(&address, "GET", "/readyz", None, "").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Asks it to stop: its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Ends it without any chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &str) -> (u16, String) {
        exchange(&self.address(), method, path, key, body).expect("an answer")
    }

    fn address(&self) -> String {
        self.url.strip_prefix("http://").unwrap().to_owned()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn program(folder: &Folder) -> Command {
    program_at(Path::new(PROGRAM), folder)
}

fn program_at(path: &Path, folder: &Folder) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LOOKALIKE_")) {
        command.env_remove(name);
    }
    // The build may lie anywhere; the bootstrap lays PostgreSQL out in the repository.
    let postgres = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".deps/postgres");
    command.env("LOOKALIKE_DATA_DIR", folder.path()).env("LOOKALIKE_POSTGRES_DIR", postgres);
    command
}

/// One request over a connection of its own, in plain HTTP/1.0.
fn exchange(address: &str, method: &str, path: &str, key: Option<&str>, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LONGEST)).ok()?;
    let key = key.map_or(String::new(), |key| format!("authorization: Bearer {}\r\n", key.trim()));
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nhost: test\r\n{key}content-type: application/json\r\n");
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONGEST, "{what}: not within {LONGEST:?}");
        std::thread::yield_now();
    }
}
