//! Embeddings of a chosen length.

use super::*;

const DIM: usize = 24;

fn projected(name: &str) -> Network {
    Network::new(backbone::variant(name, DIM).unwrap(), CLASSES, 4, CPU).unwrap()
}

#[test]
fn a_projected_network_answers_with_embeddings_of_that_length_in_one_part_and_in_two() {
    for name in backbone::names() {
        let network = projected(name);
        let pictures = uniform(&[2, 3, 67, 67], -2.0, 2.0, 40);
        let whole = network.forward(&pictures, Mode::Eval).unwrap();
        assert_eq!(whole.embedding.size(), [2, DIM as i64], "{name}");
        let features = network.before_head(&pictures).unwrap();
        assert_eq!(network.head(&features, Mode::Eval).unwrap(), whole.logits, "{name}");
        let folded = network.folded().unwrap().forward(&pictures, Mode::Eval).unwrap();
        assert!(difference(&folded.embedding, &whole.embedding) < 1e-4, "{name}");
    }
}

#[test]
fn the_projection_of_a_mean_is_the_mean_of_the_projections() {
    for name in ["squeezenet1_1", "resnet18"] {
        let plain = network(name);
        let mut projected = projected(name);
        projected.load(&plain.save().unwrap()).unwrap();
        let pictures = uniform(&[2, 3, 67, 67], -2.0, 2.0, 41);
        let own = plain.forward(&pictures, Mode::Eval).unwrap().embedding;
        let layer = projected.backbone().projection.unwrap();
        let [weight, bias] = projected.tensors().of_layer(layer.index()) else { panic!("two tensors") };
        let expected = own.linear(&weight.tensor.view([DIM as i64, -1]), Some(&bias.tensor));
        let found = projected.forward(&pictures, Mode::Eval).unwrap().embedding;
        assert!(difference(&found, &expected) < 1e-4, "{name}");
    }
}

#[test]
fn weights_without_a_projection_leave_projection_and_head_as_they_start() {
    for name in ["squeezenet1_1", "mobilenet_v2"] {
        let plain = network(name);
        let mut network = projected(name);
        let fresh = projected(name);
        let loaded = network.load(&plain.save().unwrap()).unwrap();
        assert_eq!(loaded, LoadReport { classes: Some(CLASSES), projection: false, head: false });
        let of_plain: std::collections::HashMap<&str, &Tensor> = plain.tensors().named().collect();
        let of_fresh: std::collections::HashMap<&str, &Tensor> = fresh.tensors().named().collect();
        for named in network.tensors().iter() {
            let layer = named.parameter.layer;
            let own = layer == network.backbone().head || Some(layer) == network.backbone().projection;
            let expected = if own { &of_fresh } else { &of_plain };
            assert_eq!(&named.tensor, expected[&*named.parameter.name], "{name} {}", named.parameter.name);
        }
    }
}

#[test]
fn projected_weights_load_into_their_variant_and_into_the_plain_network() {
    let saved = projected("resnet18");
    let bytes = saved.save().unwrap();
    let read = Network::from_weights(backbone::variant("resnet18", DIM).unwrap(), &bytes, CPU).unwrap();
    assert_eq!(read.save().unwrap(), bytes);
    let loaded = network("resnet18").load(&bytes).unwrap();
    assert_eq!(loaded, LoadReport { classes: Some(CLASSES), projection: false, head: false });
    assert!(Network::from_weights(backbone::by_name("resnet18").unwrap(), &bytes, CPU).is_err());
}

#[test]
fn a_projection_learns_beside_a_frozen_backbone() {
    for name in ["squeezenet1_1", "resnet18"] {
        let mut network = projected(name);
        network.freeze(Freeze::Backbone).unwrap();
        let learnt: Vec<&str> = network.learnt().map(|named| &*named.parameter.name).collect();
        assert_eq!(learnt.len(), 4, "{learnt:?}");
        let features = network.before_head(&uniform(&[3, 3, 67, 67], -2.0, 2.0, 42)).unwrap();
        let logits = network.head(&features, training(&mut rng(2))).unwrap();
        logits.log_softmax(-1, Kind::Float).select(1, 0).sum(Kind::Float).backward();
        assert!(network.learnt().all(|named| largest(&named.tensor.grad()) > 0.0), "{name}");
    }
}
