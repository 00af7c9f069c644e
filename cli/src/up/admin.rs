//! The admin key of the data folder: whoever owns the folder may do everything.

use lookalike_api::auth::{KEY_PREFIX, hash, hint, new_secret};
use lookalike_shared::config::Secret;
use lookalike_shared::db::PgPool;
use lookalike_shared::db::keys::{self, NewKey};
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::scope::Scope;
use uuid::Uuid;

use super::folder::DataFolder;

/// Makes sure that the database takes the key `key` of `folder`. It does not when the file was lost, the key was
/// revoked or the database is another one: then a new key is made and written to the folder.
///
/// # Errors
/// When the database or the folder cannot be written.
pub async fn ensure_accepted(db: &PgPool, folder: &DataFolder, key: &Secret) -> anyhow::Result<()> {
    if keys::find_key_by_hash(db, &hash(key.expose())).await?.is_some() {
        return Ok(());
    }
    let secret = new_secret(KEY_PREFIX);
    let id = Uuid::now_v7();
    let name: Name = format!("admin-{}", id.simple()).parse().expect("letters, digits and a hyphen");
    let (hash, hint) = (hash(&secret), hint(&secret));
    let key = NewKey { id, name: &name, hash: &hash, hint: &hint, scope: Scope::Admin, expires_at: None };
    keys::insert_key(db, &key).await?;
    folder.write_admin_key(&Secret::new(secret))?;
    tracing::warn!(key.name = %name, "the key in the data folder no longer worked: a new one was made and written there");
    Ok(())
}
