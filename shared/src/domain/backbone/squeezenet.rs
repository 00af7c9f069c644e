//! SqueezeNet 1.1.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, MaxPool2d};

const POOL: MaxPool2d = MaxPool2d { kernel: 3, stride: 2, padding: 0, ceil: true };

/// Channels of the last fire module, averaged over the map to give the embedding.
const EMBEDDING: usize = 512;

/// torchvision's `squeezenet1_1`: Iandola et al., *SqueezeNet: AlexNet-level accuracy with 50x fewer parameters*,
/// 2016, with the authors' cheaper layout 1.1.
pub(super) fn squeezenet1_1() -> Backbone {
    let (mut net, x) = Graph::new();
    let x = net.conv("features.0", x, conv(3, 64, 3).stride(2));
    let x = net.relu("features.1", x);
    let x = net.max_pool("features.2", x, POOL);
    let x = fire(&mut net, 3, x, 64, 16, 64);
    let x = fire(&mut net, 4, x, 128, 16, 64);
    let x = net.max_pool("features.5", x, POOL);
    let x = fire(&mut net, 6, x, 128, 32, 128);
    let x = fire(&mut net, 7, x, 256, 32, 128);
    let x = net.max_pool("features.8", x, POOL);
    let x = fire(&mut net, 9, x, 256, 48, 192);
    let x = fire(&mut net, 10, x, 384, 48, 192);
    let x = fire(&mut net, 11, x, 384, 64, 256);
    let features = fire(&mut net, 12, x, EMBEDDING, 64, 256);
    let embedding = global_average(&mut net, "embedding", features);
    let x = net.dropout("classifier.0", features, 0.5);
    let per_class = conv(EMBEDDING, 0, 1).one_per_class().init(Init::Normal { std: 0.01 });
    let head = net.conv("classifier.1", x, per_class);
    let x = net.relu("classifier.2", head);
    global_average(&mut net, "classifier.3", x);
    Backbone {
        name: "squeezenet1_1",
        source: "Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: EMBEDDING,
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
