//! Colour noise along the principal colours of a training set (Krizhevsky et al. 2012, section 4.1).
//!
//! With the covariance `C = sum over i of l_i p_i p_i'` of a set's colours, every picture is shifted by
//! `sum over i of a_i sqrt(l_i) p_i`, the `a_i` drawn anew from a normal distribution of deviation 0.1.

use rand_chacha::ChaCha8Rng;
use tch::{TchError, Tensor};

use super::random;
use crate::network::Pictures;

/// Standard deviation of the noise, in units of the colours' own deviation along each principal axis, `sqrt(l_i)`. The
/// paper speaks of eigenvalues, but what is used with its 0.1 everywhere, 0.2175, 0.0188 and 0.0045 for ImageNet's
/// colours in 0..1, are their roots: deviations do not change with the scale of pixels.
const STRENGTH: f64 = 0.1;

/// Pixels that the colours are estimated from, at most.
const SAMPLE: usize = 1 << 20;

/// The three axes along which a training set's colours vary, each as long as the deviation along it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PrincipalColours {
    axes: [[f64; 3]; 3],
}

impl PrincipalColours {
    /// Estimates the axes from pixels spread evenly over all pictures.
    ///
    /// # Errors
    /// When libtorch cannot decompose the covariance.
    pub fn of(pictures: &Pictures) -> Result<Self, TchError> {
        let covariance = covariance(pictures);
        let matrix = Tensor::f_from_slice(covariance.as_flattened())?.f_view([3, 3])?;
        let (values, vectors) = matrix.f_linalg_eigh("L")?;
        let mut axes = [[0.0; 3]; 3];
        for (axis, target) in axes.iter_mut().enumerate() {
            let deviation = values.f_double_value(&[axis as i64])?.max(0.0).sqrt();
            for (channel, value) in target.iter_mut().enumerate() {
                *value = deviation * vectors.f_double_value(&[channel as i64, axis as i64])?;
            }
        }
        Ok(Self { axes })
    }

    /// A random shift of red, green and blue, for pixels in 0..1.
    pub fn shift(&self, rng: &mut ChaCha8Rng) -> [f32; 3] {
        let mut shift = [0.0; 3];
        for axis in &self.axes {
            let amount = STRENGTH * random::normal(rng);
            for (target, value) in shift.iter_mut().zip(axis) {
                *target += amount * value;
            }
        }
        shift.map(|value| value as f32)
    }
}

/// Covariance of red, green and blue in 0..1.
fn covariance(pictures: &Pictures) -> [[f64; 3]; 3] {
    let per_picture = pictures.side() * pictures.side();
    let pixels = pictures.len() * per_picture;
    let stride = pixels.div_ceil(SAMPLE).max(1);
    let mut count = 0.0;
    let mut sums = [0.0; 3];
    let mut products = [[0.0; 3]; 3];
    for at in (0..pixels).step_by(stride) {
        let pixel = &pictures.get(at / per_picture)[at % per_picture * 3..][..3];
        let colour = [0, 1, 2].map(|channel| f64::from(pixel[channel]) / 255.0);
        count += 1.0;
        for a in 0..3 {
            sums[a] += colour[a];
            for b in 0..3 {
                products[a][b] += colour[a] * colour[b];
            }
        }
    }
    let mean = sums.map(|sum| sum / count);
    let mut covariance = [[0.0; 3]; 3];
    for a in 0..3 {
        for b in 0..3 {
            covariance[a][b] = products[a][b] / count - mean[a] * mean[b];
        }
    }
    covariance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::random::Purpose;

    #[test]
    fn the_axes_rebuild_the_covariance_that_was_worked_out_by_hand() {
        let pixels: [[u8; 3]; 9] = [
            [10, 200, 30],
            [60, 180, 90],
            [250, 20, 40],
            [128, 128, 200],
            [90, 70, 10],
            [15, 240, 60],
            [77, 33, 222],
            [200, 210, 190],
            [5, 9, 100],
        ];
        // The mean of the products of deviations from the mean, of pixels divided by 255.
        let expected = [
            [0.101488411390, -0.021287159260, 0.019304256198],
            [-0.021287159260, 0.110970804202, -0.003862901733],
            [0.019304256198, -0.003862901733, 0.087296339015],
        ];
        let pictures = Pictures::new(3, pixels.as_flattened().to_vec()).unwrap();
        let colours = PrincipalColours::of(&pictures).unwrap();
        for a in 0..3 {
            for b in 0..3 {
                let found: f64 = colours.axes.iter().map(|axis| axis[a] * axis[b]).sum();
                assert!((found - expected[a][b]).abs() < 1e-9, "{a} {b}: {found}");
            }
        }
        // Axes are at right angles.
        let dot =
            |a: usize, b: usize| -> f64 { (0..3).map(|i| colours.axes[a][i] * colours.axes[b][i]).sum() };
        assert!(dot(0, 1).abs() < 1e-9 && dot(0, 2).abs() < 1e-9 && dot(1, 2).abs() < 1e-9);
    }

    #[test]
    fn noise_follows_the_colours_of_the_pictures() {
        // Grey pictures vary along one axis only: red, green and blue move together.
        let grey: Vec<u8> = (0..64 * 64).flat_map(|at| [(at % 256) as u8; 3]).collect();
        let colours = PrincipalColours::of(&Pictures::new(64, grey).unwrap()).unwrap();
        let mut rng = random::stream(1, Purpose::Augment, 0, 0);
        let shifts: Vec<[f32; 3]> = (0..4000).map(|_| colours.shift(&mut rng)).collect();
        assert!(shifts.iter().all(|[r, g, b]| (r - g).abs() < 1e-4 && (g - b).abs() < 1e-4));
        // 0..255 spread evenly deviates by 1 / sqrt(12) = 0.289 from its mean.
        let square: f64 = shifts.iter().map(|[r, _, _]| f64::from(*r).powi(2)).sum();
        let deviation = (square / 4000.0).sqrt();
        assert!((deviation - STRENGTH * 0.289).abs() < 0.002, "{deviation}");
        let pictures = Pictures::new(2, [[7; 12], [200; 12], [90; 12]].concat()).unwrap();
        let copied = Pictures::new(2, [[90; 12], [7; 12]].concat()).unwrap();
        assert_eq!(
            covariance(&pictures.select(&[2, 0])),
            covariance(&copied),
            "only what was selected counts"
        );
    }
}
