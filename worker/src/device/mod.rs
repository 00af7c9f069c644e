//! The device: which one, and how busy it is.

mod usage;

use tch::Device;

pub use usage::{Sampler, memory_bytes};

/// A device chosen by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// For tch.
    pub device: Device,
    /// `cpu`, `cuda:0`, ...
    pub name: String,
}

/// A device that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("device \"{wanted}\" is not there: {reason}")]
pub struct NoSuchDevice {
    wanted: String,
    reason: String,
}

/// Chooses a device: `auto` takes the first GPU when there is one, else the CPU.
///
/// # Errors
/// [`NoSuchDevice`] when a GPU was asked for that this machine or this installation lacks.
pub fn choose(wanted: &str) -> Result<Chosen, NoSuchDevice> {
    let count = i64::try_from(crate::network::cuda::load()).unwrap_or_default();
    let gpu = |number: i64| Chosen {
        device: Device::Cuda(usize::try_from(number).unwrap_or_default()),
        name: format!("cuda:{number}"),
    };
    let cpu = Chosen { device: Device::Cpu, name: "cpu".to_owned() };
    let number = match wanted {
        "cpu" => return Ok(cpu),
        "auto" if count > 0 => return Ok(gpu(0)),
        "auto" => return Ok(cpu),
        "cuda" => 0,
        other => other.strip_prefix("cuda:").and_then(|n| n.parse().ok()).unwrap_or(-1),
    };
    if (0..count).contains(&number) {
        return Ok(gpu(number));
    }
    let reason = format!("libtorch can use {count} GPUs; its CUDA libraries come with CUDA=1 make build");
    Err(NoSuchDevice { wanted: wanted.to_owned(), reason })
}
