//! How busy the device is: NVML's figures for a GPU, the system's for a CPU.

use lookalike_shared::db::workers::DeviceUse;
use nvml_wrapper::Nvml;
use sysinfo::System;
use tch::Device;

/// The memory of the machine, or of the container if that has less; none where the system does not tell.
pub fn memory_bytes() -> u64 {
    let Ok(mut system) = System::new() else { return 0 };
    system.refresh_memory();
    let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
    system.total_memory().min(limit)
}

/// Reads utilisation and memory of one device, cheaply enough for once a second.
pub struct Sampler {
    system: Option<System>,
    gpu: Option<(Nvml, u32)>,
}

impl Sampler {
    /// A sampler of `device`. Without NVML a GPU's worker shows the CPU's figures.
    pub fn new(device: Device) -> Self {
        let gpu = match device {
            Device::Cuda(number) => Nvml::init().ok().zip(u32::try_from(number).ok()),
            Device::Cpu | Device::Mps | Device::Vulkan => None,
        };
        // On a system that tells nothing, usage reads 0.
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
        }
        Self { system, gpu }
    }

    /// What the device calls itself.
    pub fn device_name(&mut self) -> String {
        if let Some((nvml, number)) = &self.gpu
            && let Ok(name) = nvml.device_by_index(*number).and_then(|gpu| gpu.name())
        {
            return name;
        }
        let Some(system) = &mut self.system else { return "CPU".to_owned() };
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let cpus = system.cpus();
        let brand = cpus.first().map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default();
        format!("{} x {}", cpus.len(), if brand.is_empty() { "CPU" } else { &brand })
    }

    /// How busy it has been since the last call.
    pub fn sample(&mut self) -> DeviceUse {
        self.sample_gpu().unwrap_or_else(|| self.sample_cpu())
    }

    fn sample_gpu(&self) -> Option<DeviceUse> {
        let (nvml, number) = self.gpu.as_ref()?;
        let gpu = nvml.device_by_index(*number).ok()?;
        let memory = gpu.memory_info().ok()?;
        Some(DeviceUse {
            utilisation_percent: gpu.utilization_rates().ok()?.gpu as f32,
            memory_used_bytes: i64::try_from(memory.used).unwrap_or(i64::MAX),
            memory_total_bytes: i64::try_from(memory.total).unwrap_or(i64::MAX),
        })
    }

    fn sample_cpu(&mut self) -> DeviceUse {
        let idle = DeviceUse { utilisation_percent: 0.0, memory_used_bytes: 0, memory_total_bytes: 0 };
        let Some(system) = &mut self.system else { return idle };
        system.refresh_cpu_usage();
        system.refresh_memory();
        DeviceUse {
            utilisation_percent: system.global_cpu_usage().clamp(0.0, 100.0),
            memory_used_bytes: i64::try_from(system.used_memory()).unwrap_or(i64::MAX),
            memory_total_bytes: i64::try_from(system.total_memory()).unwrap_or(i64::MAX),
        }
    }
}
