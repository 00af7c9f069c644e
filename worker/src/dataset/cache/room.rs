//! Room for a packed file: the bound on all of them, the disk's free space, and which ones leave.
//!
//! The time of a file's last change is that of its last use. A locked file is in use: mapped, or being written.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::sys::statvfs::statvfs;

use super::CacheError;

/// How the names of whole files end.
pub const PACK: &str = "pack";
/// How the names of files under way end.
pub const PART: &str = "part";
/// The share of a disk's free space that is taken at most: others write there too.
const DISK_SHARE: f64 = 0.9;

struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Makes the folder, open to this user alone.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes files that nobody uses, those not used for longest first, until `needed` more bytes stay within `max_bytes`
/// and the disk's free space. What killed workers left half written goes first.
///
/// # Errors
/// [`CacheError::Full`], or the folder cannot be read.
pub fn make_room(folder: &Path, max_bytes: u64, needed: u64) -> Result<(), CacheError> {
    let failed = |source: io::Error| CacheError::Io { folder: folder.display().to_string(), source };
    let mut kept = list(folder).map_err(failed)?;
    kept.sort_by_key(|kept| (kept.path.extension().is_none_or(|end| end != PART), kept.used));
    let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
    let mut in_use = 0;
    for Kept { path, bytes, .. } in &kept {
        let half_written = path.extension().is_some_and(|end| end == PART);
        let fits = total + needed <= max_bytes && needed <= disk_room(folder).map_err(failed)?;
        if fits && !half_written {
            return Ok(());
        }
        if evict(path) {
            tracing::info!(file = %path.display(), bytes, "decoded pictures left the cache");
            total -= bytes;
        } else {
            in_use += bytes;
        }
    }
    let disk_free = disk_room(folder).map_err(failed)?;
    let available = max_bytes.saturating_sub(total).min(disk_free);
    if needed <= available {
        return Ok(());
    }
    Err(CacheError::Full { folder: folder.display().to_string(), needed, available, in_use, disk_free })
}

fn list(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|end| end == PACK || end == PART);
        // One that is gone meanwhile takes no room.
        let Some(metadata) = path.metadata().ok().filter(|metadata| ours && metadata.is_file()) else {
            continue;
        };
        kept.push(Kept { path, bytes: metadata.len(), used: metadata.modified()? });
    }
    Ok(kept)
}

/// Deletes a file unless it is in use; says whether it is gone.
fn evict(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return !path.exists() };
    file.try_lock().is_ok() && fs::remove_file(path).is_ok()
}

fn disk_room(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder)?;
    // The types of these differ from system to system.
    let free = disk.blocks_available() as f64 * disk.fragment_size() as f64;
    Ok((free * DISK_SHARE) as u64)
}
