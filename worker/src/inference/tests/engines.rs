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

/// Gives its pictures in batches of these lengths, then nothing more.
struct Batches<'a> {
    pictures: &'a Pictures,
    lengths: std::slice::Iter<'a, usize>,
    given: usize,
    answers: Vec<Answers>,
}

impl<'a> Batches<'a> {
    fn new(pictures: &'a Pictures, lengths: &'a [usize]) -> Self {
        Self { pictures, lengths: lengths.iter(), given: 0, answers: Vec::new() }
    }
}

impl Feed for Batches<'_> {
    fn next(&mut self, most: usize) -> Option<Pictures> {
        let length = *self.lengths.next()?;
        assert!(length <= most, "a batch of {length} was given where {most} fit");
        let next = self.pictures.slice(self.given, length);
        self.given += length;
        Some(next)
    }

    fn answer(&mut self, answers: Answers) {
        self.answers.push(answers);
    }
}

#[test]
fn engines_answer_in_order_whatever_the_batches_are() {
    let (spec, pictures) = model("squeezenet1_1", 64);
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(OpenVinoEngine::load(&spec, Arithmetic::F32).unwrap()),
        Box::new(TorchEngine::load(&spec, Device::Cpu).unwrap()),
    ];
    for mut engine in engines {
        let name = engine.describe().engine;
        let all = engine.embed(&pictures).unwrap();
        assert_eq!(all.len(), COUNT, "{name}");
        // Full and other batches in turn; the last ones of a feed that ends early are answered, too.
        for lengths in [&[4, 1, 4, 3, 4, 4, 1][..], &[1, 2, 4], &[4; 5], &[]] {
            let mut feed = Batches::new(&pictures, lengths);
            engine.run(&mut feed).unwrap();
            let mut picture = 0;
            for answers in &feed.answers {
                for answer in 0..answers.len() {
                    let agreement = cosine(answers.embedding(answer), all.embedding(picture));
                    assert!(agreement > 0.9999, "{name}, {lengths:?}: picture {picture}: {agreement}");
                    picture += 1;
                }
            }
            assert_eq!(picture, lengths.iter().sum::<usize>(), "{name}");
        }
    }
}

#[test]
fn an_engine_that_failed_has_nothing_under_way() {
    /// A good batch, then pictures of another size.
    struct Bad<'a>(Vec<&'a Pictures>);
    impl Feed for Bad<'_> {
        fn next(&mut self, _: usize) -> Option<Pictures> {
            self.0.pop().cloned()
        }

        fn answer(&mut self, _: Answers) {}
    }
    let (spec, pictures) = model("squeezenet1_1", 64);
    let mut engine = OpenVinoEngine::load(&spec, Arithmetic::F32).unwrap();
    let all = engine.embed(&pictures).unwrap();
    let other = Pictures::new(40, vec![0; 40 * 40 * 3]).unwrap();
    let failed = engine.run(&mut Bad(vec![&other, &pictures.slice(0, 4)])).unwrap_err();
    assert!(matches!(failed, EngineError::OtherSize { found: 40, expected: 64 }), "{failed}");
    let again = engine.embed(&pictures).unwrap();
    for picture in 0..COUNT {
        assert!(cosine(again.embedding(picture), all.embedding(picture)) > 0.9999, "{picture}");
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

/// A worker that starts anew loads what one before it has chosen, with the sizes that it measured, and compares nothing.
#[tokio::test]
async fn what_was_chosen_before_is_loaded_as_it_was() {
    let (spec, pictures) = model("squeezenet1_1", 64);
    let options = Options { engine: EngineChoice::Auto, ..options(16) };
    let before = Inference::start(Device::Cpu, options).unwrap();
    let answers = before.embed(&spec, pictures.clone(), Priority::Bulk).await.unwrap();
    let info = before.prepare(&spec, Priority::Search).await.unwrap();
    // No machine measures such a rate.
    let proven = Proven {
        engine: info.engine.to_owned(),
        precision: info.precision.to_owned(),
        pictures_per_second: Some(0.25),
        tuning: info.tuning,
    };
    let known = Arc::new(ModelSpec { proven: Some(proven.clone()), ..(*spec).clone() });
    let after = Inference::start(Device::Cpu, options).unwrap();
    let again = after.embed(&known, pictures.clone(), Priority::Bulk).await.unwrap();
    let told = after.prepare(&known, Priority::Search).await.unwrap();
    assert_eq!(told, EngineInfo { pictures_per_second: Some(0.25), ..info });
    for picture in 0..COUNT {
        assert!(cosine(again.embedding(picture), answers.embedding(picture)) > 0.9999, "{picture}");
    }

    let unknown = Proven { engine: "none".to_owned(), ..proven };
    let unknown = Arc::new(ModelSpec { proven: Some(unknown), ..(*spec).clone() });
    let compared = Inference::start(Device::Cpu, options).unwrap();
    let compared = compared.prepare(&unknown, Priority::Search).await.unwrap();
    assert!(compared.pictures_per_second > Some(1.0), "what cannot be loaded is chosen anew: {compared:?}");
}
