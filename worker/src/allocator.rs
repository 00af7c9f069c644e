//! The allocator of the whole process, libtorch included: its `malloc` is this one too.
//!
//! With glibc's, every large tensor is mapped and unmapped again. jemalloc does the same with what is larger than
//! 8 MiB unless told otherwise, and gives unused memory back after 10 s, a little at every step. Kept for a minute,
//! memory is there for the next batch: `forward.engine` of the benchmark went from 82 to 172 pictures/s on two
//! processors, indexing from 44 to 139.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc reads its settings from the C string that this symbol points to (jemalloc(3), TUNING).
#[expect(unsafe_code, reason = "jemalloc looks for its settings under this very name")]
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: Settings = Settings(
    c"oversize_threshold:0,dirty_decay_ms:60000,muzzy_decay_ms:60000,background_thread:true".as_ptr(),
);

#[repr(transparent)]
struct Settings(*const std::ffi::c_char);

// SAFETY: it points to a constant, which nobody changes.
#[expect(unsafe_code, reason = "a pointer to a constant may be shared")]
unsafe impl Sync for Settings {}
