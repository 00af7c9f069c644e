//! Adding CUDA to libtorch at run time, so that one build serves machines with and without a GPU.

use tch::Cuda;

/// libtorch's CUDA half; loading it registers the CUDA backend.
#[cfg(target_os = "linux")]
const LIBRARY: &str = "libtorch_cuda.so";

/// Loads libtorch's CUDA libraries where they are installed beside the CPU ones and says how many GPUs can be used.
///
/// To be called once, before the first tensor. Where the libraries or a GPU are missing the answer is 0, and the
/// reason goes to the log.
pub fn load() -> usize {
    #[cfg(target_os = "linux")]
    if let Err(reason) = open() {
        tracing::debug!(%reason, "libtorch runs without CUDA");
        return 0;
    }
    let devices = if Cuda::is_available() { Cuda::device_count() } else { 0 };
    usize::try_from(devices).unwrap_or(0)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "loading a shared library runs its initialisers")]
fn open() -> Result<(), libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

    // SAFETY: the library is the counterpart of the libtorch_cpu.so that this program is linked with, found in the
    // same folders; its initialisers only register kernels with libtorch. It stays loaded until the program ends.
    let library = unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_GLOBAL) }?;
    std::mem::forget(library);
    Ok(())
}
