//! Why bytes could not be read or written, told without credentials.

use std::error::Error;

use object_store::Error as StoreError;

/// The most characters of what a store says that are repeated.
const SAID: usize = 400;

/// Why bytes could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No such source.
    #[error("there is no source \"{name}\"; declared are: {declared}")]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The names there are.
        declared: String,
    },
    /// Sources cannot be opened.
    #[error("{}", .problems.join("; "))]
    Open {
        /// What is wrong with each of them.
        problems: Vec<String>,
    },
    /// The key is no relative path, leaves the source, or no object can have it.
    #[error("\"{key}\" is no key of source \"{source_name}\": {reason}")]
    InvalidKey {
        /// The source.
        source_name: String,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// No such object; with an empty key no such bucket.
    #[error("source \"{source_name}\" {}", missing(.key))]
    NotFound {
        /// The source.
        source_name: String,
        /// The key.
        key: String,
    },
    /// The source does not let us: wrong credentials, or no right to that object.
    #[error("source \"{source_name}\" refuses \"{key}\": {reason}")]
    Denied {
        /// The source.
        source_name: String,
        /// The key, or the folder that was listed.
        key: String,
        /// What the store said.
        reason: String,
    },
    /// The object is larger than the reader allows.
    #[error("\"{key}\" has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// The key.
        key: String,
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// The object was another one at each look; it may come to rest.
    #[error("\"{key}\" of source \"{source_name}\" changes while it is read")]
    Changed {
        /// The source.
        source_name: String,
        /// The key.
        key: String,
    },
    /// A list of objects that the database holds could not be read; trying again may help.
    #[error("{0}")]
    Database(String),
    /// The store itself failed, after all retries; trying again later may help.
    #[error("source \"{source_name}\": {reason}")]
    Store {
        /// The source.
        source_name: String,
        /// What the store said.
        reason: String,
    },
}

impl StorageError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::Changed { .. } | Self::Database(_))
    }

    /// Whether it is a fact about one object, that says nothing of the others.
    pub fn is_of_object(&self) -> bool {
        matches!(
            self,
            Self::InvalidKey { .. } | Self::NotFound { .. } | Self::Denied { .. } | Self::TooLarge { .. }
        )
    }

    /// A stable name of what went wrong.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSource { .. } => "unknown_source",
            Self::Open { .. } => "invalid_settings",
            Self::InvalidKey { .. } => "invalid_key",
            Self::NotFound { .. } => "not_found",
            Self::Denied { .. } => "denied",
            Self::TooLarge { .. } => "too_large",
            Self::Changed { .. } => "changed",
            Self::Database(_) => "database_unavailable",
            Self::Store { .. } => "storage_unavailable",
        }
    }
}

fn missing(key: &str) -> String {
    if key.is_empty() { "is not there".to_owned() } else { format!("has no object \"{key}\"") }
}

/// The status that a server answered with, if it did.
pub(super) fn status_of(error: &StoreError) -> Option<u16> {
    let whole = error.to_string();
    between(&whole, "status code: ", " ")?.parse().ok()
}

/// What a store's error comes down to: the status and what an S3, GCS or Azure server says beside it, or the last cause.
pub(super) fn reason_of(error: &StoreError) -> String {
    let whole = error.to_string();
    let said = ["Code", "Message"].map(|tag| between(&whole, &format!("<{tag}>"), &format!("</{tag}>")));
    let status = between(&whole, "status code: ", ":");
    if let (Some(status), [Some(code), message]) = (status, said) {
        // Azure repeats request id and time on further lines.
        let message = message.unwrap_or_default().lines().next().unwrap_or_default();
        return shorten(format!("{status}: {code}: {message}").trim_end_matches(": "));
    }
    let mut causes = vec![whole];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Many errors end with the text of their cause.
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        cause = error.source();
    }
    shorten(&causes.join(": "))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(between, _)| between.trim())
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(SAID).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// Why the file system can never have such a file, if that is what it says.
pub(super) fn impossible(error: &StoreError) -> Option<String> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| never(error.kind())) {
            return Some(error.to_string());
        }
        cause = error.source();
    }
    None
}

/// Whether the file system says that there can be no such file, now or later.
pub(super) fn never(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
    matches!(kind, InvalidFilename | InvalidInput | IsADirectory | NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn what_a_server_says_is_told_in_one_line() {
        let xml = "Error performing GET http://x/y in 1ms - Server returned non-2xx status code: 403 Forbidden: \
                   <?xml?><Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.\nTime:1</Message></Error>";
        assert_eq!(reason_of(&generic(xml)), "403 Forbidden: SignatureDoesNotMatch: It does not match.");
        assert_eq!((status_of(&generic(xml)), status_of(&generic("refused"))), (Some(403), None));
        assert!(reason_of(&generic(&"é".repeat(9_000))).chars().count() < 500);
    }
}
