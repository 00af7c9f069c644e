//! Where labelled pictures are, for the commands that train on them or look at them before.

use serde_json::{Value, json};

/// A labelled set that a training is judged by.
#[derive(Debug, clap::Args)]
pub struct HeldSet {
    /// The source of a validation set [default: that of the pictures]
    #[arg(long, value_name = "NAME", requires = "validation_prefix")]
    validation_source: Option<String>,
    /// Where the validation set is
    #[arg(long, value_name = "PREFIX")]
    validation_prefix: Option<String>,
}

impl HeldSet {
    /// The set as requests name it, if there is one; `source` is that of the pictures to learn from.
    pub fn place(&self, source: &str) -> Option<Value> {
        let prefix = self.validation_prefix.as_deref()?;
        Some(place(self.validation_source.as_deref().unwrap_or(source), prefix))
    }
}

/// A folder of a source as requests name it.
pub fn place(source: &str, prefix: &str) -> Value {
    json!({"source": source, "prefix": prefix})
}
