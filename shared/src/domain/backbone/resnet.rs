//! ResNets with basic blocks.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, MaxPool2d, Width};

const EMBEDDING: usize = 512;

/// torchvision's `resnet18`: He et al., *Deep Residual Learning for Image Recognition*, 2015.
pub(super) fn resnet18() -> Backbone {
    let (mut net, x) = Graph::new();
    let x = net.conv("conv1", x, conv(3, 64, 7).stride(2).padding(3));
    let x = net.batch_norm("bn1", x, 64);
    let x = net.relu("relu", x);
    let mut x = net.max_pool("maxpool", x, MaxPool2d { kernel: 3, stride: 2, padding: 1, ceil: false });
    let mut input = 64;
    for (stage, output) in [64, 128, 256, EMBEDDING].into_iter().enumerate() {
        for block in 0..2 {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            x = basic_block(&mut net, &format!("layer{}.{block}", stage + 1), x, [input, output], stride);
            input = output;
        }
    }
    let x = net.avg_pool_to("avgpool", x, 1);
    let embedding = net.flatten("flatten", x);
    let head = net.linear("fc", embedding, EMBEDDING, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name: "resnet18",
        source: "He et al.: Deep Residual Learning for Image Recognition, 2015",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: EMBEDDING,
        head,
    }
}

/// Two 3x3 convolutions; their input, projected by a 1x1 convolution where the shape changes, is added.
fn basic_block(
    net: &mut Graph,
    name: &str,
    input: LayerId,
    [from, to]: [usize; 2],
    stride: usize,
) -> LayerId {
    let x = net.conv(format!("{name}.conv1"), input, conv(from, to, 3).stride(stride).padding(1));
    let x = net.batch_norm(format!("{name}.bn1"), x, to);
    let x = net.relu(format!("{name}.relu1"), x);
    let x = net.conv(format!("{name}.conv2"), x, conv(to, to, 3).padding(1));
    let x = net.batch_norm(format!("{name}.bn2"), x, to);
    let shortcut = if from == to && stride == 1 {
        input
    } else {
        let projected = net.conv(format!("{name}.downsample.0"), input, conv(from, to, 1).stride(stride));
        net.batch_norm(format!("{name}.downsample.1"), projected, to)
    };
    let x = net.add(format!("{name}.add"), x, shortcut);
    net.relu(format!("{name}.relu2"), x)
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).without_bias().init(Init::KaimingNormalFanOut)
}
