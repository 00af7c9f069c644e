//! From decoded pixels to what a network reads.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use lookalike_shared::domain::backbone::{IMAGENET_MEAN, IMAGENET_STD};
use tch::{Device, Kind, TchError, Tensor};

use super::layout;

const CHANNELS: usize = 3;

/// Bytes that are not a whole number of square pictures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are not a whole number of pictures of {side} x {side} pixels")]
pub struct PicturesError {
    bytes: usize,
    side: usize,
}

/// Square pictures of one size, `u8` `[N, side, side, 3]`, red, green, blue: all of those given, or some of them.
///
/// Their memory may be a mapped file; a clone, a slice and a selection share it.
#[derive(Debug, Clone)]
pub struct Pictures {
    side: usize,
    given: Given,
    /// Which of the pictures given these are, in this order; all when none.
    rows: Option<Arc<[u32]>>,
}

/// Where pictures lie.
#[derive(Debug, Clone)]
enum Given {
    /// One after the other.
    Together(Bytes),
    /// Each in a buffer of its own.
    Apart(Arc<[Bytes]>),
}

impl Pictures {
    /// Pictures of `side` pixels on each side, one after the other.
    ///
    /// # Errors
    /// When the length is not a multiple of one picture's.
    pub fn new(side: usize, pixels: impl Into<Bytes>) -> Result<Self, PicturesError> {
        let pixels = pixels.into();
        if side == 0 || pixels.len() % picture_bytes(side) != 0 {
            return Err(PicturesError { bytes: pixels.len(), side });
        }
        Ok(Self { side, given: Given::Together(pixels), rows: None })
    }

    /// Pictures of `side` pixels on each side, each in a buffer of its own: none is copied.
    ///
    /// # Errors
    /// When a buffer does not hold exactly one.
    pub fn apart(side: usize, buffers: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, PicturesError> {
        let buffers: Arc<[Bytes]> = buffers.into_iter().map(Bytes::from).collect();
        match buffers.iter().find(|buffer| side == 0 || buffer.len() != picture_bytes(side)) {
            Some(buffer) => Err(PicturesError { bytes: buffer.len(), side }),
            None => Ok(Self { side, given: Given::Apart(buffers), rows: None }),
        }
    }

    /// All pictures of several selections, one after the other, sharing their memory.
    ///
    /// # Panics
    /// When they are of several sizes.
    pub fn joined(parts: &[Self]) -> Self {
        let side = parts.first().map_or(1, |part| part.side);
        assert!(parts.iter().all(|part| part.side == side), "pictures of one size");
        let all = parts.iter().flat_map(|part| (0..part.len()).map(|index| part.buffer(index)));
        Self { side, given: Given::Apart(all.collect()), rows: None }
    }

    /// Height and width of each picture.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        match (&self.rows, &self.given) {
            (Some(rows), _) => rows.len(),
            (None, Given::Together(pixels)) => pixels.len() / picture_bytes(self.side),
            (None, Given::Apart(buffers)) => buffers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One picture in a buffer that shares its memory.
    fn buffer(&self, index: usize) -> Bytes {
        let row = self.row(index) as usize;
        match &self.given {
            Given::Together(pixels) => {
                let length = picture_bytes(self.side);
                pixels.slice(row * length..(row + 1) * length)
            }
            Given::Apart(buffers) => buffers[row].clone(),
        }
    }

    /// The pixels of one picture, `[side, side, 3]`.
    pub fn get(&self, index: usize) -> &[u8] {
        let row = self.row(index) as usize;
        match &self.given {
            Given::Together(pixels) => &pixels[row * picture_bytes(self.side)..][..picture_bytes(self.side)],
            Given::Apart(buffers) => &buffers[row],
        }
    }

    /// The pixels of all pictures, one after the other: those given, or a copy when they lie apart or were selected.
    pub fn pixels(&self) -> Cow<'_, [u8]> {
        if let (None, Given::Together(pixels)) = (&self.rows, &self.given) {
            return Cow::Borrowed(pixels);
        }
        let mut pixels = Vec::with_capacity(self.len() * picture_bytes(self.side));
        (0..self.len()).for_each(|index| pixels.extend_from_slice(self.get(index)));
        Cow::Owned(pixels)
    }

    /// At most `count` pictures from `first` on, sharing the memory.
    pub fn slice(&self, first: usize, count: usize) -> Self {
        let end = first.saturating_add(count).min(self.len());
        if let (None, Given::Together(pixels)) = (&self.rows, &self.given) {
            let length = picture_bytes(self.side);
            let given = Given::Together(pixels.slice(first * length..end * length));
            return Self { side: self.side, given, rows: None };
        }
        let rows = (first..end).map(|index| self.row(index)).collect();
        Self { side: self.side, given: self.given.clone(), rows: Some(rows) }
    }

    /// The pictures at these positions, in this order, sharing the memory: 4 bytes a picture are taken.
    ///
    /// # Panics
    /// When a position is none of a picture.
    pub fn select(&self, positions: &[usize]) -> Self {
        let count = self.len();
        let row = |&position: &usize| {
            assert!(position < count, "picture {position} of {count}");
            self.row(position)
        };
        Self { side: self.side, given: self.given.clone(), rows: Some(positions.iter().map(row).collect()) }
    }

    /// Which of the pictures given the one at `index` is.
    fn row(&self, index: usize) -> u32 {
        match &self.rows {
            Some(rows) => rows[index],
            None => u32::try_from(index).expect("fewer than 2^32 pictures are given"),
        }
    }
}

const fn picture_bytes(side: usize) -> usize {
    side * side * CHANNELS
}

/// How pixels are scaled for a model: `(pixel / 255 - mean) / std` for each channel.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Normalisation {
    /// Mean of red, green, blue, of pixels in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of red, green, blue, of pixels in 0..1.
    pub std: [f32; 3],
}

impl Default for Normalisation {
    /// The constants of torchvision's ImageNet weights.
    fn default() -> Self {
        Self { mean: IMAGENET_MEAN, std: IMAGENET_STD }
    }
}

impl Normalisation {
    /// Normalised pictures, `f32` `[N, 3, side, side]` on `device`, from `pixels` `[N, side, side, 3]`. The bytes travel
    /// to the device; the arithmetic is done there.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tensor(&self, pixels: &[u8], side: usize, device: Device) -> Result<Tensor, TchError> {
        self.shifted(pixels, side, &[], device)
    }

    /// As [`Normalisation::tensor`], with `shifts[n]` added to the channels of picture `n` (pixels in 0..1). No shifts
    /// stand for zeroes.
    ///
    /// # Errors
    /// When the device fails.
    pub fn shifted(
        &self,
        pixels: &[u8],
        side: usize,
        shifts: &[[f32; 3]],
        device: Device,
    ) -> Result<Tensor, TchError> {
        let zero = [[0.0; CHANNELS]];
        let shifts = if shifts.is_empty() { &zero } else { shifts };
        let offsets: Vec<f32> = shifts.iter().flat_map(|shift| self.offset(*shift)).collect();
        let offsets =
            Tensor::f_from_slice(&offsets)?.f_view([-1, 1, 1, CHANNELS as i64])?.f_to_device(device)?;
        let scale = Tensor::f_from_slice(&self.std.map(|std| 1.0 / (255.0 * std)))?.f_to_device(device)?;
        let side = side as i64;
        let pixels = Tensor::f_from_slice(pixels)?.f_view([-1, side, side, CHANNELS as i64])?;
        let pixels = pixels.f_to_device(device)?.f_to_kind(Kind::Float)?;
        layout::preferred(&offsets.f_addcmul(&pixels, &scale)?.f_permute([0, 3, 1, 2])?, device)
    }

    fn offset(&self, shift: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|channel| (shift[channel] - self.mean[channel]) / self.std[channel])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_and_a_slice_of_it_show_the_pictures_of_the_whole() {
        let bytes: Vec<u8> = (0..6 * 12).map(|at| at / 12).collect();
        let apart = Pictures::apart(2, bytes.chunks(12).map(<[u8]>::to_vec)).unwrap();
        assert_eq!(apart.pixels(), bytes);
        check(&apart);
        let together = Pictures::new(2, bytes).unwrap();
        assert!(matches!(together.slice(1, 2).pixels(), Cow::Borrowed(_)));
        check(&together);
    }

    #[test]
    fn every_buffer_holds_one_whole_picture() {
        assert!(Pictures::new(2, vec![0; 13]).is_err());
        assert!(Pictures::apart(2, [vec![0; 12], vec![0; 24]]).is_err());
        assert!(Pictures::apart(0, [vec![]]).is_err());
        assert!(Pictures::apart(2, []).unwrap().is_empty());
    }

    fn check(all: &Pictures) {
        let some = all.select(&[5, 0, 3, 3]);
        let numbers = |pictures: &Pictures| -> Vec<u8> {
            (0..pictures.len()).map(|index| pictures.get(index)[0]).collect()
        };
        assert_eq!((some.len(), numbers(&some)), (4, vec![5, 0, 3, 3]));
        assert_eq!(numbers(&some.slice(1, 9)), [0, 3, 3]);
        assert_eq!(numbers(&some.select(&[2, 0])), [3, 5]);
        assert_eq!(some.pixels(), [[5; 12], [0; 12], [3; 12], [3; 12]].concat());
        assert_eq!(some.get(0).as_ptr(), all.get(5).as_ptr(), "nothing is copied");
        assert_eq!(numbers(&all.slice(1, 2).select(&[1])), [2]);
        let joined = Pictures::joined(&[some.slice(0, 2), all.slice(1, 1)]);
        assert_eq!(numbers(&joined), [5, 0, 1]);
        assert_eq!(joined.get(2).as_ptr(), all.get(1).as_ptr(), "nothing is copied");
        assert!(all.select(&[]).is_empty());
    }
}
