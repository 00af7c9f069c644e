//! Where a generation of an index stands and how that may change.
//!
//! [`GenerationState::exits`] is the one table of transitions; the CHECK on `generations.state` is held to it by a
//! test. Exactly one generation of an index is active; a swap retires it and activates another in one transaction.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UnknownValue;

/// The most retired generations that an index may keep.
pub const MAX_KEPT: i32 = 10;
/// How long a generation that waits to be activated is safe from the policy, in days.
pub const READY_DAYS: i32 = 7;

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GenerationState {
    /// A rebuild fills it.
    Building,
    /// It is whole and was never active.
    Ready,
    /// It answers searches.
    Active,
    /// It was active before.
    Retired,
    /// Its tables go as soon as no statement reads them.
    Dropping,
}

impl GenerationState {
    /// Every state, in the order of a generation's life.
    pub const ALL: [Self; 5] = [Self::Building, Self::Ready, Self::Active, Self::Retired, Self::Dropping];

    /// The states a generation may go to from here.
    pub fn exits(self) -> &'static [Self] {
        match self {
            Self::Building => &[Self::Ready, Self::Active, Self::Dropping],
            Self::Ready | Self::Retired => &[Self::Active, Self::Dropping],
            Self::Active => &[Self::Retired],
            Self::Dropping => &[],
        }
    }

    /// Whether it is whole: it can be measured and, unless it is active, be made the active one.
    pub fn is_whole(self) -> bool {
        match self {
            Self::Ready | Self::Active | Self::Retired => true,
            Self::Building | Self::Dropping => false,
        }
    }

    /// The name used in SQL, JSON and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Dropping => "dropping",
        }
    }
}

impl FromStr for GenerationState {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        let expected = || Self::ALL.iter().map(|state| state.as_str());
        let found = Self::ALL.into_iter().find(|state| state.as_str() == value);
        found.ok_or_else(|| UnknownValue::new("state of a generation", value, expected()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_activated_is_whole_and_not_active() {
        for state in GenerationState::ALL {
            let may = state.exits().contains(&GenerationState::Active);
            let waits = state.is_whole() && state != GenerationState::Active;
            assert_eq!(may, waits || state == GenerationState::Building, "{state:?}");
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
