//! The header of a safetensors file, picked out of a stream while the rest goes to the store.
//!
//! A file is eight bytes with the header's length, the header (JSON: every tensor's type, shape and place), the
//! tensors. What the header announces must be exactly what follows.

use lookalike_shared::domain::backbone::TensorInfo;
use safetensors::tensor::Metadata;

/// The longest header that is read, in bytes; a network of ten thousand tensors stays below 2 MiB.
const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Bytes before the header.
const LENGTH_BYTES: usize = 8;

/// Why a file is no safetensors file.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    /// It ends within its header.
    #[error("the file ends after {0} bytes, within its header: no safetensors file")]
    Short(u64),
    /// Its header is longer than any network needs.
    #[error(
        "the first 8 bytes announce a header of {0} bytes, more than {MAX_HEADER_BYTES}: no safetensors file"
    )]
    Long(u64),
    /// Its header is not what safetensors defines.
    #[error("the header cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It is cut off, or has bytes that nothing refers to.
    #[error("the file has {found} bytes, but its header announces {announced}")]
    WrongSize {
        /// How many there are.
        found: u64,
        /// How many there should be.
        announced: u64,
    },
}

/// Collects the header from the pieces of a file.
#[derive(Debug, Default)]
pub struct HeaderReader {
    start: Vec<u8>,
    file_bytes: u64,
}

impl HeaderReader {
    /// Takes the next piece; keeps no more of it than the header needs.
    ///
    /// # Errors
    /// [`BadHeader::Long`].
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), BadHeader> {
        self.file_bytes += piece.len() as u64;
        self.keep(&mut piece, LENGTH_BYTES);
        let Some(length) = self.header_bytes() else { return Ok(()) };
        if length > MAX_HEADER_BYTES {
            return Err(BadHeader::Long(length));
        }
        self.keep(&mut piece, LENGTH_BYTES + length as usize);
        Ok(())
    }

    /// The header, once it is whole.
    ///
    /// # Errors
    /// [`BadHeader::Json`].
    pub fn metadata(&self) -> Result<Option<Metadata>, BadHeader> {
        let header = self
            .header_bytes()
            .and_then(|length| self.start.get(LENGTH_BYTES..LENGTH_BYTES + length as usize));
        header.map(serde_json::from_slice).transpose().map_err(BadHeader::from)
    }

    /// What is wrong with a file that has ended before its header is whole.
    pub fn short(&self) -> BadHeader {
        BadHeader::Short(self.file_bytes)
    }

    /// Bytes before the data, once it is known.
    pub fn data_start(&self) -> Option<u64> {
        Some(LENGTH_BYTES as u64 + self.header_bytes()?)
    }

    /// The tensors of the file, which has ended, in the order of their data.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn finish(self) -> Result<Vec<TensorInfo>, BadHeader> {
        let short = self.short();
        let Some(length) = self.header_bytes() else { return Err(short) };
        let end = LENGTH_BYTES + length as usize;
        if self.start.len() < end {
            return Err(short);
        }
        let metadata: Metadata = serde_json::from_slice(&self.start[LENGTH_BYTES..end])?;
        let announced = end as u64 + metadata.data_len() as u64;
        if announced != self.file_bytes {
            return Err(BadHeader::WrongSize { found: self.file_bytes, announced });
        }
        Ok(tensors(&metadata))
    }

    fn keep(&mut self, piece: &mut &[u8], until: usize) {
        let missing = until.saturating_sub(self.start.len()).min(piece.len());
        let (kept, rest) = piece.split_at(missing);
        self.start.extend_from_slice(kept);
        *piece = rest;
    }

    fn header_bytes(&self) -> Option<u64> {
        self.start.first_chunk::<LENGTH_BYTES>().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

fn tensors(metadata: &Metadata) -> Vec<TensorInfo> {
    let named = metadata.offset_keys().into_iter().filter_map(|name| {
        let info = metadata.info(&name)?;
        Some(TensorInfo { dtype: format!("{:?}", info.dtype), shape: info.shape.clone(), name })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<TensorInfo>, BadHeader> {
        let mut reader = HeaderReader::default();
        for piece in bytes.chunks(piece) {
            reader.push(piece)?;
        }
        reader.finish()
    }

    const TWO: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]},
                          "a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#;

    #[test]
    fn tensors_are_read_whatever_the_pieces() {
        for piece in [1, 7, 8, 9, 1_000] {
            let tensors = read(&file(TWO, 14), piece).unwrap();
            let told: Vec<_> =
                tensors.iter().map(|t| (t.name.as_str(), t.dtype.as_str(), t.shape.as_slice())).collect();
            assert_eq!(told, [("a", "F32", [2, 1].as_slice()), ("b", "F16", [3].as_slice())]);
        }
    }

    #[test]
    fn damage_is_told_apart() {
        assert!(matches!(read(b"\x05\0\0", 8), Err(BadHeader::Short(3))));
        assert!(matches!(read(&file(TWO, 14)[..40], 8), Err(BadHeader::Short(40))));
        assert!(matches!(read(b"PK\x03\x04\x14\0\0\0\0", 8), Err(BadHeader::Long(_))));
        assert!(matches!(read(&file("{]", 0), 8), Err(BadHeader::Json(_))));
        assert!(matches!(read(&file(TWO, 13), 8), Err(BadHeader::WrongSize { .. })));
        assert!(matches!(read(&file(TWO, 15), 8), Err(BadHeader::WrongSize { .. })));
    }

    #[test]
    fn overlapping_tensors_are_refused() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
        assert!(matches!(read(&file(header, 12), 8), Err(BadHeader::Json(_))));
    }
}
