//! SqueezeNets.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, MaxPool2d};

const POOL: MaxPool2d = MaxPool2d { kernel: 3, stride: 2, padding: 0, ceil: true };

/// Channels of the last fire module, averaged over the map to give the embedding.
const EMBEDDING: usize = 512;

/// A step after the first convolution.
#[derive(Clone, Copy)]
enum Step {
    /// A fire module: channels of its squeeze, and of each of its two expansions.
    Fire(usize, usize),
    Pool,
}
use Step::{Fire, Pool};

/// torchvision's `squeezenet1_0`: the paper's table 1.
pub(super) fn squeezenet1_0() -> Backbone {
    let steps = [
        Pool,
        Fire(16, 64),
        Fire(16, 64),
        Fire(32, 128),
        Pool,
        Fire(32, 128),
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        Pool,
        Fire(64, 256),
    ];
    squeezenet("squeezenet1_0", conv(3, 96, 7).stride(2), &steps)
}

/// torchvision's `squeezenet1_1`, the authors' layout with fewer operations: narrower first layer, earlier pooling.
pub(super) fn squeezenet1_1() -> Backbone {
    let steps = [
        Pool,
        Fire(16, 64),
        Fire(16, 64),
        Pool,
        Fire(32, 128),
        Fire(32, 128),
        Pool,
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        Fire(64, 256),
    ];
    squeezenet("squeezenet1_1", conv(3, 64, 3).stride(2), &steps)
}

/// Iandola et al., *SqueezeNet: AlexNet-level accuracy with 50x fewer parameters*, 2016.
fn squeezenet(name: &'static str, first: Conv2d, steps: &[Step]) -> Backbone {
    let (mut net, x) = Graph::new();
    let mut channels = first.output.channels(0);
    let x = net.conv("features.0", x, first);
    let mut x = net.relu("features.1", x);
    for (index, step) in (2..).zip(steps) {
        match *step {
            Pool => x = net.max_pool(format!("features.{index}"), x, POOL),
            Fire(squeeze, expand) => {
                x = fire(&mut net, index, x, channels, squeeze, expand);
                channels = 2 * expand;
            }
        }
    }
    let embedding = global_average(&mut net, "embedding", x);
    let x = net.dropout("classifier.0", x, 0.5);
    let per_class = conv(EMBEDDING, 0, 1).one_per_class().init(Init::Normal { std: 0.01 });
    let head = net.conv("classifier.1", x, per_class);
    let x = net.relu("classifier.2", head);
    global_average(&mut net, "classifier.3", x);
    Backbone {
        name,
        source: "Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: EMBEDDING,
        projection: None,
        head,
    }
}

/// A fire module: `squeeze` channels of 1x1 feed `expand` channels of 1x1 and as many of 3x3, side by side.
fn fire(net: &mut Graph, index: usize, x: LayerId, input: usize, squeeze: usize, expand: usize) -> LayerId {
    let name = |part: &str| format!("features.{index}.{part}");
    let x = net.conv(name("squeeze"), x, conv(input, squeeze, 1));
    let x = net.relu(name("squeeze_activation"), x);
    let narrow = net.conv(name("expand1x1"), x, conv(squeeze, expand, 1));
    let narrow = net.relu(name("expand1x1_activation"), narrow);
    let wide = net.conv(name("expand3x3"), x, conv(squeeze, expand, 3).padding(1));
    let wide = net.relu(name("expand3x3_activation"), wide);
    net.concat(name("concat"), &[narrow, wide])
}

fn conv(input: usize, output: usize, kernel: usize) -> Conv2d {
    Conv2d::new(input, output, kernel).init(Init::KaimingUniform)
}

fn global_average(net: &mut Graph, name: &str, x: LayerId) -> LayerId {
    let x = net.avg_pool_to(name, x, 1);
    net.flatten(format!("{name}.flatten"), x)
}
