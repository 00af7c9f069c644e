//! Inference: pictures in, probabilities and embeddings out.
//!
//! One operating system thread owns the device and the loaded models; everybody else holds an [`Inference`], a
//! cloneable handle that sends requests to it. Searches go before bulk work and share a batch when they wait at the
//! same time. The thread does no I/O: a request carries the model it is for, weights included, and the thread keeps
//! the most recently used ones ready.

mod choice;
mod engine;
mod handle;
mod models;
mod openvino;
mod requests;
mod thread;
mod torch;

#[cfg(test)]
mod tests;

pub use self::openvino::{Arithmetic, OpenVinoEngine};
pub use choice::load as load_engine;
pub use engine::{Answers, Engine, EngineError, EngineInfo, Feed, ModelSpec, Proven, Tuning, Whole};
pub use handle::{Inference, InferenceError, LoadedModel, Options, Priority};
pub use torch::TorchEngine;
