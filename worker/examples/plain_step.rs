//! A training step as it comes out of the box: tch's own MobileNetV2, 32 bits, default layout, the system's allocator.
//!
//! The benchmark runs this in a process of its own, since an allocator cannot be changed within one, and sets the
//! worker's own step beside it. Prints pictures per second.
//!
//!     plain_step DEVICE BATCH SIDE STEPS      e.g. plain_step cpu 64 224 3

use std::io::Write;
use std::time::Instant;

use anyhow::Context;
use lookalike_worker::{device, network};
use tch::nn::{ModuleT, OptimizerConfig, Sgd, VarStore};
use tch::{Kind, Tensor};

const CLASSES: i64 = 20;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, batch, side, steps] = arguments.as_slice() else {
        anyhow::bail!("arguments: DEVICE BATCH SIDE STEPS");
    };
    network::cuda::load();
    let device = device::choose(device)?.device;
    let (batch, side, steps): (i64, i64, u32) = (batch.parse()?, side.parse()?, steps.parse()?);
    let store = VarStore::new(device);
    let net = tch::vision::mobilenet::v2(&store.root(), CLASSES);
    let mut optimizer = Sgd { momentum: 0.9, wd: 5e-4, ..Sgd::default() }.build(&store, 0.01)?;
    let pictures = Tensor::f_randn([batch, 3, side, side], (Kind::Float, device))?;
    let labels = Tensor::f_randint(CLASSES, [batch], (Kind::Int64, device))?;
    let mut step = || -> anyhow::Result<()> {
        let loss = net.forward_t(&pictures, true).cross_entropy_for_logits(&labels);
        optimizer.backward_step(&loss);
        // Reading the loss waits for the device.
        loss.f_double_value(&[]).context("reading the loss")?;
        Ok(())
    };
    step()?;
    let started = Instant::now();
    for _ in 0..steps {
        step()?;
    }
    let rate = f64::from(steps) * batch as f64 / started.elapsed().as_secs_f64();
    Ok(writeln!(std::io::stdout(), "{rate:.3}")?)
}
