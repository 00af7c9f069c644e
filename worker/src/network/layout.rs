//! Memory layout of maps and kernels.
//!
//! On CPUs maps lie in memory channels last, `[N, H, W, C]`, which the convolutions of oneDNN prefer, and on GPUs where they
//! are computed in 16 bits, which tensor cores prefer so; shapes stay `[N, C, H, W]`. libtorch has a name for this layout that tch does not reach, but the layout is nothing more than
//! these strides.

use tch::{Device, TchError, Tensor};

/// `tensor` in the layout that `device` prefers, copied if it must be; shapes and values stay. Tensors of other than
/// four dimensions become contiguous.
pub(super) fn preferred(tensor: &Tensor, device: Device) -> Result<Tensor, TchError> {
    if prefers_channels_last(device) { channels_last(tensor) } else { tensor.f_contiguous() }
}

/// `tensor` channels last, copied if it must be. Tensors of other than four dimensions become contiguous.
pub(super) fn channels_last(tensor: &Tensor) -> Result<Tensor, TchError> {
    match tensor.dim() {
        4 => tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2]),
        _ => tensor.f_contiguous(),
    }
}

/// Whether maps on this device lie channels last.
pub(super) fn prefers_channels_last(device: Device) -> bool {
    device == Device::Cpu
}
