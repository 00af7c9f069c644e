use std::ops::ControlFlow;

use lookalike_shared::domain::backbone;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::*;
use crate::network::{Network, Pictures};

/// Pictures of three classes that differ in colour and in the direction of their stripes, under noise.
fn striped(count: usize, side: usize, seed: u64) -> Labelled {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pixels = Vec::with_capacity(count * side * side * 3);
    let mut labels = Vec::with_capacity(count);
    for picture in 0..count {
        let class = picture % 3;
        let phase = rng.random_range(0..8);
        for (y, x) in (0..side * side).map(|at| (at / side, at % side)) {
            let along = [x, y, x + y][class];
            let bright = if (along + phase) / 4 % 2 == 0 { 150 } else { 60 };
            let tint = |channel: usize| if channel == class { 40 } else { 0 };
            pixels.extend([0, 1, 2].map(|channel| bright + tint(channel) + rng.random_range(0..40_u8)));
        }
        labels.push(class as u32);
    }
    Labelled { pictures: Pictures::new(side, pixels).unwrap(), labels }
}

fn dataset(train: usize, validation: usize) -> Dataset {
    Dataset::new(3, 32, striped(train, 37, 1), striped(validation, 37, 2)).unwrap()
}

fn config(epochs: u32) -> TrainConfig {
    TrainConfig { epochs, batch_size: 16, learning_rate: 0.02, ..TrainConfig::default() }
}

fn network(name: &str) -> Network {
    Network::new(backbone::by_name(name).unwrap(), 3, 1, Device::Cpu).unwrap()
}

/// Keeps every row and checkpoint; stops before batch `stop_at` of all batches, or after epoch `stop_after`.
#[derive(Default)]
struct Witness {
    rows: Vec<EpochRow>,
    checkpoints: Vec<Vec<u8>>,
    progress: Vec<Progress>,
    stop_at: Option<usize>,
    stop_after: Option<u32>,
    notes: Vec<String>,
    steps: Vec<StepRow>,
}

impl Observer for Witness {
    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        self.progress.push(progress);
        if self.stop_at == Some(self.progress.len()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn epoch(&mut self, row: &EpochRow, snapshot: &Snapshot<'_>) -> ControlFlow<()> {
        self.rows.push(row.clone());
        self.checkpoints.push(snapshot.checkpoint().unwrap());
        if self.stop_after == Some(row.epoch) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn step(&mut self, row: &StepRow) {
        self.steps.push(row.clone());
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) {
        self.checkpoints.push(snapshot.checkpoint().unwrap());
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

fn finished(outcome: Outcome) -> Metrics {
    match outcome {
        Outcome::Finished(metrics) => *metrics,
        Outcome::Stopped => panic!("the run was stopped"),
    }
}

/// Rows without what depends on the clock.
fn timeless(rows: &[EpochRow]) -> Vec<EpochRow> {
    let timeless = |row: &EpochRow| EpochRow {
        images_per_second: 0.0,
        seconds: 0.0,
        loader_wait_share: 0.0,
        preparing_seconds: 0.0,
        elapsed_seconds: 0.0,
        eta_seconds: 0.0,
        ..row.clone()
    };
    rows.iter().map(timeless).collect()
}

#[test]
fn a_network_learns_what_tells_classes_apart() {
    let mut network = network("resnet18");
    let mut witness = Witness::default();
    // On its way a network may be wrong for some epochs, and where depends on the processor; in the end it is right.
    let config = TrainConfig { early_stopping: None, ..config(16) };
    let metrics = finished(train(&mut network, &dataset(96, 30), &config, None, &mut witness).unwrap());
    assert!(metrics.validation_accuracy > 0.9, "{metrics:?}");
    assert!(metrics.precision_at.embedding.ten > 0.9 && metrics.precision_at.probabilities.one > 0.9);
    assert!(metrics.map.embedding > 0.9 && metrics.train_accuracy > 0.9);
    assert_eq!(metrics.confusion.iter().flatten().sum::<u32>(), 30);
    assert_eq!(metrics.per_class.iter().map(|class| class.pictures).sum::<u32>(), 30);
    assert_eq!((metrics.epochs, metrics.gallery), (witness.rows.len() as u32, 96));
    assert!(witness.rows[0].loss > witness.rows.last().unwrap().loss);
}

#[test]
fn a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one() {
    for (name, optimizer, freeze) in [
        ("squeezenet1_1", OptimizerKind::AdamW, FreezePolicy::None),
        ("squeezenet1_1", OptimizerKind::Sgd, FreezePolicy::Backbone),
        ("resnet18", OptimizerKind::Sgd, FreezePolicy::None),
    ] {
        let data = dataset(24, 9);
        let config = TrainConfig { optimizer, learning_rate: 1e-3, freeze, ..config(3) };
        let mut straight = network(name);
        let mut all = Witness::default();
        let expected = finished(train(&mut straight, &data, &config, None, &mut all).unwrap());

        let mut first = Witness { stop_after: Some(1), ..Witness::default() };
        let stopped = train(&mut network(name), &data, &config, None, &mut first).unwrap();
        assert_eq!(stopped, Outcome::Stopped);
        // What learns comes from the checkpoint, whatever the network holds; what is frozen must be there.
        let seed = if freeze == FreezePolicy::None { 77 } else { 1 };
        let mut resumed = Network::new(backbone::by_name(name).unwrap(), 3, seed, Device::Cpu).unwrap();
        let mut rest = Witness::default();
        let outcome = train(&mut resumed, &data, &config, Some(&first.checkpoints[0]), &mut rest).unwrap();
        let found = finished(outcome);

        assert_eq!(timeless(&rest.rows), timeless(&all.rows[1..]), "{name}");
        assert!(resumed.save().unwrap() == straight.save().unwrap(), "{name}: weights differ");
        let without_clock = |metrics: Metrics| Metrics { images_per_second: 0.0, seconds: 0.0, ..metrics };
        assert_eq!(without_clock(found), without_clock(expected), "{name}");
    }
}

#[test]
fn a_run_stopped_again_and_again_within_its_epochs_ends_bit_for_bit_the_same() {
    let data = dataset(40, 9);
    let augment =
        Augment { resized_crop: Some(0.5), color_jitter: 0.3, rand_augment: 5, mixup: 0.3, ..Augment::PAPER };
    // Each attempt ends before its so-many-th batch, of whatever kind.
    for (name, stop_at, config) in [
        (
            "squeezenet1_1",
            3,
            TrainConfig { optimizer: OptimizerKind::AdamW, ema_decay: 0.9, augment, ..config(3) },
        ),
        (
            "resnet18",
            3,
            TrainConfig {
                optimizer: OptimizerKind::AdamW,
                freeze: FreezePolicy::Gradual,
                gradient_clip: Some(1.0),
                ..config(3)
            },
        ),
        (
            "squeezenet1_1",
            10,
            TrainConfig { freeze: FreezePolicy::Backbone, best_by: BestBy::Map, ..config(3) },
        ),
    ] {
        let config = TrainConfig { learning_rate: 1e-3, label_smoothing: 0.1, ..config };
        let mut straight = network(name);
        let mut all = Witness::default();
        let expected = finished(train(&mut straight, &data, &config, None, &mut all).unwrap());

        let mut checkpoint: Option<Vec<u8>> = None;
        let mut rows = Vec::new();
        let mut stops = 0;
        let (found, resumed) = loop {
            let mut resumed = network(name);
            // Judging the finished model starts anew each time: it must be let through.
            let stop_at = (rows.len() < 3).then_some(stop_at);
            let mut witness = Witness { stop_at, ..Witness::default() };
            let outcome = train(&mut resumed, &data, &config, checkpoint.as_deref(), &mut witness).unwrap();
            rows.extend(witness.rows);
            if let Outcome::Finished(metrics) = outcome {
                break (*metrics, resumed);
            }
            stops += 1;
            checkpoint = witness.checkpoints.pop().or(checkpoint);
        };
        assert!(stops >= 3, "{name}: {stops}");
        assert_eq!(timeless(&rows), timeless(&all.rows), "{name}");
        assert!(resumed.save().unwrap() == straight.save().unwrap(), "{name}: weights differ");
        assert_eq!(found.validation_loss, expected.validation_loss, "{name}");
        assert_eq!((found.best_epoch, found.steps), (expected.best_epoch, expected.steps), "{name}");
    }
}

#[test]
fn gradual_freezing_lets_the_last_layers_learn_first() {
    let mut network = network("resnet18");
    let before = crate::network::read_tensors(&network.save().unwrap()).unwrap();
    let config = TrainConfig { freeze: FreezePolicy::Gradual, early_stopping: None, ..config(3) };
    let mut witness = Witness { stop_after: Some(2), ..Witness::default() };
    train(&mut network, &dataset(24, 9), &config, None, &mut witness).unwrap();
    let moved = |name: &str| {
        let own = network.tensors().named().find(|(other, _)| *other == name).unwrap().1.detach();
        before.iter().find(|(other, _)| other == name).unwrap().1 != own
    };
    assert!(moved("fc.weight") && moved("layer4.1.conv2.weight") && moved("layer4.1.bn2.running_mean"));
    assert!(!moved("conv1.weight") && !moved("layer1.0.conv1.weight") && !moved("bn1.running_mean"));
}

#[test]
fn a_batch_in_parts_learns_what_the_whole_batch_teaches() {
    // With fixed statistics and without dropout a step does not depend on how its pictures are shared out.
    let (data, config) = (dataset(32, 9), TrainConfig { freeze: FreezePolicy::Norm, ..config(1) });
    let run = |parts: u32| {
        let (mut network, mut witness) = (network("resnet18"), Witness::default());
        let mut fit = fit::Fit::begin(&mut network, &data, &config, None, &mut witness).unwrap();
        fit.history.parts = parts;
        let metrics = finished(fit.run().unwrap());
        assert_eq!(metrics.parts, parts);
        (network, witness.rows[0].loss)
    };
    let ((whole, loss), (shared, shared_loss)) = (run(1), run(4));
    assert!((loss - shared_loss).abs() < 1e-4 * loss, "{loss} {shared_loss}");
    for ((name, a), (_, b)) in whole.tensors().named().zip(shared.tensors().named()) {
        let off = (a - b).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{name}: {off}");
    }
}

#[test]
fn a_device_without_memory_is_told_from_other_failures() {
    let failure = |text: &str| TrainError::from(tch::TchError::Torch(text.to_owned()));
    assert!(failure("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has").is_out_of_memory());
    assert!(!failure("CUDA error: an illegal memory access was encountered").is_out_of_memory());
}

#[test]
fn a_batch_goes_through_in_more_parts_until_each_is_one_picture() {
    let failure = |text: &str| TrainError::from(tch::TchError::Torch(text.to_owned()));
    let more = |parts| epoch::more_parts(&failure("CUDA out of memory."), parts, 5);
    assert_eq!([more(1), more(2), more(4), more(8)], [Some(2), Some(4), Some(8), None]);
    assert_eq!(epoch::more_parts(&failure("CUDA error: an illegal memory access"), 1, 5), None);
}

#[test]
fn measuring_the_precision_stops_before_the_next_step() {
    let (data, config) = (dataset(32, 9), TrainConfig { precision: PrecisionChoice::Auto, ..config(1) });
    for stop_at in [1, 3, 6] {
        let mut witness = Witness { stop_at: Some(stop_at), ..Witness::default() };
        let outcome = train(&mut network("resnet18"), &data, &config, None, &mut witness).unwrap();
        assert_eq!(outcome, Outcome::Stopped);
        assert_eq!((witness.progress.len(), witness.checkpoints.len()), (stop_at, 0));
    }
}

#[test]
fn measuring_the_precision_leaves_the_network_as_it_is() {
    let (data, config) = (dataset(32, 9), TrainConfig { precision: PrecisionChoice::Auto, ..config(1) });
    let (mut measured, mut witness) = (network("resnet18"), Witness::default());
    let mut fit = fit::Fit::begin(&mut measured, &data, &config, None, &mut witness).unwrap();
    assert!(fit.choose_precision().unwrap().is_continue());
    assert_eq!((fit.optimizer.steps(), fit.history.parts), (0, 1));
    assert!(measured.save().unwrap() == network("resnet18").save().unwrap());
    // Four steps in f32; in bf16 two at least, and no more when the second one took longer.
    assert!((6..=8).contains(&witness.progress.len()), "{}", witness.progress.len());
    assert!(witness.progress.iter().all(|progress| (progress.done, progress.total) == (0, 32)));
    assert!(witness.notes.len() == 1 && witness.notes[0].starts_with("a step in bf16 is "));
}

#[test]
fn a_stop_takes_effect_before_the_next_batch() {
    for stop_at in [1, 3, 8] {
        let mut witness = Witness { stop_at: Some(stop_at), ..Witness::default() };
        let mut network = network("squeezenet1_1");
        let outcome = train(&mut network, &dataset(96, 9), &config(2), None, &mut witness).unwrap();
        assert_eq!(outcome, Outcome::Stopped);
        assert_eq!(witness.progress.len(), stop_at);
    }
}

#[test]
fn progress_counts_the_pictures_of_every_phase() {
    let mut witness = Witness::default();
    train(&mut network("squeezenet1_1"), &dataset(32, 9), &config(1), None, &mut witness).unwrap();
    let seen: Vec<(Phase, usize, usize)> =
        witness.progress.iter().map(|progress| (progress.phase, progress.done, progress.total)).collect();
    assert_eq!(
        seen,
        [
            (Phase::Train, 0, 32),
            (Phase::Train, 16, 32),
            (Phase::Validate, 0, 9),
            (Phase::Evaluate, 0, 41),
            (Phase::Evaluate, 9, 41),
            (Phase::Evaluate, 25, 41),
        ]
    );
}

#[test]
fn patience_ends_a_run_and_the_best_weights_stay() {
    // At this rate nothing is learnt, so no epoch is better than the first.
    let config = TrainConfig {
        learning_rate: 1e-12,
        early_stopping: Some(EarlyStopping { patience: 2 }),
        freeze: FreezePolicy::Backbone,
        ..config(20)
    };
    let mut network = network("resnet18");
    let mut witness = Witness::default();
    let metrics = finished(train(&mut network, &dataset(24, 9), &config, None, &mut witness).unwrap());
    assert!(metrics.epochs < 20, "{}", metrics.epochs);
    assert_eq!(metrics.epochs, metrics.best_epoch + 2);
    let best = &witness.rows[metrics.best_epoch as usize - 1];
    assert_eq!(metrics.validation_accuracy, best.validation_accuracy);
}

#[test]
fn a_frozen_backbone_stays_bit_for_bit() {
    let mut network = network("resnet18");
    let before = crate::network::read_tensors(&network.save().unwrap()).unwrap();
    let config = TrainConfig { freeze: FreezePolicy::Backbone, ..config(1) };
    train(&mut network, &dataset(24, 9), &config, None, &mut Witness::default()).unwrap();
    for (name, tensor) in before {
        let now = network.tensors().named().find(|(other, _)| *other == name).unwrap().1;
        assert_eq!(tensor == now.detach(), !name.starts_with("fc."), "{name}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let refusal = |network: &mut Network, config: &TrainConfig, resume: Option<&[u8]>| {
        train(network, &dataset(24, 9), config, resume, &mut Witness::default()).unwrap_err().to_string()
    };
    let mut other = Network::new(backbone::by_name("squeezenet1_1").unwrap(), 4, 1, Device::Cpu).unwrap();
    assert_eq!(refusal(&mut other, &config(1), None), "the network has 4 classes, the dataset 3");

    let mut squeezenet = network("squeezenet1_1");
    let wild = TrainConfig { learning_rate: 11.0, ..config(1) };
    assert_eq!(refusal(&mut squeezenet, &wild, None), "learning_rate is 11, must be above 0, at most 10");

    let mut witness = Witness::default();
    train(&mut squeezenet, &dataset(24, 9), &config(1), None, &mut witness).unwrap();
    let longer = refusal(&mut squeezenet, &config(2), Some(&witness.checkpoints[0]));
    assert_eq!(longer, "the checkpoint cannot be used: it was made with other settings");
    let resnet = refusal(&mut network("resnet18"), &config(1), Some(&witness.checkpoints[0]));
    assert!(resnet.contains("it is of squeezenet1_1 with 3 classes, the run of resnet18"), "{resnet}");
    let half = &witness.checkpoints[0][..witness.checkpoints[0].len() / 2];
    let damaged = refusal(&mut squeezenet, &config(1), Some(half));
    assert!(damaged.starts_with("the checkpoint cannot be used: "), "{damaged}");

    let small = Dataset::new(3, 64, striped(3, 37, 1), striped(3, 37, 2)).unwrap_err();
    assert_eq!(small.to_string(), "the train part has pictures of 37 pixels, the image size is 64");
    let few = Dataset::new(2, 32, striped(3, 37, 1), striped(3, 37, 2)).unwrap_err();
    assert_eq!(few.to_string(), "the train part has a picture of class 2, there are 2 classes");
}

#[test]
fn a_loss_out_of_range_is_an_error_that_names_the_step() {
    let config = TrainConfig { learning_rate: 10.0, momentum: 0.99, warmup_epochs: 0.0, ..config(30) };
    let error = train(&mut network("squeezenet1_1"), &dataset(96, 9), &config, None, &mut Witness::default());
    assert!(matches!(error, Err(TrainError::Diverged { .. })), "{error:?}");
}
