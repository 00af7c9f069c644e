use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use lookalike_shared::config::EngineChoice;
use lookalike_shared::domain::backbone;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;
use tokio::task::yield_now;
use uuid::Uuid;

use super::*;
use crate::network::{Mode, Network, Normalisation, Pictures, unit_length};

mod engines;

const SIDE: usize = 32;
const CLASSES: usize = 5;

fn spec(backbone: &str, weights: Vec<u8>) -> Arc<ModelSpec> {
    Arc::new(ModelSpec {
        id: Uuid::now_v7(),
        backbone: backbone.to_owned(),
        embedding_dim: backbone::by_name(backbone).map_or(0, |backbone| backbone.embedding_dim),
        classes: CLASSES,
        image_size: SIDE,
        normalisation: Normalisation::default(),
        weights: Bytes::from(weights),
        proven: None,
    })
}

fn network(backbone: &str) -> Network {
    Network::new(backbone::by_name(backbone).unwrap(), CLASSES, 8, Device::Cpu).unwrap()
}

fn pictures(count: usize) -> Pictures {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let pixels: Vec<u8> = (0..count * SIDE * SIDE * 3).map(|_| rng.random()).collect();
    Pictures::new(SIDE, pixels).unwrap()
}

fn options(max_batch: usize) -> Options {
    Options { max_batch, engine: EngineChoice::Torch, ..Options::for_device(Device::Cpu) }
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4)
}

#[tokio::test]
async fn answers_are_those_of_the_network_in_order() {
    for name in ["resnet18", "squeezenet1_1"] {
        let network = network(name);
        let spec = spec(name, network.save().unwrap());
        let pictures = pictures(7);
        let inference = Inference::start(Device::Cpu, options(3)).unwrap();
        let answers = inference.embed(&spec, pictures.clone(), Priority::Bulk).await.unwrap();
        assert_eq!((answers.len(), answers.dimensions()), (7, 512));

        let batch = spec.normalisation.tensor(&pictures.pixels(), SIDE, Device::Cpu).unwrap();
        let output = network.forward(&batch, Mode::Eval).unwrap();
        let probabilities: Vec<Vec<f32>> = Vec::try_from(output.logits.softmax(1, tch::Kind::Float)).unwrap();
        let embeddings: Vec<Vec<f32>> = Vec::try_from(unit_length(&output.embedding).unwrap()).unwrap();
        for picture in 0..7 {
            assert!(close(answers.probabilities(picture), &probabilities[picture]), "{name} {picture}");
            assert!(close(answers.embedding(picture), &embeddings[picture]), "{name} {picture}");
            let class = answers.class(picture);
            assert!(probabilities[picture].iter().all(|p| *p <= probabilities[picture][class] + 1e-4));
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_and_the_thread_goes_on() {
    let inference = Inference::start(Device::Cpu, options(2)).unwrap();
    let good = spec("squeezenet1_1", network("squeezenet1_1").save().unwrap());
    let ask = async |model: &Arc<ModelSpec>, pictures: Pictures| {
        inference.embed(model, pictures, Priority::Search).await.map_err(|error| error.to_string())
    };
    let large = Pictures::new(40, vec![0; 40 * 40 * 3]).unwrap();
    assert_eq!(
        ask(&good, large).await.unwrap_err(),
        "pictures of 40 pixels were given to a model that reads 32"
    );
    let damaged = spec("squeezenet1_1", b"nothing".to_vec());
    assert!(ask(&damaged, pictures(1)).await.unwrap_err().starts_with("the weights are not a readable"));
    let unknown = spec("vgg15", Vec::new());
    assert!(ask(&unknown, pictures(1)).await.unwrap_err().starts_with("unknown backbone"));
    let other = Arc::new(ModelSpec { id: Uuid::now_v7(), classes: 6, ..(*good).clone() });
    assert_eq!(
        ask(&other, pictures(1)).await.unwrap_err(),
        "the weights tell 5 classes apart, the model has 6"
    );
    assert_eq!(ask(&good, pictures(1)).await.unwrap().len(), 1);
    assert_eq!(ask(&good, pictures(0)).await.unwrap().len(), 0);
    let info = inference.prepare(&good, Priority::Search).await.unwrap();
    assert_eq!((info.engine, &*info.device, info.dimensions), ("torch", "cpu", 512));
}

/// An engine that answers pictures with their first byte, writes down the batches it gets, and waits for leave before
/// each of them except the first, which is the warm-up.
struct Slow {
    batches: Arc<Mutex<Vec<Vec<u8>>>>,
    started: mpsc::Sender<()>,
    leave: mpsc::Receiver<()>,
    warm: bool,
}

impl Slow {
    fn forward(&mut self, pictures: &Pictures) -> Result<Answers, EngineError> {
        let firsts: Vec<u8> = (0..pictures.len()).map(|picture| pictures.get(picture)[0]).collect();
        if self.warm {
            self.batches.lock().unwrap().push(firsts.clone());
            self.started.send(()).unwrap();
            self.leave.recv().unwrap();
        }
        self.warm = true;
        assert!(!firsts.contains(&13), "unlucky");
        if firsts.contains(&14) {
            return Err(EngineError::OtherSize { found: 14, expected: SIDE });
        }
        let values: Vec<f32> = firsts.into_iter().map(f32::from).collect();
        Ok(Answers::new(1, 1, values.clone(), values))
    }
}

impl Engine for Slow {
    fn run(&mut self, feed: &mut dyn Feed) -> Result<(), EngineError> {
        while let Some(pictures) = feed.next(usize::MAX) {
            feed.answer(self.forward(&pictures)?);
        }
        Ok(())
    }

    fn describe(&self) -> EngineInfo {
        EngineInfo {
            engine: "slow",
            precision: "none",
            device: "cpu".to_owned(),
            backbone: "none".to_owned(),
            classes: 1,
            dimensions: 1,
            image_size: SIDE,
            pictures_per_second: None,
            reason: None,
            tuning: None,
        }
    }
}

/// An inference thread with slow engines, and what its test holds of them.
struct Stage {
    inference: Inference,
    batches: Arc<Mutex<Vec<Vec<u8>>>>,
    started: mpsc::Receiver<()>,
    leave: mpsc::Sender<()>,
    loads: Arc<AtomicUsize>,
}

impl Stage {
    /// Only the first model loaded can be used; later loads find its channels taken and fail.
    fn new(max_batch: usize) -> Self {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let (started_sender, started) = mpsc::channel();
        let (leave, leave_receiver) = mpsc::channel();
        let loads = Arc::new(AtomicUsize::new(0));
        let engine = Slow {
            batches: Arc::clone(&batches),
            started: started_sender,
            leave: leave_receiver,
            warm: false,
        };
        let engine = Mutex::new(Some(engine));
        let counted = Arc::clone(&loads);
        let inference = Inference::with_engines(options(max_batch), move |spec| {
            counted.fetch_add(1, Ordering::SeqCst);
            let engine = engine.lock().unwrap().take();
            match engine {
                Some(engine) => Ok(Box::new(engine)),
                None => Err(EngineError::OtherClasses { weights: 0, model: spec.classes }),
            }
        })
        .unwrap();
        Self { inference, batches, started, leave, loads }
    }

    /// Sends a request and lets it reach the queue.
    async fn ask(
        &self,
        model: &Arc<ModelSpec>,
        firsts: &[u8],
        priority: Priority,
    ) -> tokio::task::JoinHandle<Result<Answers, InferenceError>> {
        let (inference, model) = (self.inference.clone(), Arc::clone(model));
        let pixels = firsts.iter().flat_map(|first| vec![*first; SIDE * SIDE * 3]).collect::<Vec<u8>>();
        let pictures = Pictures::new(SIDE, pixels).unwrap();
        let asked = tokio::spawn(async move { inference.embed(&model, pictures, priority).await });
        yield_now().await;
        asked
    }

    /// Waits until a batch is at work.
    fn wait(&self) {
        self.started.recv().unwrap();
    }

    /// Lets the batch at work go on.
    fn go_on(&self) {
        self.leave.send(()).unwrap();
    }
}

#[tokio::test]
async fn searches_go_before_bulk_work_and_share_a_batch() {
    let stage = Stage::new(4);
    let model = spec("none", Vec::new());
    let bulk = stage.ask(&model, &[1, 2, 3, 4, 5, 6], Priority::Bulk).await;
    stage.wait();
    let searches = [
        stage.ask(&model, &[7], Priority::Search).await,
        stage.ask(&model, &[8, 9], Priority::Search).await,
        stage.ask(&model, &[10, 11], Priority::Search).await,
    ];
    stage.go_on();
    for _ in 0..3 {
        stage.wait();
        stage.go_on();
    }
    let found: Vec<Vec<f32>> = {
        let mut found = Vec::new();
        for search in searches {
            let answers = search.await.unwrap().unwrap();
            found.push((0..answers.len()).map(|picture| answers.embedding(picture)[0]).collect());
        }
        found
    };
    assert_eq!(found, [vec![7.0], vec![8.0, 9.0], vec![10.0, 11.0]]);
    assert_eq!(bulk.await.unwrap().unwrap().len(), 6);
    // The third search did not fit into the batch of the first two.
    let batches = stage.batches.lock().unwrap().clone();
    assert_eq!(batches, [vec![1, 2, 3, 4], vec![7, 8, 9], vec![10, 11], vec![5, 6]]);
}

#[tokio::test]
async fn bulk_requests_share_batches_and_each_gets_its_own_answers() {
    let stage = Stage::new(4);
    let model = spec("none", Vec::new());
    let first = stage.ask(&model, &[1, 2, 3, 4, 5, 6], Priority::Bulk).await;
    stage.wait();
    let second = stage.ask(&model, &[7, 8, 9], Priority::Bulk).await;
    let withdrawn = stage.ask(&model, &[10], Priority::Bulk).await;
    withdrawn.abort();
    assert!(withdrawn.await.unwrap_err().is_cancelled());
    stage.go_on();
    for _ in 0..2 {
        stage.wait();
        stage.go_on();
    }
    for (asked, expected) in [(first, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]), (second, &[7.0, 8.0, 9.0])] {
        let answers = asked.await.unwrap().unwrap();
        let found: Vec<f32> = (0..answers.len()).map(|picture| answers.embedding(picture)[0]).collect();
        assert_eq!(found, expected);
    }
    let batches = stage.batches.lock().unwrap().clone();
    assert_eq!(batches, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]);
}

#[tokio::test]
async fn a_request_for_another_model_ends_what_goes_together_and_comes_next() {
    let stage = Stage::new(4);
    let (model, other) = (spec("none", Vec::new()), spec("none", Vec::new()));
    let first = stage.ask(&model, &[1, 2], Priority::Bulk).await;
    stage.wait();
    let another = stage.ask(&other, &[3], Priority::Bulk).await;
    let last = stage.ask(&model, &[4], Priority::Bulk).await;
    stage.go_on();
    stage.wait();
    stage.go_on();
    assert!(first.await.unwrap().is_ok() && last.await.unwrap().is_ok());
    // No second model can be loaded here; it was tried between the two.
    assert!(another.await.unwrap().unwrap_err().to_string().starts_with("the weights tell"));
    assert_eq!(*stage.batches.lock().unwrap(), [vec![1, 2], vec![4]]);
}

#[tokio::test]
async fn none_of_those_that_share_a_batch_pays_for_another() {
    for priority in [Priority::Search, Priority::Bulk] {
        let stage = Stage::new(4);
        let model = spec("none", Vec::new());
        let busy = stage.ask(&model, &[1], priority).await;
        stage.wait();
        let good = stage.ask(&model, &[2], priority).await;
        let bad = stage.ask(&model, &[14], priority).await;
        // The first, the shared one, and each alone.
        for _ in 0..3 {
            stage.go_on();
            stage.wait();
        }
        stage.go_on();
        assert!(busy.await.unwrap().is_ok() && good.await.unwrap().is_ok());
        assert!(bad.await.unwrap().unwrap_err().to_string().starts_with("pictures of 14"));
        assert_eq!(*stage.batches.lock().unwrap(), [vec![1], vec![2, 14], vec![2], vec![14]]);
    }
}

#[tokio::test]
async fn a_withdrawn_request_is_not_worked_on() {
    let stage = Stage::new(4);
    let model = spec("none", Vec::new());
    let first = stage.ask(&model, &[1], Priority::Search).await;
    stage.wait();
    let withdrawn = stage.ask(&model, &[2], Priority::Search).await;
    let last = stage.ask(&model, &[3], Priority::Search).await;
    withdrawn.abort();
    assert!(withdrawn.await.unwrap_err().is_cancelled());
    stage.go_on();
    stage.wait();
    stage.go_on();
    assert!(first.await.unwrap().is_ok() && last.await.unwrap().is_ok());
    assert_eq!(*stage.batches.lock().unwrap(), [[1], [3]]);
}

#[tokio::test]
async fn a_panic_fails_its_own_request_and_the_model_is_loaded_anew() {
    let stage = Stage::new(4);
    let model = spec("none", Vec::new());
    let unlucky = stage.ask(&model, &[13], Priority::Search).await;
    stage.wait();
    stage.go_on();
    assert_eq!(unlucky.await.unwrap().unwrap_err().to_string(), "the engine panicked: unlucky");
    let again = stage.ask(&model, &[1], Priority::Search).await.await.unwrap().unwrap_err();
    assert!(again.to_string().starts_with("the weights tell"), "{again}");
    assert_eq!(stage.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_model_used_least_recently_leaves() {
    let loaded = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&loaded);
    let options = Options { max_models: 2, ..options(2) };
    let inference = Inference::with_engines(options, move |spec| {
        seen.lock().unwrap().push(spec.id);
        Ok(Box::new(TorchEngine::load(spec, Device::Cpu)?))
    })
    .unwrap();
    let weights = network("squeezenet1_1").save().unwrap();
    let models: Vec<Arc<ModelSpec>> = (0..3).map(|_| spec("squeezenet1_1", weights.clone())).collect();
    for index in [0, 1, 0, 2, 0, 1] {
        inference.prepare(&models[index], Priority::Bulk).await.unwrap();
    }
    let expected: Vec<Uuid> = [0, 1, 2, 1].into_iter().map(|index| models[index].id).collect();
    assert_eq!(*loaded.lock().unwrap(), expected);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_thread() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let inference = Inference::with_engines(options(2), move |spec| {
        let _held = &held;
        Ok(Box::new(TorchEngine::load(spec, Device::Cpu)?))
    })
    .unwrap();
    let second = inference.clone();
    drop(inference);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(second);
    assert_eq!(Arc::strong_count(&alive), 1);
}
