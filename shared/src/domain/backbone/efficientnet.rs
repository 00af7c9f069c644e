//! EfficientNet.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, Width};

/// The paper's table 1: expansion, kernel, stride of the first repetition, output channels, repetitions.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

const STEM: usize = 32;
const EMBEDDING: usize = 1280;

/// torchvision's `efficientnet_b0`: Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural
/// Networks*, 2019. Batch norms have PyTorch's constants, as torchvision's B0 to B4 do.
///
/// Stochastic depth, which leaves whole blocks out at random while training, is not done: it changes no answer, and
/// fine-tuning does without it.
pub(super) fn efficientnet_b0() -> Backbone {
    let (mut net, x) = Graph::new();
    let mut x = conv_norm_silu(&mut net, "features.0", x, conv(3, STEM, 3).stride(2).padding(1));
    let mut input = STEM;
    for (stage, (expansion, kernel, first_stride, output, repetitions)) in STAGES.into_iter().enumerate() {
        for repetition in 0..repetitions {
            let stride = if repetition == 0 { first_stride } else { 1 };
            let block = Block { input, hidden: input * expansion, output, kernel, stride };
            x = inverted_residual(&mut net, &format!("features.{}.{repetition}", stage + 1), x, &block);
            input = output;
        }
    }
    let x = conv_norm_silu(&mut net, "features.8", x, conv(input, EMBEDDING, 1));
    let x = net.avg_pool_to("avgpool", x, 1);
    let embedding = net.flatten("flatten", x);
    let x = net.dropout("classifier.0", embedding, 0.2);
    let head = net.linear("classifier.1", x, EMBEDDING, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name: "efficientnet_b0",
        source: "Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: EMBEDDING,
        projection: None,
        head,
    }
}

struct Block {
    input: usize,
    hidden: usize,
    output: usize,
    kernel: usize,
    stride: usize,
}

/// 1x1 expansion (left out when there is nothing to expand), a convolution on each channel alone, a factor for each
/// channel, 1x1 projection; the input is added when the shape stays the same.
fn inverted_residual(net: &mut Graph, name: &str, input: LayerId, block: &Block) -> LayerId {
    let &Block { hidden, output, kernel, stride, .. } = block;
    let mut x = input;
    let mut step = 0;
    if hidden != block.input {
        x = conv_norm_silu(net, &format!("{name}.block.0"), x, conv(block.input, hidden, 1));
        step = 1;
    }
    let depthwise = conv(hidden, hidden, kernel).padding(kernel / 2).stride(stride).groups(hidden);
    x = conv_norm_silu(net, &format!("{name}.block.{step}"), x, depthwise);
    x = squeeze_and_excite(net, &format!("{name}.block.{}", step + 1), x, hidden, block.input / 4);
    x = net.conv(format!("{name}.block.{}.0", step + 2), x, conv(hidden, output, 1));
    x = net.batch_norm(format!("{name}.block.{}.1", step + 2), x, output);
    if stride == 1 && block.input == output { net.add(format!("{name}.add"), input, x) } else { x }
}

/// Each channel times a factor in 0..1 that two small layers make of the means of all channels.
fn squeeze_and_excite(
    net: &mut Graph,
    name: &str,
    input: LayerId,
    channels: usize,
    squeezed: usize,
) -> LayerId {
    let part = |part: &str| format!("{name}.{part}");
    let dense = |from, to| Conv2d::new(from, to, 1).init(Init::KaimingNormalFanOut);
    let x = net.avg_pool_to(part("avgpool"), input, 1);
    let x = net.conv(part("fc1"), x, dense(channels, squeezed));
    let x = net.silu(part("activation"), x);
    let x = net.conv(part("fc2"), x, dense(squeezed, channels));
    let factors = net.sigmoid(part("scale_activation"), x);
    net.scale(part("scale"), input, factors)
}

/// Convolution `{name}.0`, batch norm `{name}.1` and SiLU `{name}.2`.
fn conv_norm_silu(net: &mut Graph, name: &str, x: LayerId, conv: Conv2d) -> LayerId {
    let channels = conv.output.channels(0);
    let x = net.conv(format!("{name}.0"), x, conv);
    let x = net.batch_norm(format!("{name}.1"), x, channels);
    net.silu(format!("{name}.2"), x)
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).without_bias().init(Init::KaimingNormalFanOut)
}
