//! OpenVINO against libtorch: the same weights must give the same answers.

use super::*;
use crate::network::Precision;

/// Sides at which pooling to a grid of cells is the identity, and at which it is not.
const MODELS: [(&str, usize); 8] = [
    ("alexnet", 127),
    ("alexnet_owt", 96),
    ("squeezenet1_1", 64),
    ("mobilenet_v2", 96),
    ("efficientnet_b0", 96),
    ("resnet18", 97),
    ("densenet121", 64),
    ("vgg16", 64),
];

/// More than the streams take at a time, and not a whole number of batches.
const COUNT: usize = 21;

fn model(backbone: &str, side: usize) -> (Arc<ModelSpec>, Pictures) {
    let spec = spec(backbone, network(backbone).save().unwrap());
    let spec = ModelSpec { image_size: side, ..(*spec).clone() };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let pixels: Vec<u8> = (0..COUNT * side * side * 3)
        .map(|at| (at / (side * 3) * 7 % 200) as u8 + rng.random_range(0..50))
        .collect();
    (Arc::new(spec), Pictures::new(side, pixels).unwrap())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn openvino_answers_as_libtorch_does() {
    let arithmetics = openvino::arithmetics().expect("deploy/local/bootstrap lays OpenVINO out");
    for (backbone, side) in MODELS {
        let (spec, pictures) = model(backbone, side);
        let expected = TorchEngine::load(&spec, Device::Cpu).unwrap().embed(&pictures).unwrap();
        for arithmetic in &arithmetics {
            let mut engine = OpenVinoEngine::load(&spec, *arithmetic).unwrap();
            let answers = engine.embed(&pictures).unwrap();
            assert_eq!((answers.len(), answers.dimensions()), (COUNT, expected.dimensions()));
            let (least, off) = match arithmetic {
                Arithmetic::F32 => (0.999_99, 1e-4),
                Arithmetic::Bf16 => (choice::AGREEMENT, 0.02),
            };
            for picture in 0..COUNT {
                let agreement = cosine(answers.embedding(picture), expected.embedding(picture));
                assert!(agreement >= least, "{backbone} {arithmetic:?} picture {picture}: {agreement}");
                let pairs = answers.probabilities(picture).iter().zip(expected.probabilities(picture));
                let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(furthest < off, "{backbone} {arithmetic:?} picture {picture}: {furthest}");
            }
        }
    }
}

/// As GPUs run networks where that agrees and is faster.
#[test]
fn libtorch_answers_in_bf16_as_it_does_in_f32() {
    const EVERY_OP: [&str; 4] = ["alexnet", "mobilenet_v2", "efficientnet_b0", "densenet121"];
    for (backbone, side) in MODELS.into_iter().filter(|(name, _)| EVERY_OP.contains(name)) {
        let (spec, pictures) = model(backbone, side);
        let expected = TorchEngine::load(&spec, Device::Cpu).unwrap().embed(&pictures).unwrap();
        let mut engine = TorchEngine::load_in(&spec, Device::Cpu, Precision::Bf16).unwrap();
        assert_eq!(engine.describe().precision, "bf16");
        let answers = engine.embed(&pictures).unwrap();
        for picture in 0..COUNT {
            let agreement = cosine(answers.embedding(picture), expected.embedding(picture));
            assert!(agreement >= choice::AGREEMENT, "{backbone} picture {picture}: {agreement}");
        }
    }
}

#[test]
fn a_picture_has_one_answer_whatever_stands_beside_it() {
    for arithmetic in openvino::arithmetics().unwrap() {
        let (spec, pictures) = model("mobilenet_v2", 96);
        let mut engine = OpenVinoEngine::load(&spec, arithmetic).unwrap();
        let all = engine.embed(&pictures).unwrap();
        for count in [1, 3, 8, 13, COUNT] {
            let some = engine.embed(&pictures.slice(COUNT - count, count)).unwrap();
            for picture in 0..count {
                let (found, expected) = (some.embedding(picture), all.embedding(COUNT - count + picture));
                let agreement = cosine(found, expected);
                assert!(agreement > 0.9999, "{arithmetic:?}: {count} pictures, {picture}: {agreement}");
            }
        }
    }
}

#[test]
fn an_engine_that_is_interrupted_has_answered_the_first_pictures() {
    const MOST: usize = 3;
    let (spec, pictures) = model("squeezenet1_1", 64);
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(OpenVinoEngine::load(&spec, Arithmetic::F32).unwrap()),
        Box::new(TorchEngine::load(&spec, Device::Cpu).unwrap()),
    ];
    for mut engine in engines {
        let name = engine.describe().engine;
        let all = engine.embed_until(&pictures, MOST, &|| false).unwrap();
        let some = engine.embed_until(&pictures, MOST, &|| true).unwrap();
        assert_eq!(all.len(), COUNT, "{name}");
        assert!((MOST..COUNT).contains(&some.len()), "{name}: {} pictures", some.len());
        for picture in 0..some.len() {
            assert!(cosine(some.embedding(picture), all.embedding(picture)) > 0.9999, "{name}: {picture}");
        }
        // What was under way is over: the next pictures get their own answers.
        let rest = engine.embed(&pictures.slice(some.len(), COUNT)).unwrap();
        for picture in 0..rest.len() {
            let agreement = cosine(rest.embedding(picture), all.embedding(some.len() + picture));
            assert!(agreement > 0.9999, "{name}: {picture} of the rest: {agreement}");
        }
    }
}

#[tokio::test]
async fn the_fastest_engine_is_chosen_and_shown() {
    let (spec, pictures) = model("squeezenet1_1", 64);
    let options = Options { engine: EngineChoice::Auto, ..options(16) };
    let inference = Inference::start(Device::Cpu, options).unwrap();
    assert!(inference.loaded().is_empty());
    let answers = inference.embed(&spec, pictures.clone(), Priority::Bulk).await.unwrap();
    assert_eq!(answers.len(), COUNT);
    let [loaded] = &inference.loaded()[..] else { panic!("one model was loaded") };
    assert_eq!(loaded.model, spec.id);
    assert!(loaded.engine.pictures_per_second > Some(0.0), "{loaded:?}");
    let json = serde_json::to_value(loaded).unwrap();
    assert!(json["reason"].is_string() && json["engine"].is_string(), "{json}");

    let wanted = Options { engine: EngineChoice::OpenVino, ..options };
    let inference = Inference::start(Device::Cpu, wanted).unwrap();
    assert_eq!(inference.prepare(&spec, Priority::Search).await.unwrap().engine, "openvino");
}
