//! What a key may do.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UnknownValue;

/// A right of a key. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at everything but keys.
    Read,
    /// Submit and cancel jobs, upload pictures.
    Submit,
    /// Import and delete models and indexes, pause queues, delete jobs.
    Manage,
    /// Make and revoke keys.
    Admin,
}

impl Scope {
    /// Every scope, weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Submit, Self::Manage, Self::Admin];

    /// The name used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }

    /// This scope and those it includes, weakest first.
    pub fn granted(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |scope| *scope <= self)
    }

    /// The scopes that a holder of `self` lacks for something that needs `needed`, weakest first.
    pub fn missing_for(self, needed: Self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|scope| *scope > self && *scope <= needed).collect()
    }
}

impl FromStr for Scope {
    type Err = UnknownValue;

    fn from_str(value: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == value)
            .ok_or_else(|| UnknownValue::new("scope", value, Self::ALL.iter().map(|s| s.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_scope_is_named() {
        assert_eq!(Scope::Read.missing_for(Scope::Admin), [Scope::Submit, Scope::Manage, Scope::Admin]);
        assert!(Scope::Manage.missing_for(Scope::Submit).is_empty());
    }
}
