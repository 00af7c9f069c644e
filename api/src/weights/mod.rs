//! Weights files of PyTorch made into safetensors files.
//!
//! Three containers are read: the zip archive of `torch.save` since 1.6, which is also what compiled modules and tch's
//! `.ot` are, and the row of pickles of older versions. They are told apart by their first bytes, not by their names.
//! Nothing in a file is executed, and nothing in it decides how much memory is taken: one storage is held at a time,
//! and everything together is bounded.

mod containers;
mod names;
mod pickle;
mod state;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use half::{bf16, f16};
use serde_json::{Map, Value as Json, json};

use self::containers::Container;
use self::pickle::{PickleError, Storage, TensorView};
use self::state::Tensor;

/// How a zip archive begins.
const ZIP: &[u8] = b"PK\x03\x04";
/// How a pickle of the number begins that older files start with.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Why a file is not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The pickle is damaged, or more than data.
    #[error("the pickle in the file is refused: {0}")]
    Pickle(#[from] PickleError),
    /// The container is damaged.
    #[error("the archive cannot be read: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// A part of the container is missing, or of another size.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// There is nothing in it that a network is made of.
    #[error(
        "the file has no state dict: a dictionary of tensors, or one under `state_dict` or `model`, expected"
    )]
    NoTensors,
    /// A tensor that is no tensor of a network.
    #[error("`{name}` {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It becomes larger than uploads may be.
    #[error("as 32-bit floats it has more than the {0} bytes allowed")]
    TooLarge(u64),
    /// The disk failed.
    #[error("it cannot be converted here: {0}")]
    Io(#[from] io::Error),
}

/// Whether a file that begins with these bytes, four at least, is one of PyTorch's.
pub fn is_pytorch(start: &[u8]) -> bool {
    start.starts_with(ZIP) || start.starts_with(&LEGACY[..ZIP.len()])
}

/// Writes the state dict of a PyTorch file as a safetensors file of `f32`, with the names that backbones have, of at most
/// `limit` bytes. Blocks.
///
/// # Errors
/// [`ConvertError`].
pub fn convert(file: File, out: File, limit: u64) -> Result<(), ConvertError> {
    let mut container = Container::open(file)?;
    let tensors = state::tensors(&container)?;
    let mut out = BufWriter::new(out);
    write_header(&tensors, limit, &mut out)?;
    let mut held: Option<(Storage, Vec<u8>)> = None;
    for tensor in &tensors {
        let wanted = &tensor.view.storage;
        if held.as_ref().is_none_or(|(storage, _)| storage != wanted) {
            // Before the next one is read, so that one is held at a time.
            drop(held.take());
            held = Some((wanted.clone(), container.storage(wanted, limit)?));
        }
        let (_, bytes) = held.as_ref().expect("read above");
        write_values(tensor, bytes, &mut out)?;
    }
    Ok(out.flush()?)
}

fn write_header(tensors: &[Tensor], limit: u64, out: &mut impl Write) -> Result<(), ConvertError> {
    let mut header = Map::new();
    let mut end = 0_u64;
    for tensor in tensors {
        let start = end;
        end = end.saturating_add(tensor.values.saturating_mul(4));
        let entry = json!({"dtype": "F32", "shape": tensor.view.shape, "data_offsets": [start, end]});
        header.insert(tensor.name.clone(), entry);
    }
    let mut header = Json::Object(header).to_string();
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    if end.saturating_add(header.len() as u64 + 8) > limit {
        return Err(ConvertError::TooLarge(limit));
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    Ok(out.write_all(header.as_bytes())?)
}

/// A tensor's values, row by row, whatever its strides are.
fn write_values(tensor: &Tensor, bytes: &[u8], out: &mut impl Write) -> Result<(), ConvertError> {
    let TensorView { storage, offset, shape, strides } = &tensor.view;
    let number = state::number(&storage.class).expect("checked with the tensor");
    let width = number.bytes();
    let mut index = vec![0_i64; shape.len()];
    for _ in 0..tensor.values {
        let at = offset + index.iter().zip(strides).map(|(at, stride)| at * stride).sum::<i64>();
        let at = usize::try_from(at).expect("checked with the tensor") * width;
        out.write_all(&number.value(&bytes[at..at + width]).to_le_bytes())?;
        for (place, length) in index.iter_mut().zip(shape).rev() {
            *place += 1;
            if *place < *length {
                break;
            }
            *place = 0;
        }
    }
    Ok(())
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    F16,
    Bf16,
    F32,
    F64,
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn value(self, bytes: &[u8]) -> f32 {
        let short = || [bytes[0], bytes[1]];
        match self {
            Self::F16 => f16::from_le_bytes(short()).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(short()).to_f32(),
            Self::F32 => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
            Self::F64 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")) as f32,
        }
    }
}
