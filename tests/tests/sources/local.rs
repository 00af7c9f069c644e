//! Local folders.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use lookalike_shared::storage::StorageError;

use super::names::{content, expect_all, expect_refusals, odd_names};
use super::{LIMIT, list, source_at, write};

#[tokio::test]
async fn every_name_of_a_disk_is_listed_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        odd_names().into_iter().chain(["two\nlines\tand\u{7f}.jpg".to_owned()]).collect();
    names.iter().for_each(|name| write(folder.path(), name, content(name)));
    let source = source_at(&folder.path().display().to_string(), Vec::new());
    expect_all(&source, &names).await;
    expect_refusals(&source).await;
}

#[tokio::test]
async fn nothing_leads_out_of_a_folder() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret", "hush");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "real/a.jpg", "a");
    symlink(outside.path(), folder.path().join("out")).unwrap();
    symlink(outside.path().join("secret"), folder.path().join("secret.jpg")).unwrap();
    symlink("real", folder.path().join("again")).unwrap();
    symlink("..", folder.path().join("real/circle")).unwrap();
    let source = source_at(&folder.path().display().to_string(), Vec::new());
    let listed = list(&source, "").await;
    let readable: Vec<_> =
        listed.values().filter(|object| !object.is_unreadable()).map(|object| &object.key).collect();
    assert_eq!(readable, ["again/a.jpg", "real/a.jpg"]);
    for key in ["out/secret", "secret.jpg", "real/circle/out/secret"] {
        let error = source.get(key, LIMIT).await.unwrap_err();
        assert!(matches!(error, StorageError::InvalidKey { .. }), "{key}: {error}");
        assert!(source.open(key).await.is_err() && source.head(key).await.is_err(), "{key}");
    }
    assert!(source.browse("out/").await.is_err());
    assert_eq!(source.get("real/circle/again/a.jpg", LIMIT).await.unwrap(), "a");
}

#[tokio::test]
async fn what_has_no_key_is_listed_and_told_of_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(OsStr::from_bytes(b"bad\xff.jpg")), "x").unwrap();
    nix::unistd::mkfifo(&folder.path().join("pipe.jpg"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let source = source_at(&folder.path().display().to_string(), Vec::new());
    let listed = list(&source, "").await;
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["bad\u{fffd}.jpg", "pipe.jpg"]);
    for object in listed.values() {
        assert!(object.is_unreadable());
        let error = source.get_listed(object, LIMIT).await.unwrap_err();
        assert!(matches!(error, StorageError::InvalidKey { .. }) && error.is_of_object(), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_listed_is_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jpg", "old");
    let source = source_at(&folder.path().display().to_string(), Vec::new());
    let listed = list(&source, "").await["a.jpg"].clone();
    assert_eq!(source.get_listed(&listed, LIMIT).await.unwrap().object, listed);
    write(folder.path(), "a.jpg", "newer");
    let fetched = source.get_listed(&listed, LIMIT).await.unwrap();
    assert_eq!((&*fetched.bytes, fetched.object.size), (&b"newer"[..], 5));
    assert_eq!(fetched.object, list(&source, "").await["a.jpg"], "it is told as the next listing tells it");
    let error = source.get("a.jpg", 4).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { size: 5, limit: 4, .. }), "{error}");
}

#[tokio::test]
async fn a_large_folder_is_shown_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    (0..25).for_each(|number| write(folder.path(), &format!("{number:02}.jpg"), "x"));
    ["b/x", "a/x"].iter().for_each(|name| write(folder.path(), name, "x"));
    let source = source_at(&folder.path().display().to_string(), Vec::new());
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let page = source.browse_page("", next.as_deref(), 10).await.unwrap();
        let folders = page.listing.folders.into_iter().map(|folder| folder.prefix);
        pages.push(
            folders.chain(page.listing.objects.into_iter().map(|object| object.key)).collect::<Vec<_>>(),
        );
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 7]);
    assert_eq!(pages[0][..3], ["a/", "b/", "00.jpg"]);
    assert_eq!(pages[2].last().unwrap(), "24.jpg");
}
