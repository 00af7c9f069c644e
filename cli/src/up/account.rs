//! The user that PostgreSQL runs as.
//!
//! PostgreSQL refuses to run as root. Started by root, `up` runs it as the owner of an existing database,
//! else as `postgres`, else as `nobody`; started by anybody else, as that user.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;
use nix::unistd::{Gid, Uid, User};

/// An unprivileged user that the process can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name, for messages.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

impl Account {
    /// The user to become for the database under `base`, or none when this process is not root.
    ///
    /// # Errors
    /// When no user will do.
    pub fn choose(base: &Path) -> anyhow::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        if let Ok(metadata) = base.metadata()
            && metadata.uid() != 0
        {
            let (uid, gid) = (metadata.uid(), metadata.gid());
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
            let name = user.map_or_else(|| uid.to_string(), |user| user.name);
            return Ok(Some(Self { name, uid, gid }));
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name).context("cannot look users up")? {
                return Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
            }
        }
        anyhow::bail!(
            "PostgreSQL does not run as root, and there is no user \"postgres\" or \"nobody\" to run it as"
        )
    }

    /// Whether the user may enter every folder on the way to `path`, itself included if it is one.
    pub fn can_reach(&self, path: &Path) -> bool {
        path.ancestors()
            .filter(|step| step.is_dir())
            .all(|folder| folder.metadata().is_ok_and(|metadata| self.can_enter(&metadata)))
    }

    /// Gives `path` to the user.
    ///
    /// # Errors
    /// As the system tells.
    pub fn take(&self, path: &Path) -> io::Result<()> {
        nix::unistd::chown(path, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?;
        Ok(())
    }

    fn can_enter(&self, folder: &Metadata) -> bool {
        let bit = match folder {
            owned if owned.uid() == self.uid => 0o100,
            grouped if grouped.gid() == self.gid => 0o010,
            _ => 0o001,
        };
        folder.mode() & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let stranger = Account { name: "stranger".to_owned(), uid: 64_000, gid: 64_000 };
        fs::set_permissions(root.path(), Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.can_reach(&inner.join("missing")));
        fs::set_permissions(root.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_reach(&inner));
        let owner = root.path().metadata().unwrap();
        let owner = Account { name: "owner".to_owned(), uid: owner.uid(), gid: owner.gid() };
        assert!(owner.can_reach(&inner));
    }
}
