use lookalike_shared::domain::backbone::{self, LoadReport, LocalResponseNorm, ParameterKind};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::nn::{FuncT, ModuleT, VarStore};
use tch::vision::{mobilenet, resnet, squeezenet};
use tch::{Device, Kind, Tensor, nn};

use super::*;

mod devices;
mod onnx;
mod projection;
mod published;

const CPU: Device = Device::Cpu;
const CLASSES: usize = 7;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn uniform(shape: &[i64], low: f32, high: f32, seed: u64) -> Tensor {
    let mut rng = rng(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(low..high)).collect();
    Tensor::from_slice(&values).view(shape)
}

/// A new network whose batch norms look as if they had been trained.
fn network(name: &str) -> Network {
    of(backbone::by_name(name).unwrap())
}

fn of(backbone: &'static Backbone) -> Network {
    let network = Network::new(backbone, CLASSES, 3, CPU).unwrap();
    for (index, named) in network.tensors().iter().enumerate() {
        let shape = named.tensor.size();
        let value = match named.parameter.kind {
            ParameterKind::Weight => continue,
            ParameterKind::NormScale => uniform(&shape, 0.5, 1.5, index as u64),
            ParameterKind::NormVariance => uniform(&shape, 0.3, 2.0, index as u64),
            ParameterKind::Bias | ParameterKind::NormShift | ParameterKind::NormMean => {
                uniform(&shape, -0.2, 0.2, index as u64)
            }
        };
        tch::no_grad(|| named.tensor.shallow_clone().copy_(&value));
    }
    network
}

fn training(rng: &mut ChaCha8Rng) -> Mode<'_> {
    Mode::Train { rng, precision: Precision::F32 }
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// The largest difference, as a fraction of the largest value.
fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    largest(&(found - expected)) / largest(expected)
}

type Build = fn(&nn::Path<'_>, i64) -> FuncT<'static>;

const PEERS: [(&str, Build); 3] = [
    ("squeezenet1_1", |p, n| wrap(squeezenet::v1_1(p, n))),
    ("mobilenet_v2", |p, n| wrap(mobilenet::v2(p, n))),
    ("resnet18", resnet::resnet18),
];

fn wrap(module: impl ModuleT + 'static) -> FuncT<'static> {
    nn::func_t(move |x, train| module.forward_t(x, train))
}

/// tch's own network of the same architecture, with the tensors of `network`.
fn peer(network: &Network, build: Build) -> (VarStore, FuncT<'static>) {
    let store = VarStore::new(CPU);
    let module = build(&store.root(), CLASSES as i64);
    let mut theirs = store.variables();
    for (name, tensor) in network.tensors().named() {
        let mut target = theirs.remove(name).unwrap_or_else(|| panic!("no `{name}` in tch's network"));
        tch::no_grad(|| target.copy_(tensor));
    }
    assert!(theirs.is_empty(), "left over: {:?}", theirs.keys());
    (store, module)
}

#[test]
fn names_and_logits_are_those_of_tch_vision() {
    for (name, build) in PEERS {
        let network = network(name);
        let (_store, module) = peer(&network, build);
        let pictures = uniform(&[2, 3, 97, 97], -2.0, 2.0, 11);
        let expected = tch::no_grad(|| module.forward_t(&pictures, false));
        let found = network.forward(&pictures, Mode::Eval).unwrap().logits;
        assert!(difference(&found, &expected) < 1e-4, "{name}: {}", difference(&found, &expected));
    }
}

/// tch's own AlexNet strides differently from the published one, so both AlexNets are compared with their papers'
/// steps, written out: convolutions as (stride, padding, groups) and nothing for pooling.
#[test]
fn alexnets_take_the_published_steps() {
    let owt = [
        Some((4, 2, 1)),
        None,
        Some((1, 2, 1)),
        None,
        Some((1, 1, 1)),
        Some((1, 1, 1)),
        Some((1, 1, 1)),
        None,
    ];
    let first = [
        Some((4, 0, 1)),
        None,
        Some((1, 2, 2)),
        None,
        Some((1, 1, 1)),
        Some((1, 1, 2)),
        Some((1, 1, 2)),
        None,
    ];
    for (name, steps, norms) in [("alexnet_owt", owt, 0), ("alexnet", first, 2)] {
        let network = network(name);
        let weights: Vec<&Tensor> = network.tensors().iter().map(|named| &named.tensor).collect();
        let mut weights = weights.chunks(2);
        let pictures = uniform(&[2, 3, 227, 227], -2.0, 2.0, 11);
        let mut x = pictures.shallow_clone();
        let mut convolutions = 0;
        for step in steps {
            let Some((stride, padding, groups)) = step else {
                x = x.max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false);
                continue;
            };
            let pair = weights.next().unwrap();
            x = x.conv2d(pair[0], Some(pair[1]), [stride, stride], [padding, padding], [1, 1], groups).relu();
            convolutions += 1;
            if convolutions <= norms {
                x = &x
                    / (x.square()
                        .unsqueeze(1)
                        .avg_pool3d([5, 1, 1], [1, 1, 1], [2, 0, 0], false, true, 5)
                        .squeeze_dim(1)
                        * 1e-4
                        + 1.0)
                        .pow_tensor_scalar(0.75);
            }
        }
        x = x.flatten(1, -1);
        for last in [false, false, true] {
            let pair = weights.next().unwrap();
            x = x.linear(pair[0], Some(pair[1]));
            x = if last { x } else { x.relu() };
        }
        let found = network.forward(&pictures, Mode::Eval).unwrap().logits;
        assert!(difference(&found, &x) < 1e-4, "{name}: {}", difference(&found, &x));
    }
}

#[test]
fn gradients_and_running_statistics_are_those_of_tch_vision() {
    let network = network("resnet18");
    let (store, module) = peer(&network, resnet::resnet18);
    let pictures = uniform(&[4, 3, 64, 64], -2.0, 2.0, 12);
    module.forward_t(&pictures, true).square().sum(Kind::Float).backward();
    let logits = network.forward(&pictures, training(&mut rng(0))).unwrap().logits;
    logits.square().sum(Kind::Float).backward();
    let theirs = store.variables();
    for named in network.tensors().iter() {
        let peer = &theirs[&named.parameter.name];
        let off = if named.parameter.kind.is_learnt() {
            difference(&named.tensor.grad(), &peer.grad())
        } else {
            difference(&named.tensor, peer)
        };
        assert!(off < 1e-3, "{}: {off}", named.parameter.name);
    }
}

#[test]
fn every_learnt_tensor_of_every_backbone_gets_a_gradient() {
    for backbone in backbone::all() {
        let network = network(backbone.name);
        let pictures = uniform(&[4, 3, 67, 67], -2.0, 2.0, 13);
        let logits = network.forward(&pictures, training(&mut rng(1))).unwrap().logits;
        logits.log_softmax(-1, Kind::Float).select(1, 0).sum(Kind::Float).backward();
        for named in network.learnt() {
            let grad = named.tensor.grad();
            assert!(grad.defined() && largest(&grad) > 0.0, "{} {}", backbone.name, named.parameter.name);
        }
    }
}

#[test]
fn sixteen_bits_give_nearly_the_same_logits_and_gradients_of_full_width() {
    for name in ["alexnet", "squeezenet1_1", "mobilenet_v2", "resnet18"] {
        let mut network = network(name);
        // Batch norms that measure a small batch of an untrained network magnify rounding without bound.
        network.freeze(Freeze::Norm).unwrap();
        let pictures = uniform(&[2, 3, 67, 67], -2.0, 2.0, 20);
        let logits = |precision| {
            let mode = Mode::Train { rng: &mut rng(7), precision };
            network.forward(&pictures, mode).unwrap().logits
        };
        let (full, half) = (logits(Precision::F32), logits(Precision::Bf16));
        assert_eq!(half.kind(), Kind::Float);
        assert!(difference(&half, &full) < 0.1, "{name}: {}", difference(&half, &full));
        half.square().sum(Kind::Float).backward();
        assert!(network.learnt().all(|named| named.tensor.grad().kind() == Kind::Float), "{name}");
    }
}

#[test]
fn the_embedding_is_the_head_s_input() {
    for name in backbone::names().into_iter().filter(|name| !name.starts_with("squeezenet")) {
        let network = network(name);
        let output = network.forward(&uniform(&[3, 3, 67, 67], -2.0, 2.0, 14), Mode::Eval).unwrap();
        let head: Vec<&NamedTensor> = network
            .tensors()
            .iter()
            .filter(|named| named.parameter.layer == network.backbone().head)
            .collect();
        let logits = output.embedding.linear(&head[0].tensor, Some(&head[1].tensor));
        assert!(difference(&output.logits, &logits) < 1e-5, "{name}");
    }
}

#[test]
fn a_network_in_two_parts_answers_as_a_whole() {
    for backbone in backbone::all() {
        let network = network(backbone.name);
        let pictures = uniform(&[2, 3, 67, 67], -2.0, 2.0, 19);
        let whole = network.forward(&pictures, Mode::Eval).unwrap().logits;
        let features = network.before_head(&pictures).unwrap();
        assert_eq!(network.head(&features, Mode::Eval).unwrap(), whole, "{}", backbone.name);
    }
}

#[test]
fn local_response_norm_follows_the_formula() {
    let norm = LocalResponseNorm { size: 5, alpha: 0.3, beta: 0.75, k: 2.0 };
    let (n, c, h, w) = (2, 7, 3, 4);
    let x = uniform(&[n, c, h, w], -3.0, 3.0, 15);
    let found = ops::local_response_norm(&x, &norm).unwrap();
    for (b, channel, i, j) in
        (0..n * c * h * w).map(|at| (at / (c * h * w), at / (h * w) % c, at / w % h, at % w))
    {
        let window = (channel - 2).max(0)..(channel + 3).min(c);
        let sum: f64 = window.map(|other| x.double_value(&[b, other, i, j]).powi(2)).sum();
        let expected = x.double_value(&[b, channel, i, j]) / (2.0 + 0.3 / 5.0 * sum).powf(0.75);
        assert!((found.double_value(&[b, channel, i, j]) - expected).abs() < 1e-5);
    }
}

#[test]
fn dropout_zeroes_its_share_and_keeps_the_mean() {
    let x = Tensor::ones([8, 16, 20, 20], (Kind::Float, CPU));
    let once = ops::dropout(&x, 0.25, &mut rng(4)).unwrap();
    let again = ops::dropout(&x, 0.25, &mut rng(4)).unwrap();
    assert_eq!(once, again);
    let zeroes = once.eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
    assert!((zeroes - 0.25).abs() < 0.01, "{zeroes}");
    assert!((once.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.02);
}

#[test]
fn a_folded_network_answers_the_same() {
    for name in ["mobilenet_v2", "resnet18", "efficientnet_b0", "densenet121"] {
        let network = network(name);
        let folded = network.folded().unwrap();
        assert!(folded.tensors().iter().len() < network.tensors().iter().len());
        let pictures = uniform(&[2, 3, 96, 96], -2.0, 2.0, 16);
        let expected = network.forward(&pictures, Mode::Eval).unwrap();
        let found = folded.forward(&pictures, Mode::Eval).unwrap();
        assert!(difference(&found.logits, &expected.logits) < 1e-4, "{name}");
        assert!(difference(&found.embedding, &expected.embedding) < 1e-4, "{name}");
    }
}

#[test]
fn what_is_saved_loads_bit_for_bit() {
    let saved = network("mobilenet_v2");
    let bytes = saved.save().unwrap();
    let backbone = backbone::by_name("mobilenet_v2").unwrap();
    let read = Network::from_weights(backbone, &bytes, CPU).unwrap();
    assert_eq!(read.classes(), CLASSES);
    assert_eq!(read.save().unwrap(), bytes);
}

#[test]
fn half_precision_loads_and_a_head_of_other_classes_is_left() {
    let source = network("squeezenet1_1");
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = source
        .tensors()
        .iter()
        .map(|named| {
            let half = named.tensor.detach().to_kind(Kind::Half).contiguous();
            let mut bytes = vec![0; half.numel() * 2];
            half.copy_data_u8(&mut bytes, half.numel());
            (named.parameter.name.clone(), named.parameter.shape.clone(), bytes)
        })
        .collect();
    let view = |shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F16, shape.to_vec(), bytes).unwrap()
    };
    let views = halves.iter().map(|(name, shape, bytes)| (name, view(shape, bytes)));
    let bytes = safetensors::serialize(views, None).unwrap();

    let mut other = Network::new(backbone::by_name("squeezenet1_1").unwrap(), CLASSES + 1, 9, CPU).unwrap();
    let before = other.tensors().iter().last().unwrap().tensor.copy();
    assert_eq!(
        other.load(&bytes).unwrap(),
        LoadReport { classes: Some(CLASSES), projection: false, head: false }
    );
    assert_eq!(other.tensors().iter().last().unwrap().tensor, before);
    let (first, theirs) = (other.tensors().iter().next().unwrap(), source.tensors().iter().next().unwrap());
    assert!(difference(&first.tensor, &theirs.tensor) < 1e-3);
}

#[test]
fn a_file_of_another_backbone_is_refused_and_changes_nothing() {
    let bytes = network("squeezenet1_1").save().unwrap();
    let mut resnet = network("resnet18");
    let before = resnet.save().unwrap();
    let error = resnet.load(&bytes).unwrap_err().to_string();
    assert!(
        error.starts_with("the weights do not fit resnet18: `conv1.weight` [64, 3, 7, 7] is missing"),
        "{error}"
    );
    assert_eq!(resnet.save().unwrap(), before);
    let error = resnet.load(b"not a file").unwrap_err().to_string();
    assert!(error.starts_with("the weights are not a readable safetensors file"), "{error}");
}

#[test]
fn freezing_decides_what_learns_and_which_statistics_move() {
    let mut resnet = network("resnet18");
    let statistics = |network: &Network| -> Vec<Tensor> {
        let of = network.tensors().iter().filter(|named| !named.parameter.kind.is_learnt());
        of.map(|named| named.tensor.copy()).collect()
    };
    for (freeze, learns, moves) in
        [(Freeze::Backbone, 2, false), (Freeze::Norm, 62, false), (Freeze::None, 62, true)]
    {
        resnet.freeze(freeze).unwrap();
        assert_eq!(resnet.learnt().count(), learns, "{freeze:?}");
        let before = statistics(&resnet);
        let pictures = uniform(&[4, 3, 64, 64], -2.0, 2.0, 17);
        resnet.forward(&pictures, training(&mut rng(5))).unwrap();
        assert_eq!(before != statistics(&resnet), moves, "{freeze:?}");
    }
}

#[test]
fn folded_norms_keep_their_statistics_until_they_are_settled() {
    let mut network = network("mobilenet_v2");
    for named in network.tensors().iter() {
        let value = match named.parameter.kind {
            ParameterKind::NormMean => 0.0,
            ParameterKind::NormVariance => 1.0,
            ParameterKind::Weight
            | ParameterKind::Bias
            | ParameterKind::NormScale
            | ParameterKind::NormShift => continue,
        };
        tch::no_grad(|| {
            let _same = named.tensor.shallow_clone().fill_(value);
        });
    }
    network.freeze(Freeze::None).unwrap();
    assert!(network.has_folded_norms().unwrap());
    assert!(!network.measures.iter().any(|measures| *measures));

    let pictures = uniform(&[8, 3, 96, 96], -2.0, 2.0, 18);
    let expected = network.forward(&pictures, Mode::Eval).unwrap().logits;
    network.settle(&pictures).unwrap();
    assert!(!network.has_folded_norms().unwrap());
    assert_eq!(network.measures.iter().filter(|measures| **measures).count(), 52);
    let found = network.forward(&pictures, Mode::Eval).unwrap().logits;
    assert!(difference(&found, &expected) < 1e-4);
    // What was measured on a batch is what training on that batch measures.
    let measured = network.forward(&pictures, training(&mut rng(6))).unwrap().embedding;
    let settled = network.forward(&pictures, Mode::Eval).unwrap().embedding;
    assert!(difference(&measured, &settled) < 0.05);
}

#[test]
fn too_small_pictures_and_missing_classes_are_refused() {
    let squeezenet = network("squeezenet1_1");
    let error =
        squeezenet.forward(&Tensor::zeros([1, 3, 16, 16], (Kind::Float, CPU)), Mode::Eval).unwrap_err();
    assert_eq!(error.to_string(), "image size 16 is too small for squeezenet1_1, which needs at least 32");
    let error = Network::new(backbone::by_name("resnet18").unwrap(), 0, 1, CPU).unwrap_err();
    assert_eq!(error.to_string(), "a model needs at least one class");
}
