//! MobileNetV2.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, Width};

/// The paper's table 2: expansion, output channels, repetitions, stride of the first repetition.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

const STEM: usize = 32;
const EMBEDDING: usize = 1280;

/// torchvision's `mobilenet_v2`: Sandler et al., *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, 2018.
pub(super) fn mobilenet_v2() -> Backbone {
    let (mut net, x) = Graph::new();
    let mut x = conv_norm(&mut net, "features.0", x, conv(3, STEM, 3).stride(2).padding(1));
    let mut input = STEM;
    let mut index = 1;
    for (expansion, output, repetitions, first_stride) in STAGES {
        for repetition in 0..repetitions {
            let stride = if repetition == 0 { first_stride } else { 1 };
            let block = Block { input, hidden: input * expansion, output, stride };
            x = inverted_residual(&mut net, &format!("features.{index}"), x, &block);
            input = output;
            index += 1;
        }
    }
    let x = conv_norm(&mut net, &format!("features.{index}"), x, conv(input, EMBEDDING, 1));
    let x = net.avg_pool_to("avgpool", x, 1);
    let embedding = net.flatten("flatten", x);
    let x = net.dropout("classifier.0", embedding, 0.2);
    let head = net.linear("classifier.1", x, EMBEDDING, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name: "mobilenet_v2",
        source: "Sandler et al.: MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018",
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
    stride: usize,
}

/// 1x1 expansion (left out when there is nothing to expand), 3x3 on each channel alone, 1x1 projection without a
/// rectifier; the input is added when the shape stays the same.
fn inverted_residual(net: &mut Graph, name: &str, input: LayerId, block: &Block) -> LayerId {
    let mut x = input;
    let mut step = 0;
    if block.hidden != block.input {
        x = conv_norm(net, &format!("{name}.conv.0"), x, conv(block.input, block.hidden, 1));
        step = 1;
    }
    let depthwise = conv(block.hidden, block.hidden, 3).padding(1).stride(block.stride).groups(block.hidden);
    x = conv_norm(net, &format!("{name}.conv.{step}"), x, depthwise);
    x = net.conv(format!("{name}.conv.{}", step + 1), x, conv(block.hidden, block.output, 1));
    x = net.batch_norm(format!("{name}.conv.{}", step + 2), x, block.output);
    if block.stride == 1 && block.input == block.output {
        net.add(format!("{name}.add"), input, x)
    } else {
        x
    }
}

/// Convolution `{name}.0`, batch norm `{name}.1` and ReLU6 `{name}.2`.
fn conv_norm(net: &mut Graph, name: &str, x: LayerId, conv: Conv2d) -> LayerId {
    let channels = conv.output.channels(0);
    let x = net.conv(format!("{name}.0"), x, conv);
    let x = net.batch_norm(format!("{name}.1"), x, channels);
    net.relu6(format!("{name}.2"), x)
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).without_bias().init(Init::KaimingNormalFanOut)
}
