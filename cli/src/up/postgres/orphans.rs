//! Backends that outlive their postmaster.
//!
//! When a postmaster is killed, a backend in the middle of a statement goes on until it looks around, and
//! keeps the shared memory that a new postmaster refuses to share. Such processes are known by their working
//! directory, which is the data directory; where that cannot be read (a container without CAP_SYS_PTRACE),
//! the new postmaster is simply tried again until they are gone.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Tells every PostgreSQL process that works in `data` to end at once, and gives their number. To be called
/// only while no postmaster serves it.
pub fn dismiss(data: &Path) -> usize {
    let found = find(data);
    for pid in &found {
        // One that is gone already is what is wanted.
        _ = kill(*pid, Signal::SIGQUIT);
    }
    found.len()
}

fn find(data: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let is_postgres =
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres");
        is_postgres && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
    })
    .map(Pid::from_raw)
    .collect()
}
