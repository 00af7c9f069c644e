//! The same network on the CPU and on a GPU, where there is one.

use super::*;

/// The CPU, and a GPU where there is one.
fn devices() -> Vec<Device> {
    let gpu = cuda::load() > 0;
    [Device::Cpu].into_iter().chain(gpu.then_some(Device::Cuda(0))).collect()
}

#[test]
fn every_device_gives_the_answers_of_the_plain_network_on_the_cpu() {
    for backbone in backbone::all() {
        let plain = network(backbone.name);
        let pictures = uniform(&[3, 3, 67, 67], -2.0, 2.0, 30);
        let expected = plain.forward(&pictures, Mode::Eval).unwrap();
        let weights = plain.save().unwrap();
        for device in devices() {
            let on_device = Network::from_weights(backbone, &weights, device).unwrap().folded().unwrap();
            let found = on_device.forward(&pictures.to_device(device), Mode::Eval).unwrap();
            for (found, expected) in
                [(found.logits, &expected.logits), (found.embedding, &expected.embedding)]
            {
                let off = difference(&found.to_device(Device::Cpu), expected);
                // GPUs multiply in 19 bits by default.
                assert!(off < 1e-2, "{} on {device:?}: {off}", backbone.name);
            }
        }
    }
}

#[test]
fn every_device_gives_the_gradients_of_the_cpu() {
    // No dropout, which every device draws in its own way, and batch norms that do not magnify rounding.
    let backbone = backbone::by_name("resnet18").unwrap();
    let weights = network(backbone.name).save().unwrap();
    let pictures = uniform(&[4, 3, 67, 67], -2.0, 2.0, 31);
    let learnt = |device| {
        let mut network = Network::from_weights(backbone, &weights, device).unwrap();
        network.freeze(Freeze::Norm).unwrap();
        let logits = network.forward(&pictures.to_device(device), training(&mut rng(1))).unwrap().logits;
        logits.square().mean(Kind::Float).backward();
        let gradient =
            |named: &NamedTensor| (named.parameter.name.clone(), named.tensor.grad().to_device(CPU));
        network.learnt().map(gradient).collect::<Vec<_>>()
    };
    let expected = learnt(CPU);
    for device in devices() {
        for ((name, found), (_, expected)) in learnt(device).iter().zip(&expected) {
            let off = difference(found, expected);
            assert!(off < 2e-2, "{name} on {device:?}: {off}");
        }
    }
}
