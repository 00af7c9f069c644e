//! DenseNet.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, MaxPool2d, Width};

/// Layers in each dense block, the paper's table 1.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];
/// Channels that each layer adds, the paper's k.
const GROWTH: usize = 32;
/// Channels between the two convolutions of a layer, four times the growth.
const BOTTLENECK: usize = 4 * GROWTH;
const STEM: usize = 64;
const EMBEDDING: usize = 1024;

/// torchvision's `densenet121`: Huang et al., *Densely Connected Convolutional Networks*, 2016.
///
/// Batch norms stand before their convolutions, so only those between two convolutions of a layer can be folded.
pub(super) fn densenet121() -> Backbone {
    let (mut net, x) = Graph::new();
    let x = net.conv("features.conv0", x, conv(3, STEM, 7).stride(2).padding(3));
    let x = norm_relu(&mut net, "features.norm0", "features.relu0", x, STEM);
    let pool = MaxPool2d { kernel: 3, stride: 2, padding: 1, ceil: false };
    let mut x = net.max_pool("features.pool0", x, pool);
    let mut channels = STEM;
    for (block, layers) in BLOCKS.into_iter().enumerate() {
        if block > 0 {
            x = transition(&mut net, &format!("features.transition{block}"), x, channels);
            channels /= 2;
        }
        for layer in 1..=layers {
            let name = format!("features.denseblock{}.denselayer{layer}", block + 1);
            x = dense_layer(&mut net, &name, x, channels);
            channels += GROWTH;
        }
    }
    let x = norm_relu(&mut net, "features.norm5", "relu", x, EMBEDDING);
    let x = net.avg_pool_to("avgpool", x, 1);
    let embedding = net.flatten("flatten", x);
    let head = net.linear("classifier", embedding, EMBEDDING, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name: "densenet121",
        source: "Huang et al.: Densely Connected Convolutional Networks, 2016",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: EMBEDDING,
        projection: None,
        head,
    }
}

/// Everything so far, and 32 more channels that a 1x1 and a 3x3 convolution make of it.
fn dense_layer(net: &mut Graph, name: &str, input: LayerId, channels: usize) -> LayerId {
    let part = |part: &str| format!("{name}.{part}");
    let x = norm_relu(net, &part("norm1"), &part("relu1"), input, channels);
    let x = net.conv(part("conv1"), x, conv(channels, BOTTLENECK, 1));
    let x = norm_relu(net, &part("norm2"), &part("relu2"), x, BOTTLENECK);
    let x = net.conv(part("conv2"), x, conv(BOTTLENECK, GROWTH, 3).padding(1));
    net.concat(part("concat"), &[input, x])
}

/// Half the channels at half the side.
fn transition(net: &mut Graph, name: &str, x: LayerId, channels: usize) -> LayerId {
    let x = norm_relu(net, &format!("{name}.norm"), &format!("{name}.relu"), x, channels);
    let x = net.conv(format!("{name}.conv"), x, conv(channels, channels / 2, 1));
    net.avg_pool(format!("{name}.pool"), x, 2)
}

fn norm_relu(net: &mut Graph, norm: &str, relu: &str, x: LayerId, channels: usize) -> LayerId {
    let x = net.batch_norm(norm, x, channels);
    net.relu(relu, x)
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).without_bias()
}
