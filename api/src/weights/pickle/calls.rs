//! The classes and functions that a pickle may name, and what is made of them instead of calling them.

use super::{Id, Machine, PickleError, Storage, TensorView, Value};

/// Numbers as PyTorch names their storages.
const STORAGES: [&str; 10] = [
    "FloatStorage",
    "HalfStorage",
    "BFloat16Storage",
    "DoubleStorage",
    "LongStorage",
    "IntStorage",
    "ShortStorage",
    "CharStorage",
    "ByteStorage",
    "BoolStorage",
];

const ORDERED_DICT: &str = "collections.OrderedDict";
const REBUILD_TENSOR: &str = "torch._utils._rebuild_tensor";
const REBUILD_TENSOR_V2: &str = "torch._utils._rebuild_tensor_v2";
const REBUILD_PARAMETER: &str = "torch._utils._rebuild_parameter";
const SIZE: &str = "torch.Size";

/// As many arguments as any of these looks at.
const MAX_ARGUMENTS: usize = 4;
/// The longest name of a storage in a file, in bytes; they are numbers or addresses.
const MAX_KEY: usize = 64;

/// Where compiled modules have their classes.
const COMPILED: &str = "__torch__.";

impl Machine<'_> {
    pub(super) fn global(&mut self, name: String) -> Result<(), PickleError> {
        let known = [ORDERED_DICT, REBUILD_TENSOR, REBUILD_TENSOR_V2, REBUILD_PARAMETER, SIZE];
        let storage = name.strip_prefix("torch.").is_some_and(|class| STORAGES.contains(&class));
        if known.contains(&&*name) || storage || name.starts_with(COMPILED) {
            return self.push(Value::Global(name));
        }
        Err(PickleError::Global(name))
    }

    fn global_name(&self, id: Id) -> Result<&str, PickleError> {
        let Value::Global(name) = self.values.get(id) else {
            return Err(PickleError::Broken("a function is expected"));
        };
        Ok(name)
    }

    pub(super) fn call(&mut self, function: Id, arguments: Id) -> Result<(), PickleError> {
        let arguments: Vec<Id> = self.values.list(arguments)?.iter().take(MAX_ARGUMENTS).copied().collect();
        let value = match (self.global_name(function)?, &*arguments) {
            (ORDERED_DICT, []) => Value::Dict(Vec::new()),
            (REBUILD_TENSOR | REBUILD_TENSOR_V2, [storage, offset, shape, strides, ..]) => {
                self.tensor([*storage, *offset, *shape, *strides])?
            }
            (REBUILD_PARAMETER, [tensor, ..]) => {
                let Value::Tensor(view) = self.values.get(*tensor) else {
                    return Err(PickleError::Broken("a parameter has no tensor"));
                };
                Value::Tensor(view.clone())
            }
            (SIZE, _) => Value::Other,
            (name, _) => return Err(PickleError::Global(format!("{name} with such arguments"))),
        };
        self.push(value)
    }

    fn tensor(&self, [storage, offset, shape, strides]: [Id; 4]) -> Result<Value, PickleError> {
        let Value::Storage(storage) = self.values.get(storage) else {
            return Err(PickleError::Broken("a tensor has no storage"));
        };
        Ok(Value::Tensor(TensorView {
            storage: storage.clone(),
            offset: self.values.int(offset)?,
            shape: self.values.ints(shape)?,
            strides: self.values.ints(strides)?,
        }))
    }

    /// An object of a compiled module; no other class has objects here.
    pub(super) fn object(&mut self) -> Result<(), PickleError> {
        let [class, _arguments] = self.pair()?;
        match self.global_name(class)? {
            name if name.starts_with(COMPILED) => self.push(Value::Module(Vec::new())),
            name => Err(PickleError::Global(name.to_owned())),
        }
    }

    /// Gives an object its attributes. Those of an ordered dictionary say nothing of its entries.
    pub(super) fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let object = self.peek()?;
        let Value::Dict(entries) = self.values.get(state) else {
            return Err(PickleError::Broken("attributes are expected"));
        };
        // The same attributes may be given again and again.
        self.given += entries.len();
        self.bounded(self.given)?;
        let entries = entries.clone();
        let object = &mut self.values.0[object];
        if let Value::Module(own) = object {
            own.extend(entries);
        } else if !matches!(object, Value::Dict(_)) {
            return Err(PickleError::Broken("an object is expected"));
        }
        Ok(())
    }

    /// Adds items to the list, or keys and values to the dictionary, on top.
    pub(super) fn fill(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.peek()?;
        let target = &mut self.values.0[target];
        if let Value::List(own) = target {
            own.extend(items);
        } else if let (Value::Dict(own), 0) = (target, items.len() % 2) {
            own.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        } else {
            return Err(PickleError::Broken("a list or dictionary is expected"));
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<Id, PickleError> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    /// `('storage', class, key, device, count)`, with a sixth entry in old files, nothing unless it is a view.
    pub(super) fn storage(&mut self) -> Result<(), PickleError> {
        let reference = self.pop()?;
        let parts = self.values.list(reference)?;
        let (Some([kind, class, key, _device, len]), view) = (parts.get(..5), parts.get(5)) else {
            return Err(PickleError::Broken("a storage is expected"));
        };
        if self.values.text(*kind) != Some("storage")
            || view.is_some_and(|view| *self.values.get(*view) != Value::Other)
        {
            return Err(PickleError::Broken("a storage is expected"));
        }
        let class = self.global_name(*class)?.trim_start_matches("torch.").to_owned();
        let (key, len) = (self.values.owned(*key)?, self.values.int(*len)?);
        if key.len() > MAX_KEY {
            return Err(PickleError::TooLarge("64 bytes of a storage's name"));
        }
        self.push(Value::Storage(Storage { class, key, len }))
    }
}
