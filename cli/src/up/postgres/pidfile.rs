//! `postmaster.pid`: who serves a data directory, and how far its start is.
//!
//! Lines, as PostgreSQL's `miscadmin.h` numbers them (LOCK_FILE_LINE_*): process id, data directory, start
//! time, port, socket directory, listen address, shared memory key, status.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// What `postmaster.pid` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    /// The postmaster.
    pub pid: Pid,
    /// The folder of its socket.
    pub socket_dir: Option<PathBuf>,
    /// The id of its shared memory, by which PostgreSQL knows that nobody of an earlier start is left.
    pub shared_memory: Option<u64>,
    /// Whether it takes connections.
    pub ready: bool,
}

impl PidFile {
    /// Reads the file of a data directory; none when there is no postmaster, or it has only begun to start.
    pub fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        // A negative number marks a server in single-user mode.
        let pid = Pid::from_raw(lines.first()?.parse::<i32>().ok()?.abs());
        let socket_dir = lines.get(4).filter(|line| !line.is_empty()).map(PathBuf::from);
        let shared_memory = lines.get(6).and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        Some(Self { pid, socket_dir, shared_memory, ready: lines.get(7) == Some(&"ready") })
    }

    /// Whether the process lives and serves `data`: ids are used again, command lines tell.
    pub fn is_serving(&self, data: &Path) -> bool {
        let command = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let wanted = data.as_os_str().as_encoded_bytes();
        is_alive(self.pid) && command.split(|byte| *byte == 0).any(|argument| argument == wanted)
    }
}

/// Whether the process has ended but was not collected by its parent, so that its number is still taken.
pub fn is_uncollected(pid: Pid) -> bool {
    // The state follows the name in parentheses, which may hold anything (proc(5)).
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// Whether any process uses the shared memory `id`: PostgreSQL's own test (`PGSharedMemoryIsInUse`), from
/// proc(5)'s `sysvipc/shm`, whose second and seventh columns are the id and the number of users. True when that
/// cannot be read.
pub fn is_shared_memory_used(id: u64) -> bool {
    let Ok(table) = fs::read_to_string("/proc/sysvipc/shm") else { return true };
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_whitespace();
        let is_it = columns.nth(1) == Some(id.to_string().as_str());
        is_it && columns.nth(4) != Some("0")
    })
}

/// Whether there is such a process that has not ended, be it collected or not.
pub fn is_alive(pid: Pid) -> bool {
    if matches!(kill(pid, None), Err(Errno::ESRCH)) {
        return false;
    }
    !is_uncollected(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_read_as_postgres_writes_them() {
        let text = "4242\n/d\n1700000000\n5432\n/run/x\n\n  123 4\nready   \n";
        let file = PidFile::parse(text).unwrap();
        assert_eq!(
            file,
            PidFile {
                pid: Pid::from_raw(4242),
                socket_dir: Some(PathBuf::from("/run/x")),
                shared_memory: Some(4),
                ready: true
            }
        );
        assert!(!PidFile::parse("4242\n/d\n1\n5432\n/run/x\n\n1 4\nstarting\n").unwrap().ready);
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn another_process_of_that_number_is_not_a_postmaster() {
        let own = PidFile { pid: Pid::this(), socket_dir: None, shared_memory: None, ready: false };
        assert!(is_alive(own.pid));
        assert!(!own.is_serving(Path::new("/no/such/data")));
    }

    #[test]
    fn a_dead_process_that_nobody_collected_is_not_alive() {
        let mut child =
            std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        // Its output closes when it ends.
        std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut Vec::new()).unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        while is_alive(pid) {
            std::thread::yield_now();
        }
        assert!(is_uncollected(pid), "the process was not waited for");
        child.wait().unwrap();
        assert!(!is_uncollected(pid) && !is_alive(pid));
    }

    #[test]
    fn unknown_shared_memory_is_unused() {
        assert!(!is_shared_memory_used(u64::MAX));
    }
}
