use super::*;

fn header(backbone: &Backbone, classes: usize) -> Vec<TensorInfo> {
    let info = |p: Parameter| TensorInfo { name: p.name, dtype: "F32".to_owned(), shape: p.shape };
    backbone.parameters(classes).into_iter().map(info).collect()
}

#[test]
fn an_unknown_name_lists_the_accepted_ones() {
    let message = by_name("vgg16").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown backbone \"vgg16\", one of alexnet, alexnet_owt, squeezenet1_1, mobilenet_v2, resnet18 expected"
    );
    assert_eq!(by_name("resnet18").unwrap().name, "resnet18");
}

/// Totals that torchvision's documentation gives for 1000 classes, plus the running statistics, which it does not
/// count. 60 965 224 is the usual figure for Caffe's AlexNet.
#[test]
fn parameters_number_as_published() {
    let learnt = |name: &str| -> usize {
        let parameters = by_name(name).unwrap().parameters(1000);
        parameters.iter().filter(|p| p.kind.is_learnt()).map(Parameter::len).sum()
    };
    assert_eq!(learnt("alexnet"), 60_965_224);
    assert_eq!(learnt("alexnet_owt"), 61_100_840);
    assert_eq!(learnt("squeezenet1_1"), 1_235_496);
    assert_eq!(learnt("mobilenet_v2"), 3_504_872);
    assert_eq!(learnt("resnet18"), 11_689_512);
}

#[test]
fn every_layer_reads_earlier_layers_and_has_its_own_name() {
    for backbone in all() {
        let mut names = std::collections::HashSet::new();
        for (index, layer) in backbone.layers.iter().enumerate() {
            assert!(
                layer.inputs.iter().all(|input| input.index() < index),
                "{} {}",
                backbone.name,
                layer.name
            );
            assert!(names.insert(&layer.name), "{} has two layers `{}`", backbone.name, layer.name);
        }
    }
}

#[test]
fn embedding_and_logits_have_the_announced_shapes_at_the_smallest_and_the_usual_size() {
    for backbone in all() {
        for size in [backbone.min_image_size, backbone.default_image_size] {
            let shapes = backbone.shapes(size, 7).unwrap();
            assert_eq!(
                shapes[backbone.embedding.index()],
                Shape::Vector(backbone.embedding_dim),
                "{}",
                backbone.name
            );
            assert_eq!(shapes[backbone.logits().index()], Shape::Vector(7), "{}", backbone.name);
        }
    }
}

#[test]
fn the_first_maps_of_alexnet_are_those_of_the_paper() {
    let alexnet = by_name("alexnet").unwrap();
    let shapes = alexnet.shapes(227, 1000).unwrap();
    let side = |name: &str| {
        let index = alexnet.layers.iter().position(|layer| layer.name == name).unwrap();
        shapes[index]
    };
    assert_eq!(side("features.0"), Shape::Map { channels: 96, side: 55 });
    assert_eq!(side("features.4"), Shape::Map { channels: 256, side: 27 });
    assert_eq!(side("features.12"), Shape::Map { channels: 256, side: 13 });
    assert_eq!(side("features.14"), Shape::Map { channels: 256, side: 6 });
}

#[test]
fn too_small_pictures_are_refused_with_the_limit() {
    let error = by_name("alexnet").unwrap().shapes(54, 2).unwrap_err();
    assert_eq!(error.to_string(), "image size 54 is too small for alexnet, which needs at least 55");
}

#[test]
fn a_complete_file_fits_and_tells_its_classes() {
    for backbone in all() {
        let report = backbone.check_import(&header(backbone, 37)).unwrap();
        assert_eq!(report.classes, 37, "{}", backbone.name);
        assert_eq!(report.values, backbone.parameter_count(37));
    }
}

#[test]
fn counters_of_batches_are_ignored() {
    let resnet = by_name("resnet18").unwrap();
    let mut tensors = header(resnet, 10);
    let counter = "bn1.num_batches_tracked".to_owned();
    tensors.push(TensorInfo { name: counter, dtype: "I64".to_owned(), shape: Vec::new() });
    assert_eq!(resnet.check_import(&tensors).unwrap().tensors, tensors.len() - 1);
}

#[test]
fn every_mismatch_is_listed_by_name() {
    let resnet = by_name("resnet18").unwrap();
    let mut tensors = header(resnet, 10);
    tensors.retain(|tensor| tensor.name != "bn1.weight");
    tensors[0].shape = vec![64, 3, 3, 3];
    tensors[1].dtype = "I8".to_owned();
    tensors.push(TensorInfo { name: "extra".to_owned(), dtype: "F32".to_owned(), shape: vec![1] });
    let messages: Vec<String> =
        resnet.check_import(&tensors).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "`conv1.weight` is [64, 3, 3, 3], expected [64, 3, 7, 7]",
            "`bn1.weight` [64] is missing",
            "`bn1.bias` is I8, expected one of F32, F16, BF16",
            "`extra` is not part of this backbone",
        ]
    );
}

#[test]
fn a_file_without_a_head_reports_the_head() {
    let squeezenet = by_name("squeezenet1_1").unwrap();
    let mut tensors = header(squeezenet, 10);
    tensors.retain(|tensor| !tensor.name.starts_with("classifier"));
    let mismatches = squeezenet.check_import(&tensors).unwrap_err();
    assert_eq!(
        mismatches,
        [
            Mismatch::Missing { name: "classifier.1.weight".to_owned(), shape: vec![1, 512, 1, 1] },
            Mismatch::Missing { name: "classifier.1.bias".to_owned(), shape: vec![1] },
        ]
    );
}

#[test]
fn folding_leaves_no_batch_norm_and_the_same_shapes() {
    for backbone in all() {
        let folding = backbone.folded();
        let norms =
            |layers: &[Layer]| layers.iter().filter(|layer| matches!(layer.op, Op::BatchNorm2d(_))).count();
        assert_eq!(norms(&folding.backbone.layers), 0, "{}", backbone.name);
        assert_eq!(folding.merged.len(), norms(&backbone.layers), "{}", backbone.name);
        let shapes = folding.backbone.shapes(backbone.default_image_size, 9).unwrap();
        assert_eq!(shapes[folding.backbone.embedding.index()], Shape::Vector(backbone.embedding_dim));
        assert_eq!(shapes[folding.backbone.logits().index()], Shape::Vector(9));
    }
}
