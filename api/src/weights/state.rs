//! Finding the state dict in what a pickle made, and checking its tensors before anything of them is read.

use std::collections::HashSet;

use super::containers::Container;
use super::pickle::{Id, Storage, TensorView, Value, Values};
use super::{ConvertError, Number, names};

/// Where checkpoints keep the state dict beside other things.
const NESTED: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// How deep a state dict, or modules of a compiled module, may lie.
const MAX_DEPTH: usize = 32;
/// The most entries that are looked at.
const MAX_ENTRIES: usize = 100_000;
/// The longest name of a tensor, in bytes.
const MAX_NAME: usize = 255;
/// PyTorch keeps this counter beside a batch norm's statistics; nothing needs it.
const COUNTER: &str = "num_batches_tracked";

/// One tensor, checked.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    /// Its name among the backbones' names.
    pub(super) name: String,
    /// Where its values are.
    pub(super) view: TensorView,
    /// How many there are.
    pub(super) values: u64,
}

/// How the numbers of a class of storages are stored; nothing for those that are no weights.
pub(super) fn number(class: &str) -> Option<Number> {
    match class {
        "FloatStorage" => Some(Number::F32),
        "HalfStorage" => Some(Number::F16),
        "BFloat16Storage" => Some(Number::Bf16),
        "DoubleStorage" => Some(Number::F64),
        _ => None,
    }
}

/// Bytes of one number of a class of storages.
pub(super) fn width(storage: &Storage) -> usize {
    match &*storage.class {
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        "ShortStorage" => 2,
        "IntStorage" => 4,
        "LongStorage" => 8,
        class => number(class).map_or(1, Number::bytes),
    }
}

/// The tensors of a file, each storage's one after the other.
pub(super) fn tensors(container: &Container) -> Result<Vec<Tensor>, ConvertError> {
    let (values, root) = container.values();
    let mut search = Search { values, found: Vec::new(), seen: 0 };
    search.collect(state_dict(values, root), "", MAX_DEPTH)?;
    let mut found = search.found;
    found.retain(|(name, _)| name.rsplit('.').next() != Some(COUNTER));
    if found.is_empty() {
        return Err(ConvertError::NoTensors);
    }
    let (own, views): (Vec<String>, Vec<TensorView>) = found.into_iter().unzip();
    let named = names::renamed(own).into_iter().zip(views);
    let mut tensors = named.map(|(name, view)| check(name, view)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !seen.insert(&*tensor.name)) {
        return Err(refuse(&twice.name, "is there twice"));
    }
    tensors.sort_by(|a, b| (&a.view.storage.key, &a.name).cmp(&(&b.view.storage.key, &b.name)));
    Ok(tensors)
}

fn entries(values: &Values, id: Id) -> Option<&[(Id, Id)]> {
    if let Value::Dict(entries) | Value::Module(entries) = values.get(id) { Some(entries) } else { None }
}

fn state_dict(values: &Values, root: Id) -> Id {
    let mut at = root;
    for _ in 0..MAX_DEPTH {
        let inner = NESTED.iter().find_map(|key| {
            let found = entries(values, at)?.iter().find(|(name, _)| values.text(*name) == Some(*key))?;
            entries(values, found.1).map(|_| found.1)
        });
        match inner {
            Some(inner) if !matches!(values.get(at), Value::Module(_)) => at = inner,
            _ => break,
        }
    }
    at
}

/// The tensors found, by name. A file may show the same module again and again, so what is looked at is counted.
struct Search<'a> {
    values: &'a Values,
    found: Vec<(String, TensorView)>,
    seen: usize,
}

impl Search<'_> {
    /// Tensors of a dictionary or module; those of modules within modules have names with dots. tch writes `|` for a dot.
    fn collect(&mut self, at: Id, prefix: &str, depth: usize) -> Result<(), ConvertError> {
        for (key, value) in entries(self.values, at).unwrap_or_default() {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return Err(ConvertError::Damaged(format!("it has more than {MAX_ENTRIES} entries")));
            }
            let Some(key) = self.values.text(*key) else { continue };
            let name = format!("{prefix}{}", key.replace('|', "."));
            let part = self.values.get(*value);
            if let Value::Tensor(view) = part {
                if name.len() > MAX_NAME {
                    let detail = format!("a tensor's name has more than {MAX_NAME} bytes");
                    return Err(ConvertError::Damaged(detail));
                }
                self.found.push((name, view.clone()));
            } else if matches!(part, Value::Module(_)) && depth > 0 && name.len() < MAX_NAME {
                self.collect(*value, &format!("{name}."), depth - 1)?;
            }
        }
        Ok(())
    }
}

fn refuse(name: &str, problem: impl Into<String>) -> ConvertError {
    ConvertError::Tensor { name: name.to_owned(), problem: problem.into() }
}

/// Every index that shape and strides allow lies in the storage.
fn check(name: String, view: TensorView) -> Result<Tensor, ConvertError> {
    let TensorView { storage, offset, shape, strides } = &view;
    if number(&storage.class).is_none() {
        return Err(refuse(&name, format!("is stored as {}, floats expected", storage.class)));
    }
    let sound = shape.len() == strides.len()
        && *offset >= 0
        && shape.iter().chain(strides).all(|number| *number >= 0);
    if !sound {
        return Err(refuse(&name, "has a shape that no tensor has"));
    }
    let values = shape.iter().try_fold(1_i64, |product, length| product.checked_mul(*length));
    let last = shape.iter().zip(strides).try_fold(*offset, |last, (length, stride)| {
        last.checked_add((length - 1).max(0).checked_mul(*stride)?)
    });
    match (values, last) {
        (Some(0), _) => Err(refuse(&name, "has no values")),
        (Some(values), Some(last)) if last < storage.len => {
            Ok(Tensor { values: values.cast_unsigned(), name, view })
        }
        _ => Err(refuse(&name, "reaches beyond its storage")),
    }
}
