//! The data folder of `up`: everything that must outlive it.
//!
//! | name | holds |
//! | --- | --- |
//! | `VERSION` | the number of this layout; a folder of a newer one is refused |
//! | `up.lock` | locked while an `up` runs; its process id |
//! | `admin.key` | the first key, mode 0600 |
//! | `url` | where the running `up` is reached; client commands read it |
//! | `artifacts/` | weights and uploads |
//! | `postgres/` | the private database, or `postgres.path`: where it is instead |

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lookalike_api::auth::{KEY_PREFIX, new_secret};
use lookalike_shared::config::Secret;

/// The layout that this version writes.
const FORMAT: u32 = 1;
/// Less free space than this is refused: a first database takes about 60 MB, its log up to 2 GB more.
const NEEDED_BYTES: u64 = 200 << 20;

/// An opened data folder, locked until dropped.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it if need be, and locks it.
    ///
    /// # Errors
    /// When another `up` runs on it, a newer version made it, or it lacks space.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        make_private(path).with_context(|| format!("cannot make the data folder {}", path.display()))?;
        let root = path.canonicalize().with_context(|| format!("cannot open {}", path.display()))?;
        let lock = lock(&root)?;
        check_format(&root)?;
        check_space(&root)?;
        Ok(Self { root, _lock: lock })
    }

    /// Where it is, links followed.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where weights and uploads are kept; made, readable by the owner alone.
    ///
    /// # Errors
    /// As the system tells.
    pub fn artifacts(&self) -> anyhow::Result<PathBuf> {
        let path = self.root.join("artifacts");
        make_private(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// The first key: that of `admin.key`, else `given` or a new one, written there.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn admin_key(&self, given: Option<&Secret>) -> anyhow::Result<Secret> {
        if let Some(key) = read_key(&self.root)? {
            return Ok(key);
        }
        let key = given.cloned().unwrap_or_else(|| Secret::new(new_secret(KEY_PREFIX)));
        self.write_admin_key(&key)?;
        tracing::info!("wrote the first admin key to {}", self.root.join("admin.key").display());
        Ok(key)
    }

    /// Replaces the key of `admin.key`.
    ///
    /// # Errors
    /// As the system tells.
    pub fn write_admin_key(&self, key: &Secret) -> anyhow::Result<()> {
        let path = self.root.join("admin.key");
        let text = format!("{}\n", key.expose());
        write_whole(&path, &text, 0o600).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Tells client commands where the server is.
    ///
    /// # Errors
    /// As the system tells.
    pub fn publish_url(&self, url: &str) -> anyhow::Result<()> {
        let path = self.root.join("url");
        write_whole(&path, &format!("{url}\n"), 0o644)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Tells client commands that there is no server any more.
    pub fn withdraw_url(&self) {
        if let Err(error) = fs::remove_file(self.root.join("url"))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.root.join("url").display());
        }
    }
}

/// Where the `up` of a data folder is reached, if one runs.
pub fn read_url(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join("url")).ok()?;
    Some(text.trim().to_owned()).filter(|url| !url.is_empty())
}

/// The first key of a data folder, if it has one.
///
/// # Errors
/// When there is one that cannot be read.
pub fn read_key(root: &Path) -> anyhow::Result<Option<Secret>> {
    let path = root.join("admin.key");
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(format!("cannot read {}", path.display()))),
    }
}

/// Locks a folder for this process, until the file is dropped.
///
/// # Errors
/// When another process holds it, naming that process.
pub fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("up.lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok();
            bail!(
                "another `lookalike up` (process {}) runs on {}: stop it, or choose another folder with --data-dir",
                if holder.trim().is_empty() { "unknown" } else { holder.trim() },
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(anyhow::Error::new(error).context(format!("cannot lock {}", path.display())));
        }
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Makes a folder that only its owner may enter; one that exists keeps its mode.
///
/// # Errors
/// As the system tells.
pub fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file so that readers see the old text or the new one.
///
/// # Errors
/// As the system tells.
pub fn write_whole(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_added_extension("draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn check_format(root: &Path) -> anyhow::Result<()> {
    let path = root.join("VERSION");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_whole(&path, &format!("{FORMAT}\n"), 0o644)
                .with_context(|| format!("cannot write {}", path.display()));
        }
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("cannot read {}", path.display())));
        }
    };
    match text.trim().parse::<u32>() {
        Ok(found) if found <= FORMAT => Ok(()),
        Ok(found) => bail!(
            "the data folder {} has format {found}, made by a newer version of Lookalike; this one knows {FORMAT}",
            root.display()
        ),
        Err(_) => bail!("{} holds \"{}\", a number expected", path.display(), text.trim()),
    }
}

fn check_space(root: &Path) -> anyhow::Result<()> {
    let found =
        nix::sys::statvfs::statvfs(root).with_context(|| format!("cannot measure {}", root.display()))?;
    let free = found.blocks_available() * found.fragment_size();
    if free < NEEDED_BYTES {
        bail!("{} has {} MB free, at least {} MB needed", root.display(), free >> 20, NEEDED_BYTES >> 20);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_folder_names_its_holder() {
        let root = tempfile::tempdir().unwrap();
        let held = DataFolder::open(root.path()).unwrap();
        let error = DataFolder::open(root.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        DataFolder::open(root.path()).unwrap();
    }

    #[test]
    fn a_newer_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("VERSION"), "2\n").unwrap();
        let error = DataFolder::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("knows 1"), "{error}");
        fs::write(root.path().join("VERSION"), "one\n").unwrap();
        assert!(DataFolder::open(root.path()).is_err());
    }

    #[test]
    fn the_first_key_is_made_once_and_kept_private() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&root.path().join("data")).unwrap();
        let key = folder.admin_key(None).unwrap();
        assert_eq!(folder.admin_key(Some(&Secret::new("another"))).unwrap(), key);
        assert!(key.expose().len() >= 40 && key.expose().starts_with(KEY_PREFIX));
        let mode = fs::metadata(folder.path().join("admin.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_url_comes_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(root.path()).unwrap();
        assert_eq!(read_url(root.path()), None);
        folder.publish_url("http://127.0.0.1:8080").unwrap();
        assert_eq!(read_url(root.path()).as_deref(), Some("http://127.0.0.1:8080"));
        folder.withdraw_url();
        assert_eq!(read_url(root.path()), None);
    }
}
