//! What the benchmark works on: drawn pictures in class folders, a model of random weights, an index, and jobs
//! that are enqueued as the API enqueues them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::Bytes;
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use lookalike_shared::db::gallery::{NewEntry, replace_entries};
use lookalike_shared::db::jobs::{Job, Standing, get_job, list_standings};
use lookalike_shared::db::models::{NewModel, insert_model};
use lookalike_shared::db::queue::{NewJob, cancel_jobs, enqueue};
use lookalike_shared::db::{self, EVENTS_CHANNEL, PgListener, PgPool, indexes};
use lookalike_shared::domain::backbone;
use lookalike_shared::domain::job::{JobId, JobState};
use lookalike_shared::domain::name::Name;
use lookalike_shared::storage::Storage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::device::{self, Chosen, Sampler};
use crate::inference::ModelSpec;
use crate::network::{Network, Normalisation};
use crate::runtime::{Settings, Worker};

/// The source of the drawn pictures.
pub const SOURCE: &str = "bench-pictures";
/// The source of many small pictures.
pub const MANY: &str = "bench-small";
/// The network that is measured, and the size it reads.
pub const BACKBONE: &str = "mobilenet_v2";
/// Side of the pictures that it reads.
pub const IMAGE_SIZE: u32 = 224;
/// Classes of the model, and folders of the pictures.
pub const CLASSES: u32 = 8;
/// Side of the small pictures and of the network that reads them.
const SMALL: u32 = 64;
/// Width and height of the drawn pictures: those of ImageNet's.
const DRAWN: (u16, u16) = (500, 375);

/// Everything that is measured with.
pub struct Stage {
    /// The database.
    pub db: PgPool,
    /// The same without waiting for the disk, as claims are made.
    pub relaxed: PgPool,
    /// The device.
    pub chosen: Chosen,
    /// The files of the pictures.
    pub files: Arc<Vec<Bytes>>,
    /// The model as inference needs it.
    pub model: Arc<ModelSpec>,
    /// Another network that reads the same pictures: the paper's.
    pub alexnet: Arc<ModelSpec>,
    /// A network so small that everything else counts.
    pub small: Arc<ModelSpec>,
    /// Tells this run's names from those of others.
    tag: String,
    settings: Settings,
    _folder: TempDir,
    many: TempDir,
}

impl Stage {
    /// Draws pictures, stores a model.
    ///
    /// # Errors
    /// The database, the artifacts or the device are not there.
    pub async fn prepare(mut settings: Settings, pictures: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = draw(folder.path(), pictures)?;
        let url = Url::from_directory_path(folder.path()).ok().context("the folder has an absolute path")?;
        settings.storage.sources.insert(SOURCE.parse()?, url);
        let many = tempfile::tempdir()?;
        let url = Url::from_directory_path(many.path()).ok().context("the folder has an absolute path")?;
        settings.storage.sources.insert(MANY.parse()?, url);
        let chosen = device::choose(&settings.worker.device)?;
        let db = db::connect(&settings.database).await.context("connecting to the database")?;
        let relaxed = db::connect_relaxed(&settings.database, 2).await?;
        anyhow::ensure!(
            db::is_migrated(&db).await?,
            "the database is not migrated: run `lookalike migrate` first"
        );
        let tag = Uuid::now_v7().simple().to_string();
        let model = store_model(&db, &settings, &tag, BACKBONE, IMAGE_SIZE).await?;
        let alexnet = store_model(&db, &settings, &tag, "alexnet", IMAGE_SIZE).await?;
        let small = store_model(&db, &settings, &tag, "squeezenet1_1", SMALL).await?;
        let files = Arc::new(files);
        Ok(Self {
            db,
            relaxed,
            chosen,
            files,
            model: Arc::new(model),
            alexnet: Arc::new(alexnet),
            small: Arc::new(small),
            tag,
            settings,
            _folder: folder,
            many,
        })
    }

    /// A name of this run.
    pub fn name(&self, what: &str) -> Name {
        format!("bench-{what}-{}", self.tag).parse().expect("letters, digits and hyphens")
    }

    /// What the device calls itself.
    pub fn device_name(&self) -> String {
        Sampler::new(self.chosen.device).device_name()
    }

    /// Makes an empty index of a model and gives its generation.
    ///
    /// # Errors
    /// The database refuses it.
    pub async fn make_index(&self, name: &Name, model: &ModelSpec) -> anyhow::Result<i32> {
        let (id, classes) = (Uuid::now_v7(), i32::try_from(CLASSES)?);
        let mut tx = db::begin(&self.db).await?;
        indexes::insert_index(&mut *tx, id, name).await?;
        let dimensions = i32::try_from(model.embedding_dim)?;
        let generation = indexes::begin_generation(&mut tx, id, model.id, classes, dimensions).await?;
        indexes::activate_generation(&mut tx, id, generation).await?;
        db::commit(tx).await?;
        Ok(generation)
    }

    /// Copies entries into a generation, as indexing commits them, and gives the seconds that took.
    ///
    /// # Errors
    /// The database refuses them.
    pub async fn copy(&self, generation: i32, entries: &[NewEntry]) -> anyhow::Result<f64> {
        let started = Instant::now();
        let mut tx = db::begin(&self.db).await?;
        replace_entries(&mut tx, generation, &[], entries, Uuid::nil()).await?;
        db::commit(tx).await?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Draws small pictures, a thousand to a folder and a thousand different ones, the rest under further names. Gives
    /// their prefix in [`MANY`].
    ///
    /// # Errors
    /// The disk is full.
    pub fn draw_many(&self, name: &str, count: u32) -> anyhow::Result<String> {
        const DIFFERENT: u32 = 1_000;
        let root = self.many.path().join(name);
        let path = |number: u32| root.join(format!("{:04}/{number:07}.jpg", number / DIFFERENT));
        for number in 0..count {
            let file = path(number);
            if number % DIFFERENT == 0 {
                std::fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
            }
            if number < DIFFERENT {
                std::fs::write(&file, draw_one(number, (SMALL as u16, SMALL as u16))?)?;
            } else {
                std::fs::hard_link(path(number % DIFFERENT), &file)?;
            }
        }
        Ok(format!("{name}/"))
    }

    /// Enqueues jobs in one transaction.
    ///
    /// # Errors
    /// The database refuses them.
    pub async fn enqueue(&self, jobs: &[NewJob]) -> anyhow::Result<()> {
        let mut tx = db::begin(&self.db).await?;
        enqueue(&mut tx, jobs).await?;
        Ok(db::commit(tx).await?)
    }

    /// Something that hears of every change of a job.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn listen(&self) -> anyhow::Result<PgListener> {
        let mut listener = PgListener::connect_with(&self.db).await?;
        listener.listen(EVENTS_CHANNEL).await?;
        Ok(listener)
    }

    /// Waits until all of these jobs have ended.
    ///
    /// # Errors
    /// One did not succeed.
    pub async fn wait(&self, listener: &mut PgListener, jobs: &[JobId]) -> anyhow::Result<()> {
        loop {
            let standings = list_standings(&self.db, jobs).await?;
            for (job, Standing { state, .. }) in &standings {
                if matches!(state, JobState::Failed | JobState::Cancelled) {
                    let job = get_job(&self.db, *job).await?;
                    bail!("job {} of kind {} ended {state:?}: {:?}", job.id, job.kind.as_str(), job.error);
                }
            }
            if standings.iter().all(|(_, standing)| standing.state.is_final()) {
                return Ok(());
            }
            next_change(listener).await;
        }
    }

    /// Enqueues a job, waits for its end and gives it.
    ///
    /// # Errors
    /// It does not succeed.
    pub async fn run(&self, listener: &mut PgListener, job: NewJob) -> anyhow::Result<Job> {
        let id = job.id;
        self.enqueue(&[job]).await?;
        self.wait(listener, &[id]).await?;
        Ok(get_job(&self.db, id).await?)
    }

    /// Stops a job and waits until it has ended.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn cancel(&self, job: JobId) -> anyhow::Result<()> {
        let mut listener = self.listen().await?;
        cancel_jobs(&self.db, &[job]).await?;
        while !get_job(&self.db, job).await?.state.is_final() {
            next_change(&mut listener).await;
        }
        Ok(())
    }

    /// Starts the worker's loops in this process.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn start_worker(&self) -> anyhow::Result<Running> {
        let worker = Worker::build(self.settings.clone()).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run_until(stop.clone()));
        Ok(Running { stop, task })
    }
}

/// Waits for a change of any job; not for long, since it may have come before the last look.
pub async fn next_change(listener: &mut PgListener) {
    _ = tokio::time::timeout(Duration::from_millis(200), listener.recv()).await;
}

/// A worker that takes jobs.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it and waits.
    ///
    /// # Errors
    /// It failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn store_model(
    db: &PgPool,
    settings: &Settings,
    tag: &str,
    architecture: &str,
    side: u32,
) -> anyhow::Result<ModelSpec> {
    let network = backbone::by_name(architecture)?;
    let classes = (0..CLASSES).map(class_name).collect::<Vec<_>>();
    let weights = Bytes::from(Network::new(network, classes.len(), 1, tch::Device::Cpu)?.save()?);
    let id = Uuid::now_v7();
    let key = format!("models/{id}/weights.safetensors");
    Storage::open(&settings.storage)?.artifacts().put(&key, weights.clone()).await?;
    let model = NewModel {
        id,
        name: format!("bench-{architecture}-{tag}").parse()?,
        backbone: architecture.to_owned(),
        classes: classes.clone(),
        image_size: i32::try_from(side)?,
        embedding_dim: i32::try_from(network.embedding_dim)?,
        weights_key: key,
        weights_bytes: i64::try_from(weights.len())?,
        weights_sha256: Sha256::digest(&weights).to_vec(),
        origin: "imported",
        job_id: None,
        card: json!({}),
        labels: json!({}),
    };
    insert_model(db, &model).await?;
    Ok(ModelSpec {
        id,
        backbone: architecture.to_owned(),
        embedding_dim: network.embedding_dim,
        classes: classes.len(),
        image_size: side as usize,
        normalisation: Normalisation::default(),
        weights,
        proven: None,
    })
}

fn class_name(class: u32) -> String {
    format!("class-{class}")
}

/// Draws pictures into class folders and gives their files.
fn draw(folder: &Path, count: u32) -> anyhow::Result<Vec<Bytes>> {
    for class in 0..CLASSES {
        std::fs::create_dir(folder.join(class_name(class)))?;
    }
    let drawn = (0..count).into_par_iter().map(|number| {
        let file = draw_one(number, DRAWN)?;
        let name = format!("{}/{number:05}.jpg", class_name(number % CLASSES));
        std::fs::write(folder.join(name), &file)?;
        Ok(Bytes::from(file))
    });
    drawn.collect()
}

/// A JPEG of quality 88 that costs about as much to decode as a photograph: coloured blotches with grain.
fn draw_one(number: u32, size: (u16, u16)) -> anyhow::Result<Vec<u8>> {
    const CELL: usize = 25;
    let (width, height) = (usize::from(size.0), usize::from(size.1));
    let mut random = ChaCha8Rng::seed_from_u64(number.into());
    let columns = width / CELL + 2;
    let knots: Vec<[f32; 3]> = (0..columns * (height / CELL + 2))
        .map(|_| [0; 3].map(|_: u8| random.random_range(0.0..255.0)))
        .collect();
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (column, row) = (x / CELL, y / CELL);
            let (right, down) = ((x % CELL) as f32 / CELL as f32, (y % CELL) as f32 / CELL as f32);
            let grain: f32 = random.random_range(-14.0..14.0);
            let knot = |down: usize, right: usize| knots[(row + down) * columns + column + right];
            let corners = [knot(0, 0), knot(0, 1), knot(1, 0), knot(1, 1)];
            let weights =
                [(1.0 - down) * (1.0 - right), (1.0 - down) * right, down * (1.0 - right), down * right];
            let blend = |channel: usize| -> f32 {
                corners.iter().zip(weights).map(|(corner, weight)| corner[channel] * weight).sum()
            };
            rgb.extend([0, 1, 2].map(|channel| (blend(channel) + grain).clamp(0.0, 255.0) as u8));
        }
    }
    Ok(compress(&rgb, width, height, PixelFormat::Rgb, 88, Subsampling::S420)?)
}
