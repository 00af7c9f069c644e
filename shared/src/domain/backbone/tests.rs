use super::*;

fn header(backbone: &Backbone, classes: usize) -> Vec<TensorInfo> {
    let info = |p: Parameter| TensorInfo { name: p.name, dtype: "F32".to_owned(), shape: p.shape };
    backbone.parameters(classes).into_iter().map(info).collect()
}

#[test]
fn an_unknown_name_lists_the_accepted_ones() {
    let message = by_name("vgg19").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown backbone \"vgg19\", one of alexnet, alexnet_owt, squeezenet1_0, squeezenet1_1, mobilenet_v2, \
         efficientnet_b0, resnet18, resnet34, resnet50, densenet121, vgg16 expected"
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
    assert_eq!(learnt("squeezenet1_0"), 1_248_424);
    assert_eq!(learnt("squeezenet1_1"), 1_235_496);
    assert_eq!(learnt("mobilenet_v2"), 3_504_872);
    assert_eq!(learnt("efficientnet_b0"), 5_288_548);
    assert_eq!(learnt("resnet18"), 11_689_512);
    assert_eq!(learnt("resnet34"), 21_797_672);
    assert_eq!(learnt("resnet50"), 25_557_032);
    assert_eq!(learnt("densenet121"), 7_978_856);
    assert_eq!(learnt("vgg16"), 138_357_544);
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
fn folding_leaves_only_batch_norms_that_no_convolution_feeds_and_the_same_shapes() {
    for backbone in all() {
        let folding = backbone.folded();
        let norms =
            |layers: &[Layer]| layers.iter().filter(|layer| matches!(layer.op, Op::BatchNorm2d(_))).count();
        let left = norms(&folding.backbone.layers);
        // A dense layer begins with a batch norm of all that came before it; so do transitions and the end.
        assert_eq!(left, if backbone.name == "densenet121" { 58 + 3 + 1 } else { 0 }, "{}", backbone.name);
        assert_eq!(folding.merged.len(), norms(&backbone.layers) - left, "{}", backbone.name);
        let shapes = folding.backbone.shapes(backbone.default_image_size, 9).unwrap();
        assert_eq!(shapes[folding.backbone.embedding.index()], Shape::Vector(backbone.embedding_dim));
        assert_eq!(shapes[folding.backbone.logits().index()], Shape::Vector(9));
    }
}

#[test]
fn a_variant_has_embeddings_of_the_length_asked_for_and_one_layer_more() {
    for backbone in all() {
        let variant = backbone.with_embedding_dim(96).unwrap();
        assert_eq!(variant.layers.len(), backbone.layers.len() + 1, "{}", backbone.name);
        let shapes = variant.shapes(backbone.min_image_size, 7).unwrap();
        assert_eq!(shapes[variant.embedding.index()], Shape::Vector(96), "{}", backbone.name);
        assert_eq!(shapes[variant.logits().index()], Shape::Vector(7), "{}", backbone.name);
        let projection = variant.projection.unwrap();
        assert_eq!((&*variant.layer(projection).name, variant.features()), ("projection", projection));
        let own = |backbone: &Backbone| backbone.parameters(7).len();
        assert_eq!(own(variant), own(backbone) + 2, "{}", backbone.name);
        let folded = variant.folded().backbone;
        assert_eq!(&*folded.layer(folded.projection.unwrap()).name, "projection");
    }
}

#[test]
fn variants_are_made_once_and_a_backbone_is_the_variant_of_its_own_length() {
    let resnet = by_name("resnet18").unwrap();
    let small = variant("resnet18", 64).unwrap();
    assert!(std::ptr::eq(small, resnet.with_embedding_dim(64).unwrap()));
    assert!(std::ptr::eq(small, variant("resnet18", 128).unwrap().with_embedding_dim(64).unwrap()));
    assert!(std::ptr::eq(resnet, small.with_embedding_dim(512).unwrap()));
    for (dim, good) in [(7, false), (8, true), (4096, true), (4097, false)] {
        assert_eq!(resnet.with_embedding_dim(dim).is_ok(), good);
    }
    let refused = variant("resnet18", 7).unwrap_err().to_string();
    assert_eq!(refused, "embedding_dim 7 is out of range, 8 to 4096 expected");
    assert!(variant("resnet19", 64).unwrap_err().to_string().starts_with("unknown backbone"));
}

#[test]
fn the_projection_in_a_file_tells_the_variant() {
    for backbone in all() {
        let variant = backbone.with_embedding_dim(32).unwrap();
        assert!(std::ptr::eq(backbone.variant_of(&header(variant, 3)), variant));
        assert!(std::ptr::eq(backbone.variant_of(&header(backbone, 3)), backbone));
        assert_eq!(variant.check_import(&header(variant, 3)).unwrap().classes, 3);
        assert!(backbone.check_import(&header(variant, 3)).is_err());
    }
    let resnet = by_name("resnet18").unwrap();
    let broken =
        [TensorInfo { name: "projection.weight".to_owned(), dtype: "F32".to_owned(), shape: vec![3] }];
    assert!(std::ptr::eq(resnet.variant_of(&broken), resnet));
}

#[test]
fn head_and_projection_of_a_file_are_taken_only_where_they_fit() {
    for plain in all() {
        let [short, long] = [32, 64].map(|dim| plain.with_embedding_dim(dim).unwrap());
        let report = |projection, head| LoadReport { classes: Some(3), projection, head };
        for (network, file, classes, expected) in [
            (plain, plain, 3, report(false, true)),
            (plain, plain, 4, report(false, false)),
            (plain, short, 3, report(false, false)),
            (short, plain, 3, report(false, false)),
            (short, short, 3, report(true, true)),
            (short, short, 4, report(true, false)),
            (short, long, 3, report(false, false)),
        ] {
            assert_eq!(network.check_load(&header(file, 3), classes).unwrap(), expected, "{}", plain.name);
        }
        let head = format!("{}.", plain.layer(plain.head).name);
        let mut headless = header(plain, 3);
        headless.retain(|tensor| !tensor.name.starts_with(&head));
        let expected = LoadReport { classes: None, projection: false, head: false };
        assert_eq!(short.check_load(&headless, 3).unwrap(), expected, "{}", plain.name);
        headless.remove(0);
        assert_eq!(short.check_load(&headless, 3).unwrap_err().len(), 1, "{}", plain.name);
    }
}
