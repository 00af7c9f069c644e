//! The database on disk: where it is, and making it.
//!
//! Base folder (`DATA/postgres`, or what `DATA/postgres.path` names): `data/` is PostgreSQL's, `run/` holds
//! its socket. Both belong to the user it runs as and are closed to everybody else, so connections inside are
//! trusted. A new database appears whole (initialised as `data.new`, then renamed).

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use lookalike_shared::config;
use uuid::Uuid;

use super::install::Install;
use super::stale;
use crate::up::account::Account;
use crate::up::folder::{self, DataFolder};

/// Where a database is kept that the user it runs as cannot reach in the data folder.
const SHELF: &str = "/var/lib/lookalike";
/// The superuser and the database.
pub const NAME: &str = "lookalike";
/// The longest path of a Unix socket in bytes (`sun_path` of unix(7), less the final NUL).
const MAX_SOCKET_PATH: usize = 107;
/// PostgreSQL's name of its socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// A database on disk and the programs that serve it.
#[derive(Debug)]
pub struct Cluster {
    /// The programs.
    pub install: Install,
    /// The user to run as, when this process is root.
    pub account: Option<Account>,
    /// PostgreSQL's data directory.
    pub data: PathBuf,
    /// The folder of its socket.
    pub run: PathBuf,
    _lock: File,
}

impl Cluster {
    /// The database of a data folder, made if need be, with nothing serving it.
    ///
    /// # Errors
    /// When it cannot be made, belongs to another version or user, or is served and cannot be stopped.
    pub fn prepare(folder: &DataFolder, places: &[PathBuf]) -> anyhow::Result<Self> {
        let install = Install::find(places)?;
        let recorded = folder.path().join("postgres.path");
        let named = fs::read_to_string(&recorded).ok().map(|path| PathBuf::from(path.trim()));
        let usual = folder.path().join("postgres");
        let account = Account::choose(named.as_deref().unwrap_or(&usual))?;
        let base = match (named, &account) {
            (Some(base), _) => base,
            (None, Some(account)) if !usual.exists() => choose_base(folder, &recorded, account)?,
            (None, _) => usual,
        };
        let install = match &account {
            Some(account) => install.reachable_by(account, Path::new(SHELF))?,
            None => install,
        };
        make_base(&base, account.as_ref())?;
        let lock = folder::lock(&base)?;
        let data = base.join("data");
        if let Some(run) = stale::stop(&data)? {
            remove_passing(&run);
        }
        let run = socket_folder(&base, account.as_ref())?;
        remove_socket(&run)?;
        let cluster = Self { install, account, data, run, _lock: lock };
        cluster.initialise_once()?;
        cluster.check_version()?;
        Ok(cluster)
    }

    /// How clients connect.
    pub fn url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("host", &self.run.to_string_lossy());
        format!("postgres://{NAME}@localhost/{NAME}?{}", query.finish().replace('+', "%20"))
    }

    /// One of PostgreSQL's programs, to be run as the right user with nothing of this process's environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.install.program(program));
        Self::isolate(&mut command);
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Makes a command run with nothing of this process's environment.
    pub fn isolate(command: &mut Command) {
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").stdin(Stdio::null());
    }

    /// Removes the folder of the socket if it is a passing one.
    pub fn remove_run_folder(&self) {
        remove_passing(&self.run);
    }

    fn initialise_once(&self) -> anyhow::Result<()> {
        if self.data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        tracing::info!("making a database in {}", self.data.display());
        let draft = self.data.with_extension("new");
        if draft.exists() {
            fs::remove_dir_all(&draft).with_context(|| format!("cannot remove {}", draft.display()))?;
        }
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&draft).args(["--username", NAME, "--encoding", "UTF8", "--locale", "C"]);
        initdb.args(["--auth", "trust", "--no-instructions", "--no-sync"]);
        run_step(&mut initdb, "")?;
        fs::write(draft.join("pg_hba.conf"), "local all all trust\n")?;
        let mut single = self.command("postgres");
        single.args(["--single", "-F", "-D"]).arg(&draft).arg("template1");
        run_step(&mut single, &format!("create database {NAME}\n"))?;
        fs::rename(&draft, &self.data).with_context(|| format!("cannot make {}", self.data.display()))?;
        self.write_out();
        Ok(())
    }

    /// Has a new database written to the disk, which takes seconds, while it is already served. Until then
    /// only a crash of the machine can spoil it, and what it holds is no older than these seconds.
    fn write_out(&self) {
        let mut sync = self.command("initdb");
        sync.arg("--sync-only").arg("-D").arg(&self.data);
        std::thread::spawn(move || match run_step(&mut sync, "") {
            Ok(()) => tracing::debug!("the new database is on the disk"),
            Err(error) => tracing::warn!("the new database is not on the disk yet: {error:#}"),
        });
    }

    fn check_version(&self) -> anyhow::Result<()> {
        let found = fs::read_to_string(self.data.join("PG_VERSION"))?;
        let ours = self.install.version()?;
        let major = ours.split('.').next().unwrap_or_default();
        if found.trim() != major {
            bail!(
                "the database in {} is of PostgreSQL {}, the programs are of {ours}: dump it with the old version",
                self.data.display(),
                found.trim()
            );
        }
        Ok(())
    }
}

/// The usual base if the user can reach it once the data folder itself lets others pass, else one on the
/// shelf, recorded in the data folder.
fn choose_base(folder: &DataFolder, recorded: &Path, account: &Account) -> anyhow::Result<PathBuf> {
    let root = folder.path();
    let above_reachable = root.parent().is_none_or(|above| account.can_reach(above));
    if above_reachable {
        if !account.can_reach(root) {
            // Passing through does not let anybody list or read what is inside.
            let mode = root.metadata()?.permissions().mode();
            fs::set_permissions(root, Permissions::from_mode(mode & 0o7777 | 0o011))?;
        }
        return Ok(root.join("postgres"));
    }
    let base = Path::new(SHELF).join(Uuid::now_v7().simple().to_string());
    tracing::info!(
        "user {} cannot reach {}: the database goes to {}",
        account.name,
        root.display(),
        base.display()
    );
    folder::write_whole(recorded, &format!("{}\n", base.display()), 0o644)?;
    Ok(base)
}

fn make_base(base: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    let above = base.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(above)?;
    folder::make_private(base).with_context(|| format!("cannot make {}", base.display()))?;
    if let Some(account) = account {
        account.take(base)?;
        if !account.can_reach(base) {
            bail!(
                "user {} cannot reach {}: let it pass through the folders above",
                account.name,
                base.display()
            );
        }
    }
    Ok(())
}

/// `base/run`, or a passing folder where that is too long for a socket.
fn socket_folder(base: &Path, account: Option<&Account>) -> anyhow::Result<PathBuf> {
    let usual = base.join("run");
    let run = if fits_socket(&usual) {
        folder::make_private(&usual)?;
        usual
    } else {
        let name = format!("lookalike-{}", Uuid::now_v7().simple());
        let passing = config::temporary_dir().join(name);
        if !fits_socket(&passing) {
            bail!("{} is too long for a socket: choose a shorter --data-dir or TMPDIR", passing.display());
        }
        // Fails when it exists: nobody can have prepared it.
        DirBuilder::new().mode(0o700).create(&passing)?;
        passing
    };
    if let Some(account) = account {
        account.take(&run)?;
    }
    Ok(run)
}

/// Removes what a killed server left of its socket. Nothing serves it: the base folder is locked.
fn remove_socket(run: &Path) -> io::Result<()> {
    for name in [SOCKET.to_owned(), format!("{SOCKET}.lock")] {
        match fs::remove_file(run.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn fits_socket(folder: &Path) -> bool {
    folder.join(SOCKET).as_os_str().len() <= MAX_SOCKET_PATH
}

fn remove_passing(run: &Path) {
    let name = run.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if run.parent() == Some(&config::temporary_dir()) && name.starts_with("lookalike-") {
        // What cannot be removed is in the folder for what may vanish.
        _ = fs::remove_dir_all(run);
    }
}

/// Runs a program to its end, its input given, its output told only when it fails.
fn run_step(command: &mut Command, input: &str) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    // A program that ends without reading tells why in its output.
    _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{name} ended with {}:\n{}", output.status, String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_passing_socket_folder() {
        let root = tempfile::tempdir().unwrap();
        let short = socket_folder(root.path(), None).unwrap();
        assert_eq!(short, root.path().join("run"));
        let deep = root.path().join("x".repeat(100));
        fs::create_dir(&deep).unwrap();
        let passing = socket_folder(&deep, None).unwrap();
        assert!(fits_socket(&passing), "{passing:?}");
        assert_eq!(fs::metadata(&passing).unwrap().permissions().mode() & 0o777, 0o700);
        remove_passing(&passing);
        assert!(!passing.exists());
        remove_passing(&short);
        assert!(short.exists(), "only passing folders are removed");
    }

    #[test]
    fn the_url_survives_odd_paths() {
        let root = tempfile::tempdir().unwrap();
        let cluster = Cluster {
            install: Install::find(&[stand_in(root.path())]).unwrap(),
            account: None,
            data: PathBuf::from("/d"),
            run: PathBuf::from("/a b/ü?&"),
            _lock: folder::lock(root.path()).unwrap(),
        };
        let parsed = url::Url::parse(&cluster.url()).unwrap();
        let host = parsed.query_pairs().find(|(key, _)| key == "host").unwrap().1.into_owned();
        assert_eq!(host, "/a b/ü?&");
    }

    fn stand_in(root: &Path) -> PathBuf {
        fs::create_dir(root.join("bin")).unwrap();
        for name in ["postgres", "initdb"] {
            fs::write(root.join("bin").join(name), "").unwrap();
        }
        root.to_owned()
    }
}
