//! Looking into a source folder by folder, page by page.
//!
//! Of a bucket a page costs one request, whatever the folder holds; of a local folder the names in it are read and
//! sorted for each page, and only what is shown is looked at closely.

use std::borrow::Cow;

use object_store::list::PaginatedListOptions;
use object_store::path::Path;

use super::{Bucket, Folder, Listing, Place, Source, StorageError, blocking, folder_of, local};
use crate::storage::keys;

/// A store may answer with pages that hold nothing; so many in a row are followed.
const EMPTY_PAGES: usize = 100;

/// A page of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowsePage {
    /// What is on it.
    pub listing: Listing,
    /// Asks for the next page; none on the last one.
    pub next: Option<String>,
}

impl Source {
    /// The folders and objects directly under `prefix`.
    ///
    /// # Errors
    /// An invalid prefix, or the store's failure.
    pub async fn browse(&self, prefix: &str) -> Result<Listing, StorageError> {
        let mut listing = Listing::default();
        let mut next = None;
        loop {
            let page = self.browse_page(prefix, next.as_deref(), usize::MAX).await?;
            listing.folders.extend(page.listing.folders);
            listing.objects.extend(page.listing.objects);
            next = page.next;
            if next.is_none() {
                listing.folders.sort_by(|a, b| a.prefix.cmp(&b.prefix));
                listing.objects.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(listing);
            }
        }
    }

    /// At most `limit` folders and objects directly under `prefix`, after the page whose `next` is given. A local
    /// folder tells its folders first, then its objects; a bucket has them in one order, a page of which tells its
    /// folders first.
    ///
    /// # Errors
    /// An invalid prefix, or the store's failure.
    pub async fn browse_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<BrowsePage, StorageError> {
        match &self.place {
            Place::Folder { root, .. } => {
                let (base, below) = (self.base(root), self.folder(root, prefix)?);
                let root = root.clone();
                let after = after
                    .map(|after| (after.starts_with('1'), after.get(1..).unwrap_or_default().to_owned()));
                let page = blocking(move || local::page(&root, &base, &below, after.as_ref(), limit)).await;
                let (listing, next) = page.map_err(|refusal| self.refusal(prefix, refusal))?;
                let next = next.map(|(is_object, key)| format!("{}{key}", u8::from(is_object)));
                Ok(BrowsePage { listing, next })
            }
            Place::Bucket { bucket, .. } => {
                let path = self.in_bucket(folder_of(prefix))?;
                let page = self.bucket_page(bucket, &path, after.map(ToOwned::to_owned), limit).await;
                page.map_err(|error| self.store_error(prefix, &error))
            }
        }
    }

    async fn bucket_page(
        &self,
        bucket: &Bucket,
        path: &Path,
        after: Option<String>,
        limit: usize,
    ) -> Result<BrowsePage, object_store::Error> {
        let prefix = (!path.is_root()).then(|| format!("{path}/"));
        let mut page = BrowsePage { listing: Listing::default(), next: after };
        for _ in 0..EMPTY_PAGES {
            let options = PaginatedListOptions {
                delimiter: Some(Cow::Borrowed("/")),
                max_keys: Some(limit).filter(|limit| *limit < usize::MAX),
                page_token: page.next.take(),
                ..PaginatedListOptions::default()
            };
            let found = bucket.pages.list_paginated(prefix.as_deref(), options).await?;
            page.next = found.page_token;
            let folder = |path: &Path| {
                let name = keys::unescape(path.as_ref());
                Folder { prefix: format!("{}/", self.key_of(&name)) }
            };
            page.listing.folders = found.result.common_prefixes.iter().map(folder).collect();
            page.listing.objects =
                found.result.objects.into_iter().filter_map(|meta| self.object(meta)).collect();
            if page.next.is_none() || !page.listing.folders.is_empty() || !page.listing.objects.is_empty() {
                break;
            }
        }
        page.listing.folders.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        page.listing.objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(page)
    }
}
