//! Every backbone that torchvision has, against what torchvision itself answers. `published.py` wrote the figures.

use super::*;

const CLASSES: usize = 5;
const SIDE: i64 = 80;

/// By name: number of learnt values, and the logits for the picture.
const ANSWERS: [(&str, usize, [f64; CLASSES]); 10] = [
    ("alexnet_owt", 57024325, [-3.50287, 6.66436, -4.15464, -10.1988, 0.978575]),
    ("squeezenet1_0", 737989, [0.174588, 0.190587, 3.86504, 0.0, 0.978228]),
    ("squeezenet1_1", 725061, [0.0594704, 0.0, 1.31095, 0.153415, 1.15933]),
    ("mobilenet_v2", 2230277, [-2.35163, 1.39552, 3.64544, 0.749342, 0.159089]),
    ("efficientnet_b0", 4013953, [-12.6823, 5.83135, 4.76786, -4.34191, 5.13875]),
    ("resnet18", 11179077, [45.1109, -196.346, 31.0894, 26.7649, -115.276]),
    ("resnet34", 21287237, [-127.017, -3452.52, 1114.73, 833.13, -6520.22]),
    ("resnet50", 23518277, [-8286.69, -11947.1, 7253.68, 8822.01, 602.326]),
    ("densenet121", 6958981, [0.0345495, -2.72664, 2.57048, -11.9185, -4.21612]),
    ("vgg16", 134281029, [3.08178, -0.0689191, -7.1934, -9.50903, -1.85498]),
];

/// 32-bit FNV-1a.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// MurmurHash3's final mix of the seed plus the index, over 2^32.
fn unit(seed: u32, index: usize) -> f64 {
    let mut x = seed.wrapping_add(index as u32);
    for (shift, factor) in [(16, 0x85EB_CA6B), (13, 0xC2B2_AE35)] {
        x = (x ^ (x >> shift)).wrapping_mul(factor);
    }
    f64::from(x ^ (x >> 16)) / (f64::from(u32::MAX) + 1.0)
}

fn by_formula(name: &str, shape: &[i64], stretch: impl Fn(f64) -> f64) -> Tensor {
    let seed = fnv1a(name);
    let count = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = (0..count).map(|index| stretch(unit(seed, index)) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

fn by_formula_for(named: &NamedTensor) -> Tensor {
    let shape = named.tensor.size();
    let bound = (6.0 / shape[1..].iter().product::<i64>() as f64).sqrt();
    by_formula(&named.parameter.name, &shape, |u| match named.parameter.kind {
        ParameterKind::Weight => (2.0 * u - 1.0) * bound,
        ParameterKind::NormScale => 0.5 + u,
        ParameterKind::NormVariance => 0.3 + 1.7 * u,
        ParameterKind::Bias | ParameterKind::NormShift | ParameterKind::NormMean => 0.4 * u - 0.2,
    })
}

#[test]
fn names_numbers_and_logits_are_those_of_torchvision() {
    let picture = by_formula("pictures", &[1, 3, SIDE, SIDE], |u| 4.0 * u - 2.0);
    for (name, learnt, logits) in ANSWERS {
        let network = Network::new(backbone::by_name(name).unwrap(), CLASSES, 1, CPU).unwrap();
        let own = network.tensors().iter().filter(|named| named.parameter.kind.is_learnt());
        assert_eq!(own.map(|named| named.parameter.len()).sum::<usize>(), learnt, "{name}");
        for named in network.tensors().iter() {
            tch::no_grad(|| named.tensor.shallow_clone().copy_(&by_formula_for(named)));
        }
        let expected = Tensor::from_slice(&logits).to_kind(Kind::Float).view([1, -1]);
        let found = network.forward(&picture, Mode::Eval).unwrap().logits;
        let off = difference(&found, &expected);
        assert!(off < 1e-3, "{name}: {off}");
    }
}
