//! What networks and servers do wrong between a source and its reader: survived, or told for what it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use lookalike_shared::storage::StorageError;
use lookalike_tests::{Fault, FaultProxy, Request, S3Server, first, seeded};
use tempfile::TempDir;

use super::{LIMIT, list, source_of, write};

/// Larger than what a connection holds back.
const SIZE: usize = 300_000;

fn picture(number: usize) -> Vec<u8> {
    (0..SIZE + number).map(|at| u8::try_from((at * 31 + number) % 251).unwrap()).collect()
}

/// A bucket of a few pictures.
async fn bucket(pictures: usize) -> (TempDir, S3Server) {
    let folder = tempfile::tempdir().unwrap();
    (0..pictures).for_each(|number| write(folder.path(), &format!("{number}.jpg"), picture(number)));
    let server = S3Server::start(folder.path()).await.unwrap();
    (folder, server)
}

fn unavailable() -> Fault {
    Fault::Status(
        503,
        "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>".to_owned(),
    )
}

fn broken() -> Fault {
    Fault::Status(500, "<Error><Code>InternalError</Code><Message>We failed.</Message></Error>".to_owned())
}

#[tokio::test]
async fn a_read_survives_every_fault_that_passes() {
    let (_folder, server) = bucket(1).await;
    let faults = [
        broken(),
        unavailable(),
        Fault::Reset,
        Fault::Silence,
        Fault::ResetInBody,
        Fault::Truncate,
        Fault::Stall,
        Fault::WrongEtag,
    ];
    for fault in faults {
        let proxy =
            FaultProxy::start(server.address(), first(2, fault.clone(), Request::is_get)).await.unwrap();
        let source = source_of(&server.remote().through(proxy.address()));
        let listed = list(&source, "").await["0.jpg"].clone();
        let fetched = source.get_listed(&listed, LIMIT).await;
        let fetched = fetched.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(fetched.bytes == picture(0) && fetched.object == listed, "{fault:?}");
        let met = proxy.seen().iter().filter(|(_, met)| met.is_some()).count();
        // This server's lists have no etags, so that a wrong one in an answer is no reason to ask again.
        assert_eq!(met, if fault == Fault::WrongEtag { 1 } else { 2 }, "{fault:?}");
    }
}

#[tokio::test]
async fn a_list_survives_every_fault_that_passes() {
    let (_folder, server) = bucket(3).await;
    for fault in [
        broken(),
        unavailable(),
        Fault::Reset,
        Fault::Silence,
        Fault::ResetInBody,
        Fault::Truncate,
        Fault::Stall,
    ] {
        let proxy =
            FaultProxy::start(server.address(), first(2, fault.clone(), Request::is_list)).await.unwrap();
        let source = source_of(&server.remote().through(proxy.address()));
        assert_eq!(list(&source, "").await.len(), 3, "{fault:?}");
        assert_eq!(source.browse("").await.unwrap().objects.len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_told_and_ends_in_time() {
    let (_folder, server) = bucket(1).await;
    let said = [
        (broken(), "InternalError"),
        (unavailable(), "SlowDown"),
        (Fault::Reset, "connection"),
        (Fault::Silence, "timed out"),
        (Fault::ResetInBody, "broke off"),
        (Fault::Truncate, "broke off"),
        (Fault::Stall, "broke off"),
    ];
    for (fault, said) in said {
        let proxy = FaultProxy::start(server.address(), first(usize::MAX, fault.clone(), Request::is_get))
            .await
            .unwrap();
        let remote =
            server.remote().through(proxy.address()).set("read_timeout", "100 ms").set("max_retries", "2");
        let begun = Instant::now();
        let error = source_of(&remote).get("0.jpg", LIMIT).await.unwrap_err();
        assert!(matches!(error, StorageError::Store { .. }) && error.is_transient(), "{fault:?}: {error:?}");
        assert!(error.to_string().to_lowercase().contains(&said.to_lowercase()), "{fault:?}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{fault:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_refusal_of_one_object_is_not_tried_again() {
    let (_folder, server) = bucket(1).await;
    let denied =
        Fault::Status(403, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>".to_owned());
    let proxy = FaultProxy::start(server.address(), first(usize::MAX, denied, |_| true)).await.unwrap();
    let source = source_of(&server.remote().through(proxy.address()));
    let error = source.get("0.jpg", LIMIT).await.unwrap_err();
    assert!(matches!(error, StorageError::Denied { .. }) && error.is_of_object(), "{error:?}");
    assert_eq!(error.to_string(), "source \"photos\" refuses \"0.jpg\": 403 Forbidden: AccessDenied: No.");
    assert_eq!(proxy.seen().len(), 1);
}

#[tokio::test]
async fn an_object_that_changed_is_the_new_one_and_one_that_never_rests_is_told() {
    let (folder, server) = bucket(1).await;
    let source = source_of(&server.remote());
    let listed = list(&source, "").await["0.jpg"].clone();
    write(folder.path(), "0.jpg", "another");
    let fetched = source.get_listed(&listed, LIMIT).await.unwrap();
    assert_eq!((&*fetched.bytes, fetched.object.size), (&b"another"[..], 7));
    assert_eq!(
        fetched.object.etag,
        list(&source, "").await["0.jpg"].etag,
        "it is told as the next listing tells it"
    );
    // Every answer tells of another version than the listing and the head do.
    let stale = lookalike_shared::storage::Object { etag: "1".to_owned(), ..listed };
    let proxy = FaultProxy::start(server.address(), first(usize::MAX, Fault::WrongEtag, Request::is_get))
        .await
        .unwrap();
    let error =
        source_of(&server.remote().through(proxy.address())).get_listed(&stale, LIMIT).await.unwrap_err();
    assert!(matches!(error, StorageError::Changed { .. }) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn many_reads_at_once_survive_faults_in_any_order() {
    let (_folder, server) = bucket(24).await;
    let faults =
        vec![broken(), unavailable(), Fault::Reset, Fault::Truncate, Fault::ResetInBody, Fault::Stall];
    let proxy = FaultProxy::start(server.address(), seeded(7, 50, faults)).await.unwrap();
    let source = source_of(&server.remote().through(proxy.address()));
    let listed = list(&source, "").await;
    let reads = stream::iter(listed.values().cloned()).map(|object| {
        let source = source.clone();
        async move {
            let fetched = source.get_listed(&object, LIMIT).await?;
            let number = object.key.trim_end_matches(".jpg").parse().unwrap();
            assert!(fetched.bytes == picture(number), "{}", object.key);
            Ok::<_, StorageError>(())
        }
    });
    let done: Vec<()> = reads.buffer_unordered(8).try_collect().await.unwrap();
    assert_eq!(done.len(), 24);
    let met: BTreeSet<String> =
        proxy.seen().iter().filter_map(|(_, met)| Some(format!("{:?}", met.as_ref()?))).collect();
    assert!(met.len() >= 4, "the seed brings most faults: {met:?}");
}
