//! Fitting the temperature that makes a network's probabilities believable (Guo et al. 2017, *On Calibration of Modern
//! Neural Networks*).
//!
//! Fitted to what was seen alone, the temperature of a network without errors would go to 0, as if it could never err.
//! The targets are therefore what Laplace's rule of succession makes of `n` pictures and `K` classes: `(n + 1) / (n + K)`
//! for the true class and `1 / (n + K)` for every other one. Platt 1999 (*Probabilistic Outputs for Support Vector
//! Machines*, section 2.2) smooths the targets of two classes so, for the same reason.

use tch::{Kind, TchError, Tensor};

use super::metrics::{Calibration, CalibrationBin};

/// Bins of equal width that confidence is sorted into.
const BINS: usize = 15;

/// Temperatures that are considered: beyond them a network is useless or a set too small to tell.
const RANGE: [f64; 2] = [0.05, 20.0];

/// The temperature with the least loss on `logits` `[N, classes]` with the smoothed true classes, and what it does to
/// the distance between confidence and accuracy.
///
/// The loss is convex in `1 / temperature`, so the golden section finds its least value.
///
/// # Errors
/// When the device fails.
pub(super) fn calibrate(logits: &Tensor, labels: &[i64]) -> Result<Calibration, TchError> {
    let logits = logits.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Double)?;
    let truth = Tensor::f_from_slice(labels)?.f_unsqueeze(1)?;
    let (pictures, classes) = logits.size2()?;
    let loss = |scale: f64| -> Result<f64, TchError> {
        let log = logits.f_multiply_scalar(scale)?.f_log_softmax(1, Kind::Double)?;
        let own = log.f_gather(1, &truth, false)?.f_mean(Kind::Double)?.f_double_value(&[])?;
        let all = log.f_mean(Kind::Double)?.f_double_value(&[])? * classes as f64;
        Ok(-(pictures as f64 * own + all) / (pictures + classes) as f64)
    };
    let temperature = 1.0 / least(loss, [1.0 / RANGE[1], 1.0 / RANGE[0]])?;
    let before = bins(&logits, labels, 1.0)?;
    let bins = bins(&logits, labels, temperature)?;
    Ok(Calibration { temperature, ece_before: error(&before), ece_after: error(&bins), bins })
}

/// Where a function with one valley in the range is least, to a thousandth of a thousandth (Kiefer 1953).
fn least(
    function: impl Fn(f64) -> Result<f64, TchError>,
    [mut low, mut high]: [f64; 2],
) -> Result<f64, TchError> {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (function(left)?, function(right)?);
    while high - low > 1e-6 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = function(left)?;
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = function(right)?;
        }
    }
    Ok((low + high) / 2.0)
}

fn bins(logits: &Tensor, labels: &[i64], temperature: f64) -> Result<Vec<CalibrationBin>, TchError> {
    let (surest, found) =
        logits.f_multiply_scalar(1.0 / temperature)?.f_softmax(1, Kind::Double)?.f_max_dim(1, false)?;
    let (surest, found): (Vec<f64>, Vec<i64>) = (Vec::try_from(surest)?, Vec::try_from(found)?);
    let mut bins = vec![CalibrationBin::default(); BINS];
    for ((confidence, found), label) in surest.iter().zip(found).zip(labels) {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.pictures += 1;
        bin.confidence += confidence;
        bin.accuracy += f64::from(u8::from(found == *label));
    }
    bins.retain(|bin| bin.pictures > 0);
    for bin in &mut bins {
        bin.confidence /= f64::from(bin.pictures);
        bin.accuracy /= f64::from(bin.pictures);
    }
    Ok(bins)
}

/// Expected calibration error: the distance between confidence and accuracy, a mean over pictures.
fn error(bins: &[CalibrationBin]) -> f64 {
    let pictures: u32 = bins.iter().map(|bin| bin.pictures).sum();
    let off = |bin: &CalibrationBin| f64::from(bin.pictures) * (bin.confidence - bin.accuracy).abs();
    bins.iter().map(off).sum::<f64>() / f64::from(pictures.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temperature_brings_confidence_down_to_about_the_accuracy() {
        // Two classes, always the same logits: (4, 0) is right in 6 of 8 cases. Smoothed, the first class is the target
        // with 9/10 in six cases and with 1/10 in two: 0.7 in the mean, so 4 / temperature = ln(0.7 / 0.3).
        let logits = Tensor::from_slice(&[4.0_f32, 0.0].repeat(8)).view([8, 2]);
        let found = calibrate(&logits, &[0, 0, 0, 1, 0, 0, 1, 0]).unwrap();
        assert!((found.temperature - 4.0 / (7.0_f64 / 3.0).ln()).abs() < 1e-3, "{found:?}");
        // 1 / (1 + exp(-4)) = 0.98201.
        assert!((found.ece_before - (0.982_01 - 0.75)).abs() < 1e-4, "{found:?}");
        assert!((found.ece_after - 0.05).abs() < 1e-3, "{found:?}");
        assert_eq!((found.bins.len(), found.bins[0].pictures), (1, 8));
    }

    #[test]
    fn a_network_without_errors_is_as_sure_as_so_many_pictures_allow() {
        // 50 pictures of two classes, each right by a margin of 3. The target of the true class is 51/52, so
        // 3 / temperature = ln(51 / 1).
        let logits = Tensor::from_slice(&[3.0_f32, 0.0, 0.0, 3.0].repeat(25)).view([50, 2]);
        let found = calibrate(&logits, &[0, 1].repeat(25)).unwrap();
        assert!((found.temperature - 3.0 / 51.0_f64.ln()).abs() < 1e-3, "{found:?}");
        assert!((found.bins[0].confidence - 51.0 / 52.0).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn every_class_gets_its_share_of_the_target() {
        // Three classes, logits (2, 0, 0), nine pictures without errors: the target is 10/12, and the others share the
        // rest alike, so 2 / temperature = ln(10 / 1).
        let logits = Tensor::from_slice(&[2.0_f32, 0.0, 0.0].repeat(9)).view([9, 3]);
        let found = calibrate(&logits, &[0; 9]).unwrap();
        assert!((found.temperature - 2.0 / 10.0_f64.ln()).abs() < 1e-3, "{found:?}");
    }
}
