//! VGG.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, MaxPool2d, Width};

/// The paper's table 1, column D: channels and number of the convolutions before each pooling.
const STAGES: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];
const POOL: MaxPool2d = MaxPool2d { kernel: 2, stride: 2, padding: 0, ceil: false };
/// The last map is pooled to 7 x 7 cells, whatever the size of the picture.
const GRID: usize = 7;
const HIDDEN: usize = 4096;

/// torchvision's `vgg16`, without batch norms: Simonyan and Zisserman, *Very Deep Convolutional Networks for
/// Large-Scale Image Recognition*, 2014. The embedding is what the paper calls FC-4096, the second one, rectified.
pub(super) fn vgg16() -> Backbone {
    let (mut net, mut x) = Graph::new();
    let (mut index, mut input) = (0, 3);
    for (channels, convolutions) in STAGES {
        for _ in 0..convolutions {
            x = net.conv(format!("features.{index}"), x, Conv2d::new(input, channels, 3).padding(1));
            x = net.relu(format!("features.{}", index + 1), x);
            index += 2;
            input = channels;
        }
        x = net.max_pool(format!("features.{index}"), x, POOL);
        index += 1;
    }
    let hidden = Width::Fixed(HIDDEN);
    let init = Init::KaimingNormal { bias: 0.0 };
    let x = net.avg_pool_to("avgpool", x, GRID);
    let x = net.flatten("flatten", x);
    let x = net.linear("classifier.0", x, input * GRID * GRID, hidden, init);
    let x = net.relu("classifier.1", x);
    let x = net.dropout("classifier.2", x, 0.5);
    let x = net.linear("classifier.3", x, HIDDEN, hidden, init);
    let embedding = net.relu("classifier.4", x);
    let x = net.dropout("classifier.5", embedding, 0.5);
    let head = net.linear("classifier.6", x, HIDDEN, Width::Classes, Init::Normal { std: 0.01 });
    Backbone {
        name: "vgg16",
        source: "Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014",
        default_image_size: 224,
        min_image_size: 32,
        layers: net.layers(),
        embedding,
        embedding_dim: HIDDEN,
        projection: None,
        head,
    }
}
