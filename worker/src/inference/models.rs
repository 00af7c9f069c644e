//! The models that are loaded, most recently used last.

use std::panic::{AssertUnwindSafe, catch_unwind};

use uuid::Uuid;

use super::engine::{Engine, EngineError, EngineInfo, ModelSpec};
use super::handle::{Load, Loaded, LoadedModel};
use super::requests::Requests;
use crate::network::Pictures;

pub(super) struct Models {
    load: Load,
    /// How many stay loaded.
    capacity: usize,
    /// Most pictures in a batch; a new model is warmed up with as many.
    most: usize,
    loaded: Vec<(Uuid, Box<dyn Engine>)>,
    /// What `loaded` holds, for others to see.
    shown: Loaded,
}

impl Models {
    pub fn new(load: Load, capacity: usize, most: usize, shown: Loaded) -> Self {
        Self { load, capacity: capacity.max(1), most, loaded: Vec::new(), shown }
    }

    /// Answers requests for a model. One whose engine panics is forgotten, for its state cannot be trusted.
    pub fn run(&mut self, spec: &ModelSpec, requests: &mut Requests<'_>) -> Result<(), EngineError> {
        self.guarded(spec, |engine| {
            engine.run(requests)?;
            assert!(requests.are_answered(), "an engine answers every picture that it is given");
            Ok(())
        })
    }

    /// Loads a model if it is not.
    pub fn prepare(&mut self, spec: &ModelSpec) -> Result<EngineInfo, EngineError> {
        self.guarded(spec, |engine| Ok(engine.describe()))
    }

    fn guarded<T>(
        &mut self,
        spec: &ModelSpec,
        work: impl FnOnce(&mut dyn Engine) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self.engine(spec)?)));
        result.unwrap_or_else(|panic| {
            self.loaded.retain(|(id, _)| *id != spec.id);
            Err(EngineError::Panic(message(&*panic)))
        })
    }

    fn engine(&mut self, spec: &ModelSpec) -> Result<&mut dyn Engine, EngineError> {
        if let Some(place) = self.loaded.iter().position(|(id, _)| *id == spec.id) {
            let used = self.loaded.remove(place);
            self.loaded.push(used);
        } else {
            // Room first: two large models may not fit the device side by side.
            self.loaded.drain(..(self.loaded.len() + 1).saturating_sub(self.capacity));
            let engine = self.warm(spec)?;
            self.loaded.push((spec.id, engine));
            self.show();
        }
        let (_, engine) = self.loaded.last_mut().expect("the model was just put there");
        Ok(&mut **engine)
    }

    fn show(&self) {
        let info = |(model, engine): &(Uuid, Box<dyn Engine>)| LoadedModel {
            model: *model,
            engine: engine.describe(),
        };
        if let Ok(mut shown) = self.shown.lock() {
            *shown = self.loaded.iter().map(info).collect();
        }
    }

    /// A new engine after its first and largest batch, which is slow and takes the memory that it will need.
    fn warm(&self, spec: &ModelSpec) -> Result<Box<dyn Engine>, EngineError> {
        let started = std::time::Instant::now();
        let mut engine = (self.load)(spec)?;
        let side = spec.image_size;
        let black = vec![0; self.most * side * side * 3];
        let pictures = Pictures::new(side, black).expect("a whole number of pictures");
        engine.embed(&pictures)?;
        let duration_ms = started.elapsed().as_millis() as u64;
        let EngineInfo { engine: name, precision, pictures_per_second, reason, .. } = engine.describe();
        tracing::info!(
            model.id = %spec.id,
            backbone = spec.backbone,
            engine = name,
            precision,
            pictures_per_second,
            reason,
            duration_ms,
            "model loaded"
        );
        Ok(engine)
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".to_owned())
}
