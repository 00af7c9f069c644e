//! Which side pictures should be trained at, told from their headers.

use bytes::BytesMut;
use futures::{StreamExt, TryStreamExt, stream};
use lookalike_shared::domain::backbone::Backbone;
use lookalike_shared::storage::{Source, StorageError};

use super::LabelledFile;

/// Files whose headers are read, at most.
const SAMPLE: usize = 500;
/// Headers read at a time.
const TOGETHER: usize = 32;
/// A size that is not told by then is not looked for: pictures with an embedded preview tell it after some 64 KiB.
const HEADER_BYTES: usize = 256 << 10;
/// Sides are multiples of this, by which every network here divides its input.
const STEP: f64 = 32.0;
/// Below this, networks that divide their input by 32 see a picture as 3 x 3 places or fewer.
const LEAST: u32 = 96;

/// A side to train at, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedSize {
    /// In pixels.
    pub image_size: u32,
    /// In a sentence without its full stop.
    pub reason: String,
}

/// The side at which pictures of this median short side (pixels) suit a network: two and a half times the short side, to
/// the nearest multiple of 32; at least 96 and what the network needs, at most what it was published with.
///
/// Scaled up, small pictures give the layers after each halving something to look at. Of pictures of 64 pixels a linear
/// layer on MobileNetV2's features recognised 0.777 at 96, 0.812 at 128, 0.838 at 160, 0.840 at 192, 0.833 at 224.
pub fn suited_size(median_short_side: u32, backbone: &Backbone) -> u32 {
    let scaled = (f64::from(median_short_side) * 2.5 / STEP).round() * STEP;
    let least = LEAST.max(backbone.min_image_size);
    (scaled as u32).clamp(least, least.max(backbone.default_image_size))
}

/// Suggests the side to train at from the headers of at most 500 files, spread evenly: the same files, the same answer.
/// Where no header tells a size it is the network's own.
///
/// # Errors
/// The store failed.
pub async fn suggest_size(
    source: &Source,
    files: &[LabelledFile],
    backbone: &Backbone,
) -> Result<SuggestedSize, StorageError> {
    let sample = spread(files).into_iter();
    let probes: Vec<_> = sample.map(|file| short_side(source.clone(), file.key.clone())).collect();
    let mut sides: Vec<u32> = stream::iter(probes)
        .buffer_unordered(TOGETHER)
        .try_filter_map(|side| std::future::ready(Ok(side)))
        .try_collect()
        .await?;
    let Some(median) = median(&mut sides) else {
        let reason = format!("no header tells a size, so it is that of {}", backbone.name);
        return Ok(SuggestedSize { image_size: backbone.default_image_size, reason });
    };
    let image_size = suited_size(median, backbone);
    let reason = format!(
        "the median short side of {} pictures is {median} pixels; {} reads {} at most, {} at least",
        sides.len(),
        backbone.name,
        backbone.default_image_size,
        LEAST.max(backbone.min_image_size),
    );
    Ok(SuggestedSize { image_size, reason })
}

/// The middle one of the values, the higher one of two.
pub fn median(values: &mut [u32]) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn spread(files: &[LabelledFile]) -> Vec<&LabelledFile> {
    let count = files.len().min(SAMPLE);
    (0..count).map(|at| &files[at * files.len() / count]).collect()
}

/// The short side that a file's header declares; none where it cannot be told.
async fn short_side(source: Source, key: String) -> Result<Option<u32>, StorageError> {
    let mut bytes = match source.open(&key).await {
        Ok((_, bytes)) => bytes,
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut header = BytesMut::new();
    while let Some(piece) = bytes.try_next().await? {
        header.extend_from_slice(&piece);
        if let Ok(size) = imagesize::blob_size(&header) {
            return Ok(u32::try_from(size.width.min(size.height)).ok());
        }
        if header.len() > HEADER_BYTES {
            break;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use lookalike_shared::domain::backbone::by_name;

    use super::*;

    #[test]
    fn small_pictures_are_scaled_up_and_large_ones_to_what_the_network_knows() {
        let mobilenet = by_name("mobilenet_v2").unwrap();
        for (short, expected) in [(1, 96), (32, 96), (50, 128), (64, 160), (80, 192), (100, 224), (375, 224)]
        {
            assert_eq!(suited_size(short, mobilenet), expected, "{short}");
        }
        let alexnet = by_name("alexnet").unwrap();
        assert_eq!(suited_size(1_000, alexnet), alexnet.default_image_size);
        assert!(suited_size(8, alexnet) >= alexnet.min_image_size);
    }

    #[test]
    fn the_sample_is_spread_over_all_files() {
        let file = |n: usize| LabelledFile {
            key: n.to_string(),
            uri: n.to_string(),
            class: 0,
            size: 0,
            etag: String::new(),
        };
        let files: Vec<_> = (0..1_200).map(file).collect();
        let sample = spread(&files);
        assert_eq!((sample.len(), sample[0], sample[499]), (500, &files[0], &files[1_197]));
        assert_eq!(spread(&files[..3]).len(), 3);
        assert!(spread(&[]).is_empty());
        assert_eq!((median(&mut [3, 1, 2]), median(&mut [])), (Some(2), None));
    }
}
