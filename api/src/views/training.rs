//! Runs of trainings over time, device by device, as they travel.

use chrono::{DateTime, Utc};
use lookalike_shared::db::trainings::{Point, Run};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The stored runs of each device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrainingPerformance {
    /// Devices, that of the newest run first.
    pub devices: Vec<DeviceRuns>,
}

/// The runs of one device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeviceRuns {
    /// What the device calls itself.
    #[schema(example = "NVIDIA H100")]
    pub device: String,
    /// Its runs, newest first.
    pub runs: Vec<RunView>,
}

/// One training's way.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = TrainingRun)]
pub struct RunView {
    /// The job.
    pub job_id: Uuid,
    /// Its state.
    pub state: String,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// The model that it made, or is to make.
    #[schema(example = "scenes@1")]
    pub model: String,
    /// The network; null while it is not known.
    pub backbone: Option<String>,
    /// Side of the pictures in pixels; null while it is not known.
    pub image_size: Option<i32>,
    /// Pictures per step.
    pub batch_size: Option<u64>,
    /// The end of each epoch; long runs are thinned.
    pub points: Vec<PointView>,
    /// Training pictures per second, the mean over the points.
    pub images_per_second: Option<f64>,
}

/// How far a run was at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = TrainingPoint)]
pub struct PointView {
    /// Time since the run began.
    pub seconds: f64,
    /// Steps taken by then; null where it is not known how many an epoch has.
    pub iterations: Option<f64>,
    /// Training pictures seen by then; null likewise.
    pub images: Option<f64>,
}

impl TrainingPerformance {
    /// Groups runs, newest first, by their devices, with the points of all of them.
    pub fn of(runs: Vec<Run>, points: &[Point]) -> Self {
        let mut devices: Vec<DeviceRuns> = Vec::new();
        for run in runs {
            let device = run.device.clone().unwrap_or_else(|| "unknown".to_owned());
            let view = RunView::of(run, points);
            match devices.iter_mut().find(|known| known.device == device) {
                Some(known) => known.runs.push(view),
                None => devices.push(DeviceRuns { device, runs: vec![view] }),
            }
        }
        Self { devices }
    }
}

impl RunView {
    fn of(run: Run, points: &[Point]) -> Self {
        let points: Vec<&Point> = points.iter().filter(|point| point.job_id == run.id).collect();
        let rates: Vec<f64> = points.iter().filter_map(|point| point.images_per_second).collect();
        let rate = (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64);
        let epoch = Epoch::of(&run);
        Self {
            job_id: run.id,
            state: run.state,
            created_at: run.created_at,
            model: run.model,
            backbone: run.backbone,
            image_size: run.image_size,
            batch_size: run.params["batch_size"].as_u64(),
            points: points.iter().map(|point| epoch.point(point)).collect(),
            images_per_second: rate,
        }
    }
}

/// What an epoch of a run consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Epoch {
    images: Option<f64>,
    steps: Option<f64>,
}

impl Epoch {
    /// From the card of the model; of a run that has none yet from its progress, which counts the pictures of all epochs.
    fn of(run: &Run) -> Self {
        let card = |pointer: &str| run.card.as_ref()?.pointer(pointer)?.as_f64();
        let images = card("/dataset/train").or_else(|| {
            let progress = run.progress.as_ref().filter(|progress| progress["unit"] == "pictures")?;
            Some(progress["total"].as_f64()? / run.params["epochs"].as_f64()?)
        });
        let told = card("/iterations").zip(card("/metrics/epochs")).filter(|(_, epochs)| *epochs > 0.0);
        let steps = told.map(|(steps, epochs)| steps / epochs).or_else(|| {
            let batch = run.params["batch_size"].as_f64().filter(|batch| *batch > 0.0)?;
            Some((images? / batch).ceil())
        });
        Self { images, steps }
    }

    fn point(self, point: &Point) -> PointView {
        let epochs = f64::from(point.epoch);
        PointView {
            seconds: point.seconds,
            iterations: point.step.map(|step| step as f64).or(self.steps.map(|steps| steps * epochs)),
            images: self.images.map(|images| images * epochs),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(card: Option<Value>, progress: Option<Value>) -> Run {
        Run {
            id: Uuid::nil(),
            state: "running".to_owned(),
            params: json!({"epochs": 4, "batch_size": 8}),
            progress,
            created_at: DateTime::UNIX_EPOCH,
            device: None,
            model: "scenes".to_owned(),
            backbone: None,
            image_size: None,
            card,
        }
    }

    #[test]
    fn an_epoch_is_known_from_the_card_or_from_the_progress() {
        let card = json!({"iterations": 50, "dataset": {"train": 100}, "metrics": {"epochs": 5}});
        assert_eq!(Epoch::of(&run(Some(card), None)), Epoch { images: Some(100.0), steps: Some(10.0) });
        let progress = json!({"unit": "pictures", "total": 360});
        assert_eq!(Epoch::of(&run(None, Some(progress))), Epoch { images: Some(90.0), steps: Some(12.0) });
        assert_eq!(Epoch::of(&run(None, None)), Epoch { images: None, steps: None });
    }
}
