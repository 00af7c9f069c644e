//! AlexNet, as published in 2012 and as rewritten for one GPU in 2014.

use super::Backbone;
use super::graph::Graph;
use super::layer::{Conv2d, Init, LayerId, LocalResponseNorm, MaxPool2d, Width};

/// Both networks end in maps of 256 channels pooled to 6 x 6 cells, whatever the size of the picture.
const GRID: usize = 6;
const FEATURES: usize = 256 * GRID * GRID;
const HIDDEN: usize = 4096;

/// Overlapping windows: 3 wide, 2 apart.
const POOL: MaxPool2d = MaxPool2d { kernel: 3, stride: 2, padding: 0, ceil: false };

/// Caffe counts a last, incomplete window: of 227 pixels none comes about, of smaller pictures more is left.
const CAFFE_POOL: MaxPool2d = MaxPool2d { ceil: true, ..POOL };

/// Caffe's constants.
const LRN: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

/// The network of Krizhevsky, Sutskever and Hinton, *ImageNet Classification with Deep Convolutional Neural
/// Networks*, 2012, in the form of Caffe's `bvlc_alexnet`: second, fourth and fifth convolution in two groups (the
/// paper's two GPUs), normalisation after the first two rectifiers and before pooling.
///
/// Names are those of the layers in sequence, `features.0` to `classifier.6`. Weights converted from Caffe want
/// their first layer and preprocessing rewritten to red, green, blue in 0..1, normalised.
pub(super) fn alexnet() -> Backbone {
    let (mut net, x) = Graph::new();
    let one = Init::KaimingNormal { bias: 0.0 };
    let x = net.conv("features.0", x, Conv2d::new(3, 96, 11).stride(4).init(one));
    let x = net.relu("features.1", x);
    let x = net.local_response_norm("features.2", x, LRN);
    let x = net.max_pool("features.3", x, CAFFE_POOL);
    let x = net.conv("features.4", x, Conv2d::new(96, 256, 5).padding(2).groups(2).init(one));
    let x = net.relu("features.5", x);
    let x = net.local_response_norm("features.6", x, LRN);
    let x = net.max_pool("features.7", x, CAFFE_POOL);
    let x = net.conv("features.8", x, Conv2d::new(256, 384, 3).padding(1).init(one));
    let x = net.relu("features.9", x);
    let x = net.conv("features.10", x, Conv2d::new(384, 384, 3).padding(1).groups(2).init(one));
    let x = net.relu("features.11", x);
    let x = net.conv("features.12", x, Conv2d::new(384, 256, 3).padding(1).groups(2).init(one));
    let x = net.relu("features.13", x);
    let x = net.max_pool("features.14", x, CAFFE_POOL);
    let x = flatten(&mut net, x);
    let x = linear(&mut net, "classifier.0", x, FEATURES);
    let x = net.relu("classifier.1", x);
    let x = net.dropout("classifier.2", x, 0.5);
    let x = linear(&mut net, "classifier.3", x, HIDDEN);
    let embedding = net.relu("classifier.4", x);
    let x = net.dropout("classifier.5", embedding, 0.5);
    let head = head(&mut net, x);
    Backbone {
        name: "alexnet",
        source: "Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, 2012",
        default_image_size: 227,
        min_image_size: 55,
        layers: net.layers(),
        embedding,
        embedding_dim: HIDDEN,
        projection: None,
        head,
    }
}

/// torchvision's `alexnet`: Krizhevsky, *One weird trick for parallelizing convolutional neural networks*, 2014;
/// narrower, without groups and without local response normalisation.
pub(super) fn alexnet_owt() -> Backbone {
    let (mut net, x) = Graph::new();
    let x = net.conv("features.0", x, Conv2d::new(3, 64, 11).stride(4).padding(2));
    let x = net.relu("features.1", x);
    let x = net.max_pool("features.2", x, POOL);
    let x = net.conv("features.3", x, Conv2d::new(64, 192, 5).padding(2));
    let x = net.relu("features.4", x);
    let x = net.max_pool("features.5", x, POOL);
    let x = net.conv("features.6", x, Conv2d::new(192, 384, 3).padding(1));
    let x = net.relu("features.7", x);
    let x = net.conv("features.8", x, Conv2d::new(384, 256, 3).padding(1));
    let x = net.relu("features.9", x);
    let x = net.conv("features.10", x, Conv2d::new(256, 256, 3).padding(1));
    let x = net.relu("features.11", x);
    let x = net.max_pool("features.12", x, POOL);
    let x = flatten(&mut net, x);
    let x = net.dropout("classifier.0", x, 0.5);
    let x = linear(&mut net, "classifier.1", x, FEATURES);
    let x = net.relu("classifier.2", x);
    let x = net.dropout("classifier.3", x, 0.5);
    let x = linear(&mut net, "classifier.4", x, HIDDEN);
    let embedding = net.relu("classifier.5", x);
    let head = head(&mut net, embedding);
    Backbone {
        name: "alexnet_owt",
        source: "Krizhevsky: One weird trick for parallelizing convolutional neural networks, 2014",
        default_image_size: 224,
        min_image_size: 63,
        layers: net.layers(),
        embedding,
        embedding_dim: HIDDEN,
        projection: None,
        head,
    }
}

fn flatten(net: &mut Graph, x: LayerId) -> LayerId {
    let x = net.avg_pool_to("avgpool", x, GRID);
    net.flatten("flatten", x)
}

fn linear(net: &mut Graph, name: &str, x: LayerId, input: usize) -> LayerId {
    net.linear(name, x, input, Width::Fixed(HIDDEN), Init::KaimingNormal { bias: 0.0 })
}

fn head(net: &mut Graph, x: LayerId) -> LayerId {
    net.linear("classifier.6", x, HIDDEN, Width::Classes, Init::Normal { std: 0.01 })
}
