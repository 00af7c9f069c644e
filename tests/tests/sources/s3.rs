//! S3, and Google's storage, which speaks the same language.

use lookalike_shared::storage::StorageError;
use lookalike_tests::{Fault, FaultProxy, S3Server};

use super::names::{content, expect_all, expect_refusals, odd_names};
use super::{LIMIT, list, source_at, source_of, write};

#[tokio::test]
async fn every_name_of_a_bucket_is_listed_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let names = odd_names();
    names.iter().for_each(|name| write(folder.path(), name, content(name)));
    let server = S3Server::start(folder.path()).await.unwrap();
    let source = source_of(&server.remote());
    assert_eq!(source.location(), "s3://pictures");
    expect_all(&source, &names).await;
    expect_refusals(&source).await;
}

#[tokio::test]
async fn a_source_may_be_a_folder_of_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b/c/1.jpg", "a b/c/2/3.jpg", "a b/cc/4.jpg", "5.jpg"] {
        write(folder.path(), name, content(name));
    }
    let server = S3Server::start(folder.path()).await.unwrap();
    let source = source_of(&server.remote().folder("a%20b/c/"));
    assert_eq!(list(&source, "").await.keys().collect::<Vec<_>>(), ["1.jpg", "2/3.jpg"]);
    assert_eq!(list(&source, "2/").await.keys().collect::<Vec<_>>(), ["2/3.jpg"]);
    assert_eq!(source.get("2/3.jpg", LIMIT).await.unwrap(), content("a b/c/2/3.jpg"));
    let found = source.browse("").await.unwrap();
    assert_eq!((found.folders[0].prefix.as_str(), found.objects[0].key.as_str()), ("2/", "1.jpg"));
    let error = source.get("1.jpg", 3).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { limit: 3, .. }), "{error}");
    let start = source.get_start("1.jpg", 3).await.unwrap();
    assert_eq!((&*start.bytes, start.object.size), (&b"the"[..], content("a b/c/1.jpg").len() as u64));
    let probe = source.probe().await;
    assert_eq!((probe.objects_seen, probe.complete, probe.error), (2, true, None));
    assert!(probe.sample.is_some());
}

#[tokio::test]
async fn names_that_paths_cannot_hold_lose_no_list() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a/b.jpg", "c.jpg", "d.jpg", "e.jpg"] {
        write(folder.path(), name, content(name));
    }
    let server = S3Server::start(folder.path()).await.unwrap();
    // What the server's folder cannot hold is put into its answers.
    let mut names =
        vec![("c.jpg", "../c.jpg"), ("d.jpg", "d/./\u{1f}.jpg"), ("a/b.jpg", "a//b.jpg"), ("e.jpg", "e/")];
    let rewritten = names.clone();
    let proxy = FaultProxy::start(server.address(), move |request| {
        let at = request.number;
        let (from, to) = rewritten.get(at)?;
        Some(Fault::Rewrite(format!("<Key>{from}</Key>"), format!("<Key>{to}</Key>")))
    });
    let proxy = proxy.await.unwrap();
    let source = source_of(&server.remote().through(proxy.address()));
    names.truncate(3);
    for (_, odd) in names {
        let listed = list(&source, "").await;
        assert_eq!(listed.len(), 4, "{listed:?}");
        let read = source_of(&server.remote()).get_listed(&listed[odd], LIMIT).await;
        if odd == "a//b.jpg" {
            // Signed and sent as it is: the server's folder takes it for a/b.jpg.
            assert_eq!(read.unwrap().bytes, content("a/b.jpg"));
        } else {
            let error = read.unwrap_err();
            assert!(matches!(error, StorageError::InvalidKey { .. }), "{error}");
        }
    }
    // An object that ends in a slash and holds something is no folder.
    assert!(list(&source, "").await.contains_key("e/"));
}

#[tokio::test]
async fn a_large_folder_costs_a_request_per_page() {
    let folder = tempfile::tempdir().unwrap();
    (0..50).for_each(|number| write(folder.path(), &format!("{number:02}.jpg"), "x"));
    (0..5).for_each(|number| write(folder.path(), &format!("{number}0/{number}.jpg"), "x"));
    let server = S3Server::start(folder.path()).await.unwrap();
    let proxy = FaultProxy::start(server.address(), |_| None).await.unwrap();
    let source = source_of(&server.remote().through(proxy.address()));
    let (mut keys, mut next, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = source.browse_page("", next.as_deref(), 20).await.unwrap();
        keys.extend(page.listing.folders.into_iter().map(|folder| folder.prefix));
        keys.extend(page.listing.objects.into_iter().map(|object| object.key));
        (next, pages) = (page.next, pages + 1);
        if next.is_none() {
            break;
        }
    }
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), distinct.len(), pages, proxy.seen().len()), (55, 55, 3, 3));
}

#[tokio::test]
async fn wrong_credentials_are_told_at_once_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jpg", "a");
    let server = S3Server::start(folder.path()).await.unwrap();
    let remote = server.remote().set("aws_secret_access_key", "a-secret-that-is-wrong");
    let source = source_of(&remote);
    let errors = [
        source.get("a.jpg", LIMIT).await.unwrap_err(),
        source.browse("").await.unwrap_err(),
        source.probe().await.error.unwrap(),
    ];
    for error in errors {
        assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
        assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
        let all = format!("{error} {error:?} {source:?}");
        for secret in [&remote.options["aws_secret_access_key"], &remote.options["aws_access_key_id"]] {
            assert!(!all.contains(secret.as_str()), "{all}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start(folder.path()).await.unwrap();
    let remote = server.remote();
    drop(server);
    let source = source_of(&remote.clone().set("retry_timeout_ms", "300"));
    let error = source.get("a.jpg", LIMIT).await.unwrap_err();
    assert!(matches!(error, StorageError::Store { .. }) && error.is_transient(), "{error}");
    let probe = source_at(&remote.url, remote.environment("photos")).probe().await;
    assert!(probe.took.as_secs() < 10 && probe.error.is_some_and(|error| error.is_transient()));
    let server = S3Server::start(folder.path()).await.unwrap();
    let mut nowhere = server.remote();
    nowhere.url = "s3://nowhere".to_owned();
    let error = source_of(&nowhere).probe().await.error.unwrap();
    assert!(matches!(error, StorageError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn googles_storage_is_a_source_too() {
    let folder = tempfile::tempdir().unwrap();
    let names = odd_names();
    names.iter().for_each(|name| write(folder.path(), name, content(name)));
    let server = S3Server::start_open(folder.path()).await.unwrap();
    let options = [
        ("LOOKALIKE_SOURCE_PHOTOS_GOOGLE_BASE_URL".to_owned(), format!("http://{}", server.address())),
        ("LOOKALIKE_SOURCE_PHOTOS_GOOGLE_SKIP_SIGNATURE".to_owned(), "true".to_owned()),
    ];
    let source = source_at("gs://pictures", options.into());
    expect_all(&source, &names).await;
    expect_refusals(&source).await;
}
