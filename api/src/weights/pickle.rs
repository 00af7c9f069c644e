//! Reading a pickle as data.
//!
//! Python's pickles are programs for a small machine that may call any function. This one knows the instructions and
//! the functions that state dicts need and calls nothing: what rebuilds a tensor becomes a description of it. Anything
//! else ends the reading. Numbers and lengths in the file never decide how much memory is taken.

mod calls;

use std::collections::HashMap;
use std::io::{self, Read};

/// The most bytes of one pickle; a network of ten thousand tensors stays below 2 MiB.
const MAX_BYTES: u64 = 32 << 20;
/// The most values that a pickle makes.
const MAX_VALUES: usize = 1_000_000;
/// The longest text, in bytes.
const MAX_TEXT: usize = 1 << 16;

/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// Why a pickle is not read.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// It ends within an instruction.
    #[error("it is cut off")]
    CutOff,
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// It asks for a class or function that weights do not need.
    #[error("it asks for `{0}`, which weights do not need; save the state dict alone")]
    Global(String),
    /// It has an instruction that weights do not need.
    #[error("it has the instruction {0:#04x}, which weights do not need; save the state dict alone")]
    Opcode(u8),
    /// It is larger than any state dict.
    #[error("it has more than the {0} allowed")]
    TooLarge(&'static str),
    /// Its parts do not go together.
    #[error("its parts do not go together: {0}")]
    Broken(&'static str),
}

impl From<io::Error> for PickleError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::CutOff } else { Self::Io(error) }
    }
}

/// Place of a value among all values of a pickle.
pub type Id = usize;

/// A value that a pickle makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None, a truth value, a fraction: nothing that weights are made of.
    Other,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A tuple or a list.
    List(Vec<Id>),
    /// A dictionary.
    Dict(Vec<(Id, Id)>),
    /// An object of a compiled module, and its attributes.
    Module(Vec<(Id, Id)>),
    /// A class or function by name.
    Global(String),
    /// Numbers that lie elsewhere in the file.
    Storage(Storage),
    /// A tensor.
    Tensor(TensorView),
}

/// Numbers that lie elsewhere in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Their class, e.g. `FloatStorage`.
    pub class: String,
    /// Their name in the file.
    pub key: String,
    /// How many there are.
    pub len: i64,
}

/// What part of a storage a tensor shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorView {
    /// The numbers.
    pub storage: Storage,
    /// The place of its first.
    pub offset: i64,
    /// Length of each dimension.
    pub shape: Vec<i64>,
    /// Step from one to the next in each dimension.
    pub strides: Vec<i64>,
}

/// Every value of a pickle.
#[derive(Debug, Default)]
pub struct Values(Vec<Value>);

impl Values {
    /// One value.
    pub fn get(&self, id: Id) -> &Value {
        &self.0[id]
    }

    /// A text.
    pub fn text(&self, id: Id) -> Option<&str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// Every storage that is named.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0
            .iter()
            .filter_map(|value| if let Value::Storage(storage) = value { Some(storage) } else { None })
    }

    fn int(&self, id: Id) -> Result<i64, PickleError> {
        let Value::Int(value) = self.get(id) else {
            return Err(PickleError::Broken("a number is expected"));
        };
        Ok(*value)
    }

    fn list(&self, id: Id) -> Result<&[Id], PickleError> {
        let Value::List(items) = self.get(id) else {
            return Err(PickleError::Broken("a tuple is expected"));
        };
        Ok(items)
    }

    fn ints(&self, id: Id) -> Result<Vec<i64>, PickleError> {
        let items = self.list(id)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(PickleError::TooLarge("8 dimensions"));
        }
        items.iter().map(|item| self.int(*item)).collect()
    }

    /// The texts of a list.
    pub fn texts(&self, id: Id) -> Option<Vec<&str>> {
        self.list(id).ok()?.iter().map(|item| self.text(*item)).collect()
    }

    fn owned(&self, id: Id) -> Result<String, PickleError> {
        self.text(id).map(str::to_owned).ok_or(PickleError::Broken("a text is expected"))
    }
}

/// Reads one pickle; gives all values and the one that it is.
///
/// # Errors
/// [`PickleError`].
pub fn read(source: &mut dyn Read) -> Result<(Values, Id), PickleError> {
    let mut machine = Machine {
        source: source.take(MAX_BYTES),
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        given: 0,
    };
    loop {
        let opcode = match machine.array::<1>() {
            Err(PickleError::CutOff) if machine.source.limit() == 0 => {
                return Err(PickleError::TooLarge("33554432 bytes"));
            }
            read => read?[0],
        };
        if opcode == b'.' {
            let result = machine.pop()?;
            return Ok((machine.values, result));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    source: io::Take<&'a mut dyn Read>,
    values: Values,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Attributes that objects were given.
    given: usize,
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            0x80 => self.array::<1>().map(drop),
            0x95 => self.array::<8>().map(drop),
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'G' => self.array::<8>().and_then(|_| self.push(Value::Other)),
            b'K' => self.array::<1>().and_then(|[byte]| self.push(Value::Int(byte.into()))),
            b'M' => self.array().and_then(|bytes| self.push(Value::Int(u16::from_le_bytes(bytes).into()))),
            b'J' => self.array().and_then(|bytes| self.push(Value::Int(i32::from_le_bytes(bytes).into()))),
            0x8a => self.long(),
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(length as usize)
            }
            0x8c | b'U' => {
                let [length] = self.array()?;
                self.text(length.into())
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' | b')' => self.push(Value::List(Vec::new())),
            b'(' => {
                self.marks.push(self.stack.len());
                self.bounded(self.marks.len())
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::List(items))
            }
            0x85..=0x87 => {
                let items = self.top((opcode - 0x84).into())?;
                self.push(Value::List(items))
            }
            b'q' => self.array::<1>().and_then(|[key]| self.remember(key.into())),
            b'r' => self.array().and_then(|key| self.remember(u32::from_le_bytes(key))),
            0x94 => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX)),
            b'h' => self.array::<1>().and_then(|[key]| self.recall(key.into())),
            b'j' => self.array().and_then(|key| self.recall(u32::from_le_bytes(key))),
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.global(name)
            }
            0x93 => {
                let [module, name] = self.pair()?;
                let name = format!("{}.{}", self.values.owned(module)?, self.values.owned(name)?);
                self.global(name)
            }
            b'R' => {
                let [function, arguments] = self.pair()?;
                self.call(function, arguments)
            }
            0x81 => self.object(),
            b'b' => self.build(),
            b's' => {
                let pair = self.top(2)?;
                self.fill(&pair)
            }
            b'u' | b'e' => {
                let items = self.since_mark()?;
                self.fill(&items)
            }
            b'a' => {
                let item = self.top(1)?;
                self.fill(&item)
            }
            b'Q' => self.storage(),
            unknown => Err(PickleError::Opcode(unknown)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn bounded(&self, count: usize) -> Result<(), PickleError> {
        if count > MAX_VALUES { Err(PickleError::TooLarge("1000000 values")) } else { Ok(()) }
    }

    fn push(&mut self, value: Value) -> Result<(), PickleError> {
        self.bounded(self.values.0.len() + 1)?;
        self.values.0.push(value);
        self.stack.push(self.values.0.len() - 1);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(PickleError::Broken("an instruction finds too few values"));
        }
        Ok(self.stack.pop().expect("longer than the floor"))
    }

    fn top(&mut self, count: usize) -> Result<Vec<Id>, PickleError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    fn pair(&mut self) -> Result<[Id; 2], PickleError> {
        let second = self.pop()?;
        Ok([self.pop()?, second])
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Broken("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    /// A whole number of up to eight bytes; the longer ones that headers of old files have are told apart by nobody.
    fn long(&mut self) -> Result<(), PickleError> {
        let [length] = self.array()?;
        let mut bytes = vec![0; length.into()];
        self.source.read_exact(&mut bytes)?;
        if bytes.len() > 8 {
            return self.push(Value::Other);
        }
        let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        bytes.resize(8, fill);
        self.push(Value::Int(i64::from_le_bytes(bytes.try_into().expect("eight bytes"))))
    }

    fn text(&mut self, length: usize) -> Result<(), PickleError> {
        if length > MAX_TEXT {
            return Err(PickleError::TooLarge("65536 bytes of a text"));
        }
        let mut bytes = vec![0; length];
        self.source.read_exact(&mut bytes)?;
        self.push(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let mut line = Vec::new();
        loop {
            match self.array::<1>()? {
                [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
                _ if line.len() == MAX_TEXT => return Err(PickleError::TooLarge("65536 bytes of a text")),
                [byte] => line.push(byte),
            }
        }
    }

    fn remember(&mut self, key: u32) -> Result<(), PickleError> {
        let value = *self.stack.last().ok_or(PickleError::Broken("nothing is there to remember"))?;
        self.memo.insert(key, value);
        self.bounded(self.memo.len())
    }

    fn recall(&mut self, key: u32) -> Result<(), PickleError> {
        let value = self.memo.get(&key).copied();
        self.stack.push(value.ok_or(PickleError::Broken("a value is recalled that was not remembered"))?);
        self.bounded(self.stack.len())
    }
}
