//! Keys as they travel. A secret is told once, when its key is made.

use chrono::{DateTime, Utc};
use lookalike_shared::db::keys::Key;
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::scope::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[schema(example = "nightly-indexer")]
    pub name: String,
    /// What it may do; each scope includes the ones before it.
    pub scope: Scope,
    /// The first characters of the secret, to tell keys apart.
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops to work; null means never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl From<Key> for KeyView {
    fn from(key: Key) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scope: key.scope,
            hint: key.hint,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
        }
    }
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "nightly-indexer", "scope": "submit"}))]
#[schema(as = NewKey)]
pub struct NewKeyRequest {
    /// Its name, not in use.
    pub name: Name,
    /// What it may do.
    pub scope: Scope,
    /// When it stops to work; never when not given.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MadeKey)]
pub struct MadeKeyView {
    /// The key.
    #[serde(flatten)]
    pub about: KeyView,
    /// The secret, to be sent as `Authorization: Bearer`. It is not kept: a replayed answer has null here.
    #[schema(example = "lk_3q2-7w...")]
    pub key: Option<String>,
}
