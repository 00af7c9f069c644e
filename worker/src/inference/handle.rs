//! The handle: requests from any task, answered by the inference thread.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use lookalike_shared::config::EngineChoice;
use tch::Device;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::choice;
use super::engine::{Answers, Engine, EngineError, EngineInfo, ModelSpec};
use super::models::Models;
use super::requests::{Request, Work};
use super::thread::DeviceThread;
use crate::network::Pictures;

/// What makes an engine of a model.
pub(super) type Load = Box<dyn Fn(&ModelSpec) -> Result<Box<dyn Engine>, EngineError> + Send>;

/// Which requests go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for the answer: before all bulk work, batched with other searches that wait.
    Search,
    /// Throughput counts; gives way to searches after every batch.
    Bulk,
}

/// Settings of the inference thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most pictures in a batch.
    pub max_batch: usize,
    /// Most models that stay loaded.
    pub max_models: usize,
    /// Most searches that wait; further callers wait for room.
    pub search_queue: usize,
    /// Most bulk requests that wait; further callers wait for room.
    pub bulk_queue: usize,
    /// What may run models.
    pub engine: EngineChoice,
}

impl Options {
    /// Batches as large as pays on the device and no larger: a search waits for the batch before it.
    pub fn for_device(device: Device) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let max_batch = if device.is_cuda() { 128 } else { (8 * processors).max(16) };
        let engine = EngineChoice::Auto;
        Self { max_batch, max_models: 4, search_queue: 256, bulk_queue: 2, engine }
    }
}

/// Reasons why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The model or the device failed this request.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The inference thread has ended.
    #[error("the inference thread has ended")]
    Ended,
    /// The inference thread could not be started.
    #[error("cannot start the inference thread: {0}")]
    Start(#[from] std::io::Error),
}

/// A model that is ready, and what runs it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LoadedModel {
    /// The model.
    pub model: Uuid,
    /// Its engine.
    #[serde(flatten)]
    pub engine: EngineInfo,
}

/// The models that are ready, most recently used last.
pub(super) type Loaded = Arc<Mutex<Vec<LoadedModel>>>;

/// A handle to the inference thread. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct Inference {
    inner: Arc<Inner>,
}

struct Inner {
    search: Option<mpsc::Sender<Request>>,
    bulk: Option<mpsc::Sender<Request>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    loaded: Loaded,
    max_batch: usize,
    preferred: &'static str,
}

impl Inference {
    /// Starts a thread that runs models on `device`, each in the engine that suits it.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(device: Device, options: Options) -> Result<Self, InferenceError> {
        let load = move |spec: &ModelSpec| -> Result<Box<dyn Engine>, EngineError> {
            choice::load(spec, device, options.engine, options.max_batch)
        };
        let mut started = Self::with_engines(options, load)?;
        if let Some(inner) = Arc::get_mut(&mut started.inner) {
            inner.preferred = choice::preferred(device, options.engine);
        }
        Ok(started)
    }

    /// Starts a thread whose models are loaded by `load`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn with_engines(
        options: Options,
        load: impl Fn(&ModelSpec) -> Result<Box<dyn Engine>, EngineError> + Send + 'static,
    ) -> Result<Self, InferenceError> {
        let (search, searches) = mpsc::channel(options.search_queue);
        let (bulk, bulks) = mpsc::channel(options.bulk_queue);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (loaded, max_batch) = (Loaded::default(), options.max_batch);
        let models = Models::new(Box::new(load), options.max_models, options.max_batch, loaded.clone());
        let device_thread = DeviceThread::new(models, options.max_batch, searches, bulks);
        let thread = thread::Builder::new()
            .name("inference".to_owned())
            .spawn(move || runtime.block_on(device_thread.run()))?;
        let inner = Inner {
            search: Some(search),
            bulk: Some(bulk),
            thread: Mutex::new(Some(thread)),
            loaded,
            max_batch,
            preferred: "torch",
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Probabilities and embeddings of any number of pictures, in order.
    ///
    /// Loads the model first if need be. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// When the model cannot be loaded, the pictures are not of its size, or the device fails; the thread goes on with
    /// other requests.
    pub async fn embed(
        &self,
        model: &Arc<ModelSpec>,
        pictures: Pictures,
        priority: Priority,
    ) -> Result<Answers, InferenceError> {
        let (answer, answered) = oneshot::channel();
        self.send(model, Work::Embed { pictures, answer }, priority).await?;
        Ok(answered.await.map_err(|_| InferenceError::Ended)??)
    }

    /// Loads a model, and warms it up, if it is not loaded.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub async fn prepare(
        &self,
        model: &Arc<ModelSpec>,
        priority: Priority,
    ) -> Result<EngineInfo, InferenceError> {
        let (answer, answered) = oneshot::channel();
        self.send(model, Work::Prepare { answer }, priority).await?;
        Ok(answered.await.map_err(|_| InferenceError::Ended)??)
    }

    /// The engine that is tried first: `torch` or `openvino`.
    pub fn preferred(&self) -> &'static str {
        self.inner.preferred
    }

    /// Most pictures that go through a network together.
    pub fn max_batch(&self) -> usize {
        self.inner.max_batch
    }

    /// The models that are ready, most recently used last.
    pub fn loaded(&self) -> Vec<LoadedModel> {
        self.inner.loaded.lock().map(|loaded| loaded.clone()).unwrap_or_default()
    }

    async fn send(
        &self,
        model: &Arc<ModelSpec>,
        work: Work,
        priority: Priority,
    ) -> Result<(), InferenceError> {
        let sender = match priority {
            Priority::Search => &self.inner.search,
            Priority::Bulk => &self.inner.bulk,
        };
        let sender = sender.as_ref().expect("the senders stay until the last handle is dropped");
        let request = Request { model: Arc::clone(model), work };
        sender.send(request).await.map_err(|_| InferenceError::Ended)
    }
}

impl Drop for Inner {
    /// Ends the thread and waits for it: at most for the batch that it is busy with, as nobody waits for more.
    fn drop(&mut self) {
        self.search = None;
        self.bulk = None;
        let thread = self.thread.get_mut().map_or(None, |thread| thread.take());
        if let Some(thread) = thread {
            // The thread catches panics of its work; one of its own has nobody left to tell.
            let _ended = thread.join();
        }
    }
}
