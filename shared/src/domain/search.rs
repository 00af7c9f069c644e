//! The rules of routing and ranking.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which vectors distances are measured between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// The model's penultimate feature, L2-normalised.
    #[default]
    Embedding,
    /// The softmax output, as in the paper.
    Probabilities,
}

/// Which class partitions a search looks into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ProbesWire", into = "ProbesWire")]
pub enum Probes {
    /// The most probable classes until their probabilities sum to [`PROBE_MASS`].
    #[default]
    Auto,
    /// Every class.
    All,
    /// The `n` most probable classes; 1 is the paper's routing.
    Fixed(u16),
    /// The most probable classes until their probabilities sum to this, between 0 and 1.
    Mass(f64),
}

/// The probability that the classes probed by [`Probes::Auto`] sum to.
pub const PROBE_MASS: f64 = 0.95;

/// Pictures whose perceptual hashes of 64 bits differ in at most so many are nearly the same: scaled, encoded anew,
/// slightly retouched.
pub const NEAR_DUPLICATE_BITS: u32 = 6;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ProbesWire {
    Count(u16),
    Mass(f64),
    Word(String),
}

/// A value that is no [`Probes`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no valid probes value: \"auto\", \"all\", a number from 1 or a probability between 0 and 1 expected"
)]
pub struct InvalidProbes(String);

impl std::str::FromStr for Probes {
    type Err = InvalidProbes;

    fn from_str(value: &str) -> Result<Self, InvalidProbes> {
        match value {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            number => {
                let invalid = || InvalidProbes(value.chars().take(40).collect());
                let count = number.parse().ok().filter(|count| *count > 0).map(Self::Fixed);
                let mass = || number.parse().ok().filter(|mass| *mass > 0.0 && *mass < 1.0).map(Self::Mass);
                count.or_else(mass).ok_or_else(invalid)
            }
        }
    }
}

impl TryFrom<ProbesWire> for Probes {
    type Error = InvalidProbes;

    fn try_from(wire: ProbesWire) -> Result<Self, InvalidProbes> {
        match wire {
            ProbesWire::Count(count) => count.to_string().parse(),
            ProbesWire::Mass(mass) => mass.to_string().parse(),
            ProbesWire::Word(word) => word.parse(),
        }
    }
}

impl From<Probes> for ProbesWire {
    fn from(probes: Probes) -> Self {
        match probes {
            Probes::Auto => Self::Word("auto".to_owned()),
            Probes::All => Self::Word("all".to_owned()),
            Probes::Fixed(count) => Self::Count(count),
            Probes::Mass(mass) => Self::Mass(mass),
        }
    }
}

impl fmt::Display for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::All => f.write_str("all"),
            Self::Fixed(count) => count.fmt(f),
            Self::Mass(mass) => mass.fmt(f),
        }
    }
}

/// The classes to probe, most probable first (ties by class number). Never empty for a non-empty slice.
pub fn route(probabilities: &[f32], probes: Probes) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
    let count = match probes {
        Probes::All => classes.len(),
        Probes::Fixed(count) => usize::from(count),
        Probes::Auto => until(&classes, probabilities, PROBE_MASS),
        Probes::Mass(mass) => until(&classes, probabilities, mass),
    };
    classes.truncate(count.max(1));
    classes
}

/// How many of the classes it takes for their probabilities to sum to `wanted`.
fn until(classes: &[usize], probabilities: &[f32], wanted: f64) -> usize {
    let mut mass = 0.0;
    let below = classes.iter().take_while(|class| {
        let missing = mass < wanted;
        mass += f64::from(probabilities[**class]);
        missing
    });
    below.count()
}

/// What probabilities become when the logits behind them are divided by `temperature` (Guo et al. 2017): each to the
/// power of `1 / temperature`, scaled so that they sum to 1 again. Their order stays.
pub fn calibrated(probabilities: &[f32], temperature: f64) -> Vec<f32> {
    let power = 1.0 / temperature;
    let powers: Vec<f64> = probabilities.iter().map(|p| f64::from(*p).max(0.0).powf(power)).collect();
    let sum: f64 = powers.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return probabilities.to_vec();
    }
    powers.into_iter().map(|value| (value / sum) as f32).collect()
}

/// Similarity of two vectors `distance` apart: `1 / (1 + distance)` (Hu and Feng 2017), 1 for equal ones.
pub fn similarity(distance: f64) -> f64 {
    1.0 / (1.0 + distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_probes_until_the_mass_is_reached() {
        assert_eq!(route(&[0.02, 0.96, 0.02], Probes::Auto), [1]);
        assert_eq!(route(&[0.5, 0.3, 0.2], Probes::Auto), [0, 1, 2]);
        assert_eq!(route(&[0.1, 0.6, 0.35], Probes::Auto), [1, 2]);
        assert_eq!(route(&[0.5, 0.3, 0.2], Probes::Fixed(1)), [0]);
        assert_eq!(route(&[0.5, 0.3, 0.2], Probes::Mass(0.5)), [0]);
        assert_eq!(route(&[0.5, 0.3, 0.2], Probes::Mass(0.6)), [0, 1]);
        assert_eq!(route(&[0.2, 0.3, 0.5], Probes::All), [2, 1, 0]);
        assert_eq!(route(&[f32::NAN, 0.3], Probes::Fixed(9)).len(), 2);
    }

    #[test]
    fn a_temperature_makes_probabilities_more_or_less_sure() {
        // Logits ln 8, ln 1, ln 1 divided by 3: 2, 1 and 1 of 4.
        let found = calibrated(&[0.8, 0.1, 0.1], 3.0);
        assert!(found.iter().zip([0.5, 0.25, 0.25]).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        let sharp = calibrated(&[0.8, 0.1, 0.1], 0.5);
        assert!((sharp[0] - 64.0 / 66.0).abs() < 1e-6);
        assert_eq!(calibrated(&[0.0, 0.0], 2.0), [0.0, 0.0]);
        assert_eq!(calibrated(&[0.25, 0.75], 1.0), [0.25, 0.75]);
    }

    #[test]
    fn probes_read_words_and_numbers() {
        for (json, probes) in [
            ("\"auto\"", Probes::Auto),
            ("\"all\"", Probes::All),
            ("3", Probes::Fixed(3)),
            ("\"3\"", Probes::Fixed(3)),
            ("0.8", Probes::Mass(0.8)),
            ("\"0.8\"", Probes::Mass(0.8)),
        ] {
            assert_eq!(serde_json::from_str::<Probes>(json).unwrap(), probes);
        }
        for bad in ["0", "-1", "1.5", "-0.5", "\"some\"", "\"\"", "\"nan\"", "99999999"] {
            assert!(serde_json::from_str::<Probes>(bad).is_err(), "{bad}");
        }
    }
}
