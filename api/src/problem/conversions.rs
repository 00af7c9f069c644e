//! What the errors of the database and the storage mean to a client.

use std::sync::Arc;

use lookalike_shared::db::{DbError, MigrateError};
use lookalike_shared::domain::UnknownValue;
use lookalike_shared::storage::StorageError;

use super::{ApiError, Code};

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match meaning(&error) {
            Ok(told) => told,
            Err((code, detail)) => Self::hidden(code, detail, error),
        }
    }
}

impl From<Arc<DbError>> for ApiError {
    /// Of a statement that several requests shared.
    fn from(error: Arc<DbError>) -> Self {
        match meaning(&error) {
            Ok(told) => told,
            Err((code, detail)) => Self::hidden(code, detail, error),
        }
    }
}

/// What is told as it is; else what is told in its place.
fn meaning(error: &DbError) -> Result<ApiError, (Code, &'static str)> {
    match error {
        DbError::NotFound { what, id } => Ok(ApiError::not_found(what, id)),
        DbError::Conflict(detail) => Ok(ApiError::conflict(detail)),
        DbError::Unavailable(_) => {
            Err((Code::DatabaseUnavailable, "the database is not available; try again soon"))
        }
        DbError::Other(_) | DbError::Unknown(_) | DbError::Queue(_) => {
            Err((Code::Internal, "the database refused a statement"))
        }
    }
}

impl From<MigrateError> for ApiError {
    fn from(error: MigrateError) -> Self {
        Self::hidden(Code::Internal, "the database could not be migrated", error)
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::UnknownSource { .. } | StorageError::NotFound { .. } => {
                Self::new(Code::NotFound, error.to_string())
            }
            StorageError::InvalidKey { .. } => Self::invalid_field("", error.to_string()),
            StorageError::TooLarge { .. } => Self::new(Code::PayloadTooLarge, error.to_string()),
            StorageError::Denied { .. } => Self::hidden(
                Code::StorageUnavailable,
                "the storage refuses us; its credentials or rights may be wrong",
                error,
            ),
            StorageError::Store { .. } | StorageError::Changed { .. } => {
                Self::hidden(Code::StorageUnavailable, "the storage does not answer; try again soon", error)
            }
            StorageError::Database(_) => Self::hidden(
                Code::DatabaseUnavailable,
                "the database is not available; try again soon",
                error,
            ),
            StorageError::Open { .. } => Self::hidden(Code::Internal, "a storage cannot be opened", error),
        }
    }
}

impl From<UnknownValue> for ApiError {
    fn from(error: UnknownValue) -> Self {
        Self::invalid_field("", error.to_string())
    }
}
