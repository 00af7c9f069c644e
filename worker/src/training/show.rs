//! Views of pictures as tensors: places and colours are worked out on the device.

use tch::{Device, Kind, TchError, Tensor};

use super::augment::View;
use super::batches::{Batch, Mixing};
use crate::network::Normalisation;

/// libtorch's numbers for straight lines between pixels, and for what lies beyond the border: mirrored.
const BILINEAR: i64 = 0;
const REFLECTION: i64 = 2;

/// What the network reads: `f32` `[N, 3, size, size]`, normalised, on `device`.
///
/// # Errors
/// When the device fails.
pub(super) fn pictures(
    batch: &Batch,
    size: usize,
    normalisation: &Normalisation,
    device: Device,
) -> Result<Tensor, TchError> {
    let plain = batch.views.iter().all(|view| view.placement.is_none() && only_shifts(view));
    let pictures = if plain {
        let shifts: Vec<[f32; 3]> = batch.views.iter().map(|view| view.colouring.map(|row| row[3])).collect();
        normalisation.shifted(&batch.pixels, batch.side, &shifts, device)?
    } else {
        coloured(&placed(batch, size, device)?, &batch.views, normalisation)?
    };
    match &batch.mixing {
        Some(mixing) => mixed(&pictures, mixing),
        None => Ok(pictures),
    }
}

/// The weighted mean of each row and its partner's; rows are pictures or what the head reads of them.
///
/// # Errors
/// When the device fails.
pub(super) fn mixed(rows: &Tensor, mixing: &Mixing) -> Result<Tensor, TchError> {
    let partners = Tensor::f_from_slice(&mixing.partners)?.f_to_device(rows.device())?;
    rows.f_index_select(0, &partners)?.f_lerp(rows, mixing.share)
}

fn only_shifts(view: &View) -> bool {
    let same =
        |(place, row): (usize, &[f32; 4])| (0..3).all(|at| row[at] == f32::from(u8::from(at == place)));
    view.colouring.iter().enumerate().all(same)
}

/// Pixels in 0..1 where the views want them, `[N, size, size, 3]`.
fn placed(batch: &Batch, size: usize, device: Device) -> Result<Tensor, TchError> {
    let (count, side) = (batch.views.len() as i64, batch.side as i64);
    let pixels = Tensor::f_from_slice(&batch.pixels)?.f_view([count, side, side, 3])?.f_to_device(device)?;
    let pixels = pixels.f_to_kind(Kind::Float)?.f_multiply_scalar(1.0 / 255.0)?;
    let placements: Vec<f32> = batch
        .views
        .iter()
        .filter_map(|view| view.placement)
        .flat_map(|rows| rows.as_flattened().to_vec())
        .collect();
    if placements.is_empty() {
        return Ok(pixels);
    }
    let placements = Tensor::f_from_slice(&placements)?.f_view([count, 2, 3])?.f_to_device(device)?;
    let size = size as i64;
    let grid = Tensor::f_affine_grid_generator(&placements, [count, 3, size, size], false)?;
    let maps = pixels.f_permute([0, 3, 1, 2])?;
    maps.f_grid_sampler_2d(&grid, BILINEAR, REFLECTION, false)?.f_permute([0, 2, 3, 1])?.f_contiguous()
}

/// Colours changed and normalised by one matrix for each picture, as `[N, 3, size, size]`.
fn coloured(pixels: &Tensor, views: &[View], normalisation: &Normalisation) -> Result<Tensor, TchError> {
    let (count, height, width, _) = pixels.size4()?;
    let mut weights = Vec::with_capacity(views.len() * 9);
    let mut offsets = Vec::with_capacity(views.len() * 3);
    for view in views {
        for column in 0..3 {
            weights.extend((0..3).map(|row| view.colouring[row][column] / normalisation.std[row]));
        }
        offsets.extend(
            (0..3).map(|row| (view.colouring[row][3] - normalisation.mean[row]) / normalisation.std[row]),
        );
    }
    let weights = Tensor::f_from_slice(&weights)?.f_view([count, 3, 3])?.f_to_device(pixels.device())?;
    let offsets = Tensor::f_from_slice(&offsets)?.f_view([count, 1, 3])?.f_to_device(pixels.device())?;
    let flat = pixels.f_view([count, height * width, 3])?;
    let flat = offsets.f_baddbmm(&flat, &weights, 1.0, 1.0)?;
    flat.f_view([count, height, width, 3])?.f_permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Pictures;
    use crate::training::augment::Viewer;
    use crate::training::batches::Batches;
    use crate::training::config::Augment;
    use crate::training::{Labelled, TrainConfig};

    const SIDE: usize = 12;
    const SIZE: usize = 8;

    fn part() -> Labelled {
        let pixels: Vec<u8> = (0..3 * SIDE * SIDE * 3).map(|at| (at * at / 3 % 256) as u8).collect();
        Labelled { pictures: Pictures::new(SIDE, pixels).unwrap(), labels: vec![0, 1, 2] }
    }

    fn batch(part: &Labelled, augment: Augment) -> Batch {
        let viewer = Viewer { augment, colours: None, side: SIDE, size: SIZE };
        Batches { part, batch_size: 3, viewer, seed: 3 }.batch(&[0, 1, 2], 1, 0)
    }

    fn shown(batch: &Batch) -> Tensor {
        pictures(batch, SIZE, &TrainConfig::default().normalisation, Device::Cpu).unwrap()
    }

    fn off(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.size(), b.size());
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn a_placement_at_whole_pixels_shows_what_a_cut_shows() {
        let part = part();
        let cut = batch(&part, Augment { crop: true, mirror: true, ..Augment::NONE });
        let mut placed =
            Batch { pixels: part.pictures.pixels().to_vec(), side: SIDE, ..batch(&part, Augment::NONE) };
        for (view, cut) in placed.views.iter_mut().zip(&cut.views) {
            let scale = SIZE as f32 / SIDE as f32;
            let [x, y] = cut.corner.unwrap().map(|place| 2.0 * place as f32 / SIDE as f32 + scale - 1.0);
            let flip = if cut.mirror { -scale } else { scale };
            view.placement = Some([[flip, 0.0, x], [0.0, scale, y]]);
        }
        assert!(cut.views.iter().any(|view| view.mirror));
        assert!(off(&shown(&placed), &shown(&cut)) < 1e-4);
    }

    #[test]
    fn colours_are_changed_before_they_are_normalised() {
        let part = part();
        let mut batch = batch(&part, Augment::NONE);
        let plain = shown(&batch);
        // Red and blue change places, green is halved and lifted.
        batch.views[1].colouring = [[0.0, 0.0, 1.0, 0.0], [0.0, 0.5, 0.0, 0.25], [1.0, 0.0, 0.0, 0.0]];
        let found = shown(&batch);
        assert!(off(&found.get(0), &plain.get(0)) < 1e-5 && off(&found.get(2), &plain.get(2)) < 1e-5);
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let colour = |channel: usize| plain.get(1).get(channel as i64) * std[channel] + mean[channel];
        let expected = [colour(2), colour(1) * 0.5 + 0.25, colour(0)];
        for (channel, expected) in expected.into_iter().enumerate() {
            let expected = (expected - mean[channel]) / std[channel];
            assert!(off(&found.get(1).get(channel as i64), &expected) < 1e-4, "{channel}");
        }
    }

    #[test]
    fn mixed_pictures_are_the_weighted_mean_of_two() {
        let part = part();
        let plain = shown(&batch(&part, Augment::NONE));
        let mixed = batch(&part, Augment { mixup: 1.0, ..Augment::NONE });
        let mixing = mixed.mixing.clone().unwrap();
        let found = shown(&mixed);
        for (place, partner) in mixing.partners.iter().enumerate() {
            let expected =
                plain.get(place as i64) * mixing.share + plain.get(*partner) * (1.0 - mixing.share);
            assert!(off(&found.get(place as i64), &expected) < 1e-5);
        }
    }
}
