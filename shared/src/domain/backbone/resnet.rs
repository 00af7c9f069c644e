//! ResNets.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, MaxPool2d, Width};

/// Width of the 3x3 convolutions in each of the four stages.
const STAGES: [usize; 4] = [64, 128, 256, 512];
const STEM: usize = 64;

/// What a stage is made of.
#[derive(Clone, Copy)]
enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3 and 1x1, the last four times as wide.
    Bottleneck,
}

impl Block {
    /// Output channels for each channel of the 3x3 convolutions.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// torchvision's `resnet18`.
pub(super) fn resnet18() -> Backbone {
    resnet("resnet18", Block::Basic, [2, 2, 2, 2])
}

/// torchvision's `resnet34`.
pub(super) fn resnet34() -> Backbone {
    resnet("resnet34", Block::Basic, [3, 4, 6, 3])
}

/// torchvision's `resnet50`, whose blocks take their stride in the 3x3 convolution.
pub(super) fn resnet50() -> Backbone {
    resnet("resnet50", Block::Bottleneck, [3, 4, 6, 3])
}

/// He et al., *Deep Residual Learning for Image Recognition*, 2015, table 1.
fn resnet(name: &'static str, kind: Block, blocks: [usize; 4]) -> Backbone {
    let (mut net, x) = Graph::new();
    let x = net.conv("conv1", x, conv(3, STEM, 7).stride(2).padding(3));
    let x = net.batch_norm("bn1", x, STEM);
    let x = net.relu("relu", x);
    let mut x = net.max_pool("maxpool", x, MaxPool2d { kernel: 3, stride: 2, padding: 1, ceil: false });
    let mut input = STEM;
    for (stage, (width, count)) in STAGES.into_iter().zip(blocks).enumerate() {
        for block in 0..count {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let name = format!("layer{}.{block}", stage + 1);
            x = residual(&mut net, &name, x, kind, [input, width], stride);
            input = width * kind.expansion();
        }
    }
    let x = net.avg_pool_to("avgpool", x, 1);
    let embedding = net.flatten("flatten", x);
    let head = net.linear("fc", embedding, input, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name,
        source: "He et al.: Deep Residual Learning for Image Recognition, 2015",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: input,
        projection: None,
        head,
    }
}

/// The convolutions of a block; their input, projected by a 1x1 convolution where the shape changes, is added.
fn residual(
    net: &mut Graph,
    name: &str,
    input: LayerId,
    kind: Block,
    [from, width]: [usize; 2],
    stride: usize,
) -> LayerId {
    let to = width * kind.expansion();
    let steps = match kind {
        Block::Basic => vec![conv(from, width, 3).stride(stride).padding(1), conv(width, to, 3).padding(1)],
        Block::Bottleneck => {
            vec![conv(from, width, 1), conv(width, width, 3).stride(stride).padding(1), conv(width, to, 1)]
        }
    };
    let last = steps.len();
    let mut x = input;
    for (step, conv) in (1..).zip(steps) {
        let channels = conv.output.channels(0);
        x = net.conv(format!("{name}.conv{step}"), x, conv);
        x = net.batch_norm(format!("{name}.bn{step}"), x, channels);
        if step < last {
            x = net.relu(format!("{name}.relu{step}"), x);
        }
    }
    let shortcut = if from == to && stride == 1 {
        input
    } else {
        let projected = net.conv(format!("{name}.downsample.0"), input, conv(from, to, 1).stride(stride));
        net.batch_norm(format!("{name}.downsample.1"), projected, to)
    };
    let x = net.add(format!("{name}.add"), x, shortcut);
    net.relu(format!("{name}.relu{last}"), x)
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).without_bias().init(Init::KaimingNormalFanOut)
}
