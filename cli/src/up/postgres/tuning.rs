//! Settings of the private PostgreSQL, fitted to the machine's memory.

use std::fs;

const MIB: u64 = 1 << 20;

/// The settings, in the order of the command line. `memory_bytes` is what the machine, or the container, has;
/// `shared_bytes` what `/dev/shm` offers.
pub fn settings(memory_bytes: u64, shared_bytes: u64) -> Vec<(&'static str, String)> {
    let megabytes = |bytes: u64, low: u64, high: u64| (bytes / MIB).clamp(low, high);
    let maintenance = megabytes(memory_bytes / 16, 64, 1_024);
    let set = |name: &'static str, value: &str| (name, value.to_owned());
    vec![
        set("max_connections", "100"),
        // The worker's tensors want most of the memory; the system's own cache serves the rest.
        ("shared_buffers", format!("{}MB", megabytes(memory_bytes / 8, 64, 4_096))),
        ("effective_cache_size", format!("{}MB", megabytes(memory_bytes / 2, 128, 65_536))),
        ("maintenance_work_mem", format!("{maintenance}MB")),
        set("work_mem", "16MB"),
        set("max_wal_size", "2GB"),
        set("synchronous_commit", "on"),
        set("random_page_cost", "1.1"),
        set("jit", "off"),
        // Parallel index builds share maintenance_work_mem there; containers often offer only 64 MB.
        set(
            "dynamic_shared_memory_type",
            if shared_bytes > 2 * maintenance * MIB { "posix" } else { "mmap" },
        ),
        set("timezone", "UTC"),
        set("log_timezone", "UTC"),
        set("log_line_prefix", ""),
        set("log_checkpoints", "off"),
    ]
}

/// Memory of the machine, or of the container if that has less, in bytes.
pub fn memory_bytes() -> u64 {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    });
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    total.into_iter().chain(limit).min().unwrap_or(2 << 30)
}

/// What `/dev/shm` offers, in bytes; 0 where there is none.
pub fn shared_bytes() -> u64 {
    nix::sys::statvfs::statvfs("/dev/shm").map_or(0, |found| found.blocks_available() * found.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(memory: u64, shared: u64, name: &str) -> String {
        settings(memory, shared).into_iter().find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn buffers_follow_memory_within_bounds() {
        assert_eq!(value(256 * MIB, 0, "shared_buffers"), "64MB");
        assert_eq!(value(8_192 * MIB, 0, "shared_buffers"), "1024MB");
        assert_eq!(value(1 << 40, 0, "shared_buffers"), "4096MB");
    }

    #[test]
    fn a_small_dev_shm_is_not_relied_on() {
        assert_eq!(value(8_192 * MIB, 64 * MIB, "dynamic_shared_memory_type"), "mmap");
        assert_eq!(value(8_192 * MIB, 4_096 * MIB, "dynamic_shared_memory_type"), "posix");
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(memory_bytes() > 64 * MIB);
    }
}
