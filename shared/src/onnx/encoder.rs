//! From the data of a safetensors file to the bytes of an ONNX file, as they stream by.

use std::collections::VecDeque;
use std::ops::Range;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

/// The weights ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the weights end after {found} bytes of tensors, {needed} are announced")]
pub struct WrongLength {
    /// Bytes of tensors that came.
    pub found: u64,
    /// Bytes of tensors that the header announces.
    pub needed: u64,
}

/// A piece of the file.
#[derive(Debug)]
pub(super) enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes of the weights as `f32`.
    Tensor(Range<u64>, Number),
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl Part {
    /// The values of one tensor, whose type was checked.
    pub fn of(info: &TensorInfo) -> Self {
        let (start, end) = info.data_offsets;
        let number = if info.dtype == Dtype::F16 {
            Number::F16
        } else if info.dtype == Dtype::BF16 {
            Number::Bf16
        } else {
            Number::F32
        };
        Self::Tensor(start as u64..end as u64, number)
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Tensor(range, number) => (range.end - range.start) / number.bytes() * 4,
        }
    }
}

/// An ONNX file under way.
#[derive(Debug)]
pub struct Encoder {
    parts: VecDeque<Part>,
    /// Bytes of tensors seen.
    at: u64,
    /// Bytes of tensors that the parts need.
    needed: u64,
    length: u64,
    /// The first byte of a number whose second is in the next piece.
    odd: Option<u8>,
}

impl Encoder {
    /// `parts` take the weights in their order.
    pub(super) fn new(parts: Vec<Part>) -> Self {
        let needed = |part: &Part| match part {
            Part::Bytes(_) => 0,
            Part::Tensor(range, _) => range.end,
        };
        let (at, odd) = (0, None);
        let needed = parts.iter().map(needed).max().unwrap_or(0);
        Self { length: parts.iter().map(Part::len).sum(), parts: parts.into(), at, needed, odd }
    }

    /// Bytes of the whole file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next piece of the weights' data, which begins behind their header, and gives what follows of the file.
    pub fn push(&mut self, mut piece: &[u8]) -> Vec<u8> {
        let mut file = Vec::with_capacity(2 * piece.len());
        self.write_bytes(&mut file);
        while let (Some(Part::Tensor(range, number)), false) = (self.parts.front(), piece.is_empty()) {
            let (range, number) = (range.clone(), *number);
            piece = self.skip_to(range.start, piece);
            let (taken, rest) = split(piece, range.end - self.at);
            self.convert(number, taken, &mut file);
            self.at += taken.len() as u64;
            piece = rest;
            if self.at == range.end {
                self.parts.pop_front();
                self.write_bytes(&mut file);
            }
        }
        self.at += piece.len() as u64;
        file
    }

    /// What is left of the file.
    ///
    /// # Errors
    /// [`WrongLength`] when the weights did not come whole.
    pub fn finish(mut self) -> Result<Vec<u8>, WrongLength> {
        let mut file = Vec::new();
        self.write_bytes(&mut file);
        if self.parts.is_empty() {
            Ok(file)
        } else {
            Err(WrongLength { found: self.at, needed: self.needed })
        }
    }

    fn write_bytes(&mut self, file: &mut Vec<u8>) {
        while let Some(Part::Bytes(bytes)) = self.parts.front() {
            file.extend(bytes);
            self.parts.pop_front();
        }
    }

    /// Leaves out what no part takes.
    fn skip_to<'a>(&mut self, start: u64, piece: &'a [u8]) -> &'a [u8] {
        let (skipped, rest) = split(piece, start.saturating_sub(self.at));
        self.at += skipped.len() as u64;
        rest
    }

    fn convert(&mut self, number: Number, bytes: &[u8], file: &mut Vec<u8>) {
        let widen = |pair: [u8; 2]| match number {
            Number::F16 => f16::from_le_bytes(pair).to_f32(),
            Number::F32 | Number::Bf16 => bf16::from_le_bytes(pair).to_f32(),
        };
        if number == Number::F32 {
            file.extend(bytes);
            return;
        }
        for byte in bytes {
            match self.odd.take() {
                None => self.odd = Some(*byte),
                Some(first) => file.extend(widen([first, *byte]).to_le_bytes()),
            }
        }
    }
}

fn split(piece: &[u8], at: u64) -> (&[u8], &[u8]) {
    piece.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(piece.len()))
}
