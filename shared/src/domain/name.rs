//! Names that users give to models, indexes, upload sets and keys, and references made of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user-given name: `^[a-z0-9][a-z0-9_-]{0,62}$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", example = "gallery")]
pub struct Name(String);

/// A string that is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no valid name: 1 to 63 characters of a-z, 0-9, '_' and '-' expected, the first a letter or digit"
)]
pub struct InvalidName(String);

impl Name {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let bytes = value.as_bytes();
        let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = (1..=63).contains(&bytes.len())
            && word(&bytes[0])
            && bytes.iter().all(|b| word(b) || matches!(b, b'_' | b'-'));
        if valid { Ok(Self(value.to_owned())) } else { Err(InvalidName(shorten(value))) }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        value.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A model by name (its default version) or by `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelRef {
    /// The model's name.
    pub name: Name,
    /// The version; none means the name's default.
    pub version: Option<i32>,
}

impl utoipa::PartialSchema for ModelRef {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("A model by name, or by name and version."))
            .examples(["scenes", "scenes@2"])
            .into()
    }
}

impl ToSchema for ModelRef {}

/// A string that is no [`ModelRef`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModelRef {
    /// The part before `@` is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The part after `@` is no version.
    #[error("\"{0}\" is no valid model version: a whole number from 1 expected, as in scenes@2")]
    Version(String),
}

impl FromStr for ModelRef {
    type Err = InvalidModelRef;

    fn from_str(value: &str) -> Result<Self, InvalidModelRef> {
        let (name, version) = match value.split_once('@') {
            None => (value, None),
            Some((name, version)) => match version.parse::<i32>() {
                Ok(number) if number > 0 => (name, Some(number)),
                _ => return Err(InvalidModelRef::Version(shorten(version))),
            },
        };
        Ok(Self { name: name.parse()?, version })
    }
}

impl TryFrom<String> for ModelRef {
    type Error = InvalidModelRef;

    fn try_from(value: String) -> Result<Self, InvalidModelRef> {
        value.parse()
    }
}

impl From<ModelRef> for String {
    fn from(reference: ModelRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            None => self.name.fmt(f),
            Some(version) => write!(f, "{}@{version}", self.name),
        }
    }
}

fn shorten(value: &str) -> String {
    value.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_contract() {
        for good in ["a", "0", "scenes", "a_b-c", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "_a", "-a", "A", "a b", "ä", "a/b", "a@1", "..", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_model_is_named_with_or_without_its_version() {
        assert_eq!("scenes".parse::<ModelRef>().unwrap().version, None);
        assert_eq!("scenes@12".parse::<ModelRef>().unwrap().version, Some(12));
        for bad in ["scenes@", "scenes@0", "scenes@-1", "scenes@x", "@1", "a@1@2"] {
            assert!(bad.parse::<ModelRef>().is_err(), "{bad}");
        }
    }
}
