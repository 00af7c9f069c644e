//! Azure, by its emulator.

use bytes::Bytes;
use lookalike_shared::storage::StorageError;
use lookalike_tests::{Azurite, Fault, FaultProxy, Request, first};

use super::names::{content, expect_all, expect_refusals, odd_names};
use super::{LIMIT, list, source_of};

#[tokio::test]
async fn a_container_is_a_source_like_any_other() {
    let azurite = Azurite::start().await.unwrap();
    // The emulator takes its time on a busy machine.
    let remote = azurite.remote().set("read_timeout", "10 s");
    let source = source_of(&remote);
    assert_eq!(source.location(), "az://pictures");
    let empty = source.probe().await;
    assert_eq!((empty.objects_seen, empty.complete, empty.error, empty.sample), (0, true, None, None));

    // One name of a thousand characters, which no disk would hold.
    let names = odd_names().into_iter().chain(["ä".repeat(900) + &"b".repeat(100)]);
    // Azure takes a backslash for a slash.
    let names: Vec<String> = names.map(|name| name.replace('\\', "")).collect();
    for name in &names {
        source
            .put(name, Bytes::from(content(name)))
            .await
            .unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    expect_all(&source, &names).await;
    expect_refusals(&source).await;

    let page = source.browse_page("", None, 5).await.unwrap();
    assert_eq!(page.listing.folders.len() + page.listing.objects.len(), 5);
    let second = source.browse_page("", page.next.as_deref(), 5).await.unwrap();
    assert!(second.listing.objects.iter().all(|object| !page.listing.objects.contains(object)));

    let listed = list(&source, "").await["plain.jpg"].clone();
    source.put("plain.jpg", Bytes::from_static(b"another")).await.unwrap();
    let fetched = source.get_listed(&listed, LIMIT).await.unwrap();
    let next = &list(&source, "").await["plain.jpg"];
    assert_eq!((&*fetched.bytes, &fetched.object.etag), (&b"another"[..], &next.etag));

    let address = remote.options["azure_storage_endpoint"].split('/').nth(2).unwrap().parse().unwrap();
    for fault in [Fault::Status(503, String::new()), Fault::Reset, Fault::Truncate] {
        let proxy = FaultProxy::start(address, first(1, fault.clone(), Request::is_get)).await.unwrap();
        let got = source_of(&remote.clone().through(proxy.address())).get("plain.jpg", LIMIT).await;
        assert_eq!(got.unwrap_or_else(|error| panic!("{fault:?}: {error}")), "another");
    }

    let wrong = source_of(&remote.clone().set("azure_storage_account_key", "YSB3cm9uZyBrZXk="));
    let error = wrong.get("plain.jpg", LIMIT).await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
    assert!(!error.to_string().contains("YSB3cm9uZyBrZXk="), "{error}");
    source.delete("plain.jpg").await.unwrap();
    assert!(matches!(source.head("plain.jpg").await.unwrap_err(), StorageError::NotFound { .. }));
}
