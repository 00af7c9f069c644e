//! What `lookalike up` and the client commands take from the machine: folders and programs.
//!
//! These are settings too, so they are read here and nowhere else. Nothing here touches the disk.

use std::path::{Path, PathBuf};

use super::Environment;

impl Environment {
    /// The data folder of `up`: `LOOKALIKE_DATA_DIR`, else `lookalike` in the user's folder for data
    /// (XDG Base Directory Specification 0.8: `$XDG_DATA_HOME`, else `~/.local/share`).
    pub fn data_dir(&mut self) -> PathBuf {
        if let Some(folder) = self.get("LOOKALIKE_DATA_DIR") {
            return PathBuf::from(folder);
        }
        // The specification says that a relative path is to be ignored.
        let absolute =
            |name: &str| self.values.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data_home =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        match data_home {
            Some(folder) => folder.join("lookalike"),
            None => {
                self.problems.push("HOME is not set: name the data folder with --data-dir".to_owned());
                PathBuf::new()
            }
        }
    }

    /// Where `bin/postgres` may be found, best first: `LOOKALIKE_POSTGRES_DIR`, what the bootstrap laid out
    /// beside the build of `executable`, and what an installation keeps under `lib/lookalike`.
    pub fn postgres_dirs(&self, executable: &Path) -> Vec<PathBuf> {
        if let Some(folder) = self.get("LOOKALIKE_POSTGRES_DIR") {
            return vec![PathBuf::from(folder)];
        }
        let folder = executable.parent().unwrap_or(Path::new("/"));
        let builds = folder.ancestors().skip(2).take(2).map(|root| root.join(".deps/postgres"));
        let installed = folder.parent().unwrap_or(folder).join("lib/lookalike/postgres");
        builds.chain([installed]).collect()
    }
}

/// The program that runs, links followed.
///
/// # Errors
/// When the system does not tell.
pub fn executable() -> std::io::Result<PathBuf> {
    std::env::current_exe()?.canonicalize()
}

/// The folder for what may vanish.
pub fn temporary_dir() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_values(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_data_folder_is_the_users_own() {
        for (pairs, expected) in [
            (&[("LOOKALIKE_DATA_DIR", "here"), ("HOME", "/home/a")][..], "here"),
            (&[("XDG_DATA_HOME", "/data"), ("HOME", "/home/a")][..], "/data/lookalike"),
            (&[("XDG_DATA_HOME", "data"), ("HOME", "/home/a")][..], "/home/a/.local/share/lookalike"),
        ] {
            assert_eq!(environment(pairs).data_dir(), Path::new(expected));
        }
        let mut homeless = environment(&[]);
        homeless.data_dir();
        assert!(homeless.finish(()).is_err());
    }

    #[test]
    fn postgres_lies_beside_the_build_or_the_installation() {
        let env = environment(&[]);
        let places = env.postgres_dirs(Path::new("/src/target/release/lookalike"));
        assert!(places.contains(&PathBuf::from("/src/.deps/postgres")), "{places:?}");
        let places = env.postgres_dirs(Path::new("/usr/bin/lookalike"));
        assert!(places.contains(&PathBuf::from("/usr/lib/lookalike/postgres")), "{places:?}");
        let env = environment(&[("LOOKALIKE_POSTGRES_DIR", "/opt/pg")]);
        assert_eq!(env.postgres_dirs(Path::new("/usr/bin/lookalike")), [PathBuf::from("/opt/pg")]);
    }
}
