//! Lists: `?limit=` (1 to 1000, 50 when not given) and `?cursor=`, answered by `{"items", "next_cursor"}`.
//!
//! A cursor is opaque to clients: the last row's key as JSON in base64. It holds no secret, and a forged one
//! only starts the same list elsewhere.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::ApiError;

/// The rows of a page when the client does not say.
pub const DEFAULT_LIMIT: i64 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: i64 = 1_000;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The most items to answer with, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 50, value_type = Option<i64>)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
}

impl Page {
    /// How many rows to answer with.
    ///
    /// # Errors
    /// 422 when it is out of bounds.
    pub fn limit(&self) -> Result<i64, ApiError> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(limit) => {
                let detail = format!("{limit} is out of range, 1 to {MAX_LIMIT} expected");
                Err(ApiError::invalid_field("/limit", detail))
            }
        }
    }

    /// The key of the last row of the page before; none for the first page.
    ///
    /// # Errors
    /// 422 when the cursor is none of ours.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, ApiError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        // No key of ours holds a NUL, which PostgreSQL would choke on.
        let key = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
        let key = key.filter(|bytes| !bytes.windows(6).any(|window| window.eq_ignore_ascii_case(b"\\u0000")));
        let key = key.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let wrong =
            || ApiError::invalid_field("/cursor", "no cursor of this list: take next_cursor of a page");
        key.map(Some).ok_or_else(wrong)
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Ask with it for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A page from up to `limit + 1` rows: the extra one tells that there is more. `key` gives the key that the
    /// next page starts after.
    pub fn of_rows<R, K: Serialize>(
        mut rows: Vec<R>,
        limit: i64,
        key: impl FnOnce(&R) -> K,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| cursor(&key(last)));
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }

    /// A page that is made elsewhere, and what the next one is asked with.
    pub fn of_page<K: Serialize>(items: Vec<T>, next: Option<&K>) -> Self {
        Self { items, next_cursor: next.map(cursor) }
    }

    /// A page of a short list that is there as a whole, in the order that it has.
    ///
    /// # Errors
    /// 422 for a limit or a cursor that is none.
    pub fn of_whole<R>(
        rows: Vec<R>,
        page: &Page,
        key: impl Fn(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Result<Self, ApiError> {
        let (limit, after) = (page.limit()?, page.after::<String>()?);
        let start = after
            .map_or(0, |after| rows.iter().position(|row| key(row) == after).map_or(rows.len(), |p| p + 1));
        let most = usize::try_from(limit).unwrap_or_default() + 1;
        let rows: Vec<R> = rows.into_iter().skip(start).take(most).collect();
        Ok(Self::of_rows(rows, limit, key, view))
    }
}

fn cursor<K: Serialize>(key: &K) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a key is plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_until_the_last_page() {
        let page = Listed::of_rows(vec![1, 2, 3], 2, |last| *last, |row| row);
        assert_eq!(page.items, [1, 2]);
        let next = Page { limit: None, cursor: page.next_cursor };
        assert_eq!(next.after::<i32>().unwrap(), Some(2));
        assert_eq!(Listed::of_rows(vec![3], 2, |last| *last, |row| row).next_cursor, None);
    }

    #[test]
    fn limits_are_bounded_and_foreign_cursors_refused() {
        let page = |limit| Page { limit: Some(limit), cursor: Some("?".to_owned()) };
        assert_eq!(page(1000).limit().unwrap(), 1000);
        assert!(page(0).limit().is_err());
        assert!(page(1001).limit().is_err());
        assert!(page(1).after::<i32>().is_err());
    }
}
