//! How the network learns: one flag per field of the request, bounds and defaults left to the server.

use serde_json::{Map, Number, Value, json};

use super::super::submit::Payload;

/// How the network learns. What is not given is the server's default.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Training")]
pub(super) struct Recipe {
    /// Side of the pictures in pixels [default: what suits the pictures and the network]
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<u32>,
    /// Length of embeddings [default: the network's own]
    #[arg(long, value_name = "N")]
    embedding_dim: Option<u32>,
    /// Passes over the pictures
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Pictures per step
    #[arg(long, value_name = "N")]
    batch_size: Option<u32>,
    /// The optimiser [default: sgd from a model, adamw from random weights]
    #[arg(long, value_parser = ["sgd", "adamw"])]
    optimizer: Option<String>,
    /// The highest learning rate [default: what fits the optimiser and the start]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Momentum of SGD
    #[arg(long)]
    momentum: Option<f64>,
    /// L2 penalty
    #[arg(long)]
    weight_decay: Option<f64>,
    /// How the rate changes
    #[arg(long, value_parser = ["cosine", "step", "constant"])]
    schedule: Option<String>,
    /// Epochs over which the rate rises
    #[arg(long, value_name = "EPOCHS")]
    warmup_epochs: Option<f64>,
    /// Share of the target that goes to all classes alike
    #[arg(long, value_name = "SHARE")]
    label_smoothing: Option<f64>,
    /// Longest gradient that a step takes [default: any]
    #[arg(long, value_name = "LENGTH")]
    gradient_clip: Option<f64>,
    /// Share of the old in the running mean of the weights, e.g. 0.999 [default: 0.99]; 0 keeps no mean
    #[arg(long, value_name = "SHARE")]
    ema_decay: Option<f64>,
    #[command(flatten)]
    augment: Augment,
    /// Which weights stay as they are
    #[arg(long, value_parser = ["none", "backbone", "norm", "gradual"])]
    freeze: Option<String>,
    /// Arithmetic
    #[arg(long, value_parser = ["auto", "f32", "bf16"])]
    precision: Option<String>,
    /// Seed of every random choice
    #[arg(long)]
    seed: Option<u64>,
    /// Stop after this many epochs that were no better
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<u32>,
    /// What the best epoch is chosen by
    #[arg(long, value_parser = ["accuracy", "precision-at-10", "map"])]
    best_by: Option<String>,
    /// Minutes between two checkpoints within an epoch
    #[arg(long, value_name = "MINUTES")]
    checkpoint_minutes: Option<f64>,
    /// Readable pictures that each class must have
    #[arg(long, value_name = "N")]
    min_images_per_class: Option<u32>,
}

/// Random changes of the training pictures.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Changes of the pictures")]
struct Augment {
    /// No random crops, of whatever size
    #[arg(long)]
    no_crop: bool,
    /// Crops of a random size: the smallest one's share of the picture; `none` leaves crops at full size [default: 0.3]
    #[arg(long, value_name = "SHARE|none", value_parser = parse_crop, conflicts_with = "no_crop")]
    resized_crop: Option<Value>,
    /// No random mirroring
    #[arg(long)]
    no_mirror: bool,
    /// No colour noise
    #[arg(long)]
    no_color_pca: bool,
    /// Strength of random brightness, contrast and saturation [default: 0.2]
    #[arg(long, value_name = "STRENGTH")]
    color_jitter: Option<f64>,
    /// Magnitude of two random operations of shape or colour, e.g. 9
    #[arg(long, value_name = "MAGNITUDE")]
    rand_augment: Option<u32>,
    /// Mix pictures in pairs [default: 0.2]; 0 does not
    #[arg(long, value_name = "ALPHA")]
    mixup: Option<f64>,
}

/// A share, or null for crops of full size.
fn parse_crop(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let share = text.parse().ok().and_then(Number::from_f64);
    share.map(Value::Number).ok_or_else(|| format!("\"{text}\" is neither a share nor none"))
}

impl Augment {
    /// All of it when anything is said of it.
    fn said(&self) -> Option<Value> {
        let numbers = [
            ("resized_crop", self.resized_crop.clone()),
            ("color_jitter", self.color_jitter.map(Value::from)),
            ("rand_augment", self.rand_augment.map(Value::from)),
            ("mixup", self.mixup.map(Value::from)),
        ];
        let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut fields: Map<String, Value> = numbers.collect();
        let is_plain = fields.is_empty() && !(self.no_crop || self.no_mirror || self.no_color_pca);
        for (name, is_off) in
            [("crop", self.no_crop), ("mirror", self.no_mirror), ("color_pca", self.no_color_pca)]
        {
            fields.insert(name.to_owned(), json!(!is_off));
        }
        (!is_plain).then_some(Value::Object(fields))
    }
}

impl Recipe {
    /// Adds what is said to a request.
    pub(super) fn add_to(&self, payload: &mut Payload) {
        payload
            .set("image_size", self.image_size)
            .set("embedding_dim", self.embedding_dim)
            .set("epochs", self.epochs)
            .set("batch_size", self.batch_size)
            .set("optimizer", self.optimizer.as_ref())
            .set("learning_rate", self.learning_rate)
            .set("momentum", self.momentum)
            .set("weight_decay", self.weight_decay)
            .set("schedule", self.schedule.as_ref())
            .set("warmup_epochs", self.warmup_epochs)
            .set("label_smoothing", self.label_smoothing)
            .set("gradient_clip", self.gradient_clip)
            .set("ema_decay", self.ema_decay)
            .set("augment", self.augment.said())
            .set("freeze", self.freeze.as_ref())
            .set("precision", self.precision.as_ref())
            .set("seed", self.seed)
            .set("early_stopping", self.patience.map(|patience| json!({"patience": patience})))
            .set("best_by", self.best_by.as_ref().map(|name| name.replace('-', "_")))
            .set("checkpoint_minutes", self.checkpoint_minutes)
            .set("min_images_per_class", self.min_images_per_class);
    }
}
