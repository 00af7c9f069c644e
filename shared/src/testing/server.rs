//! The PostgreSQL that tests run on.
//!
//! `LOOKALIKE_TEST_DATABASE_URL` names one (a role that may create databases and extensions). Without it, the
//! first test starts a private server from `.deps/postgres`, which every test process of this user and
//! checkout shares: it listens on a Unix socket in a folder under the system's temporary folder, gives up all
//! durability for speed, and stops by itself half an hour after the last test began. A server found down is made
//! anew, so nothing it kept unsafely is ever read. PostgreSQL refuses to run as root, so root starts it as
//! `postgres` or `nobody`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, geteuid};
use sha2::{Digest, Sha256};

use crate::config::temporary_dir;

/// Stops the server once the lease file (`$1`) was not touched for half an hour; `$2` is pg_ctl, `$3` the data.
const REAPER: &str =
    r#"while [ -n "$(find "$1" -mmin -30)" ]; do sleep 60; done; exec "$2" stop --mode=fast --pgdata="$3""#;

/// The address of a database from which others are made and dropped.
pub(super) fn admin_url() -> Result<String> {
    if let Ok(url) = std::env::var("LOOKALIKE_TEST_DATABASE_URL")
        && !url.is_empty()
    {
        return Ok(url);
    }
    let folder =
        PrivateServer::locate()?.ensure_running().context("cannot start a private PostgreSQL for tests")?;
    Ok(format!("postgres://postgres@localhost/postgres?host={}", folder.display()))
}

struct PrivateServer {
    /// Where PostgreSQL is installed.
    install: PathBuf,
    /// Holds the lock and lease files, the socket, the log and the data.
    folder: PathBuf,
    /// Who runs it; none means this user.
    account: Option<User>,
}

impl PrivateServer {
    fn locate() -> Result<Self> {
        let repository =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in a workspace")?;
        let install = repository.join(".deps/postgres");
        ensure!(
            install.join("bin/postgres").exists(),
            "there is no {}: run `make bootstrap`, or name a PostgreSQL in LOOKALIKE_TEST_DATABASE_URL",
            install.display()
        );
        let uid = geteuid();
        let checkout = Sha256::digest(install.as_os_str().as_encoded_bytes());
        let name = format!("lookalike-tests-{uid}-{:02x}{:02x}{:02x}", checkout[0], checkout[1], checkout[2]);
        let account = if uid.is_root() { Some(unprivileged_account()?) } else { None };
        Ok(Self { install, folder: temporary_dir().join(name), account })
    }

    /// Starts the server unless it runs. Several processes may call this at once.
    fn ensure_running(mut self) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        fs::set_permissions(&self.folder, Permissions::from_mode(0o700))?;
        let lock = File::create(self.folder.join("lock"))?;
        lock.lock()?;
        File::create(self.lease())?;
        if UnixStream::connect(self.folder.join(".s.PGSQL.5432")).is_ok() {
            return Ok(self.folder);
        }
        self.make_reachable()?;
        self.initialise()?;
        self.start()?;
        self.watch()?;
        Ok(self.folder)
    }

    /// Gives the folder to the account that runs the server, and a copy of the programs if it cannot reach them:
    /// root's checkouts often lie where nobody else may look.
    fn make_reachable(&mut self) -> Result<()> {
        let Some(account) = &self.account else { return Ok(()) };
        chown(&self.folder, Some(account.uid.as_raw()), Some(account.gid.as_raw()))?;
        if run(self.command("postgres").arg("--version")).is_ok() {
            return Ok(());
        }
        let copy = self.folder.join("programs");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        run(Command::new("cp").arg("-R").arg(&self.install).arg(&copy))?;
        self.install = copy;
        Ok(())
    }

    fn initialise(&self) -> Result<()> {
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let mut initdb = self.command("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        run(initdb.arg("--pgdata").arg(data))
    }

    fn start(&self) -> Result<()> {
        let settings = [
            "listen_addresses=",
            &format!("unix_socket_directories={}", self.folder.display()),
            "unix_socket_permissions=0700",
            "max_connections=200",
            "shared_buffers=64MB",
            "max_locks_per_transaction=256",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
        ];
        let options: Vec<String> = settings.iter().map(|setting| format!("-c {setting}")).collect();
        let mut start = self.command("pg_ctl");
        start.args(["start", "--wait", "--silent", "--options", &options.join(" ")]);
        run(start.arg("--log").arg(self.folder.join("log")).arg("--pgdata").arg(self.data()))
    }

    fn watch(&self) -> Result<()> {
        let mut reaper = self.command_of("sh".as_ref());
        reaper
            .args(["-c", REAPER, "sh"])
            .arg(self.lease())
            .arg(self.install.join("bin/pg_ctl"))
            .arg(self.data());
        reaper.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It outlives this process, which therefore does not wait for it.
        reaper.spawn()?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        self.command_of(&self.install.join("bin").join(program))
    }

    fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        if let Some(account) = &self.account {
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        command
    }

    fn lease(&self) -> PathBuf {
        self.folder.join("lease")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

fn unprivileged_account() -> Result<User> {
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(user);
        }
    }
    bail!("PostgreSQL cannot run as root, and there is neither a user postgres nor nobody")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
