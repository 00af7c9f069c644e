//! The programs of PostgreSQL: where they are, and a copy that an unprivileged user can reach.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::up::account::Account;

/// A folder with `bin/postgres`, `bin/initdb` and what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    root: PathBuf,
}

impl Install {
    /// The first of `places` that holds PostgreSQL.
    ///
    /// # Errors
    /// When none does, with every place that was looked at.
    pub fn find(places: &[PathBuf]) -> anyhow::Result<Self> {
        for place in places {
            if place.join("bin/postgres").is_file() && place.join("bin/initdb").is_file() {
                return Ok(Self { root: place.canonicalize()? });
            }
        }
        let looked: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        anyhow::bail!(
            "there is no PostgreSQL in {}: run `make build`, name its folder in LOOKALIKE_POSTGRES_DIR, \
             or name a running one in LOOKALIKE_DATABASE_URL",
            looked.join(", ")
        )
    }

    /// The path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }

    /// The whole version, e.g. `16.14`.
    ///
    /// # Errors
    /// When the program does not run here.
    pub fn version(&self) -> anyhow::Result<String> {
        let program = self.program("postgres");
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        version.map(str::to_owned).with_context(|| {
            let problem = String::from_utf8_lossy(&output.stderr);
            format!("{} does not tell its version: {}", program.display(), problem.trim())
        })
    }

    /// This installation if `account` can reach it, else a copy of it under `shelf`, made if need be.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn reachable_by(self, account: &Account, shelf: &Path) -> anyhow::Result<Self> {
        if account.can_reach(&self.root) {
            return Ok(self);
        }
        let stamp = fs::read_to_string(self.root.join(".stamp")).unwrap_or_default();
        let stamp: String = stamp.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let name = format!("postgres-{}", self.version()?);
        let copy = shelf.join(if stamp.is_empty() { name } else { format!("{name}-{stamp}") });
        if !copy.join("bin/postgres").is_file() {
            tracing::info!(
                "user {} cannot reach {}: copying PostgreSQL to {}",
                account.name,
                self.root.display(),
                copy.display()
            );
            copy_whole(&self.root, &copy)
                .with_context(|| format!("cannot copy PostgreSQL to {}", copy.display()))?;
        }
        Ok(Self { root: copy })
    }
}

/// Copies a folder so that the copy appears complete or not at all.
fn copy_whole(from: &Path, to: &Path) -> std::io::Result<()> {
    let draft = to.with_extension(format!("draft-{}", std::process::id()));
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    copy_folder(from, &draft)?;
    match fs::rename(&draft, to) {
        // Somebody else was faster; theirs is the same.
        Err(_) if to.join("bin/postgres").is_file() => fs::remove_dir_all(&draft),
        done => done,
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_links_and_modes() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::write(from.join("bin/postgres"), "x").unwrap();
        fs::set_permissions(from.join("bin/postgres"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("bin/postgres", from.join("link")).unwrap();
        copy_whole(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("bin/postgres")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("bin/postgres"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "a draft was left behind");
    }

    #[test]
    fn a_missing_installation_tells_where_it_was_looked_for() {
        let error = Install::find(&[PathBuf::from("/nowhere/a"), PathBuf::from("/nowhere/b")]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/a, /nowhere/b"), "{error}");
    }
}
