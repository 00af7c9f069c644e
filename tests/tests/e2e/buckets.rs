//! Buckets as users have them: behind networks that fail, and never the same for long.

use std::collections::BTreeMap;

use bytes::Bytes;
use lookalike_shared::storage::Source;
use lookalike_tests::{
    Azurite, Client, Fault, FaultProxy, Options, Remote, Request, S3Server, Samples, Stack, seeded,
};
use serde_json::{Value, json};

use super::{CLASSES, counts, failed_items, indexing, put, shown_entries, training, upload_gallery};

/// Pictures of each class.
const EACH: u32 = 20;
/// Of a hundred requests, how many go wrong at first.
const FAULTS: u64 = 12;
/// What nobody may read, what always breaks off, and what is no picture.
const DENIED: &str = "gallery/denied.jpg";
const BROKEN: &str = "gallery/broken.jpg";
const NO_PICTURE: &str = "gallery/no picture.jpg";

#[tokio::test]
async fn a_bucket_of_s3_is_indexed_and_followed_through_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start(folder.path()).await.unwrap();
    index_and_follow(&server.remote()).await;
}

#[tokio::test]
async fn a_container_of_azure_is_indexed_and_followed_through_every_fault() {
    let azurite = Azurite::start().await.unwrap();
    index_and_follow(&azurite.remote()).await;
}

/// Indexes the same pictures from a folder and from a bucket behind a bad network: the same must come of both.
async fn index_and_follow(remote: &Remote) {
    let samples = Samples::draw(4, EACH, 0).await.unwrap();
    let bucket = remote.open().unwrap();
    let mut keys = fill(&bucket, &samples).await;
    let proxy = FaultProxy::start(remote.address().unwrap(), network()).await.unwrap();
    let behind = remote.clone().through(proxy.address()).set("read_timeout", "2 s").set("max_retries", "4");
    let options = Options::default().source("photos", samples.path()).remote("bucket", &behind);
    let mut stack = Stack::start(options).await.unwrap();
    let client = stack.client.clone();
    client.run("train", &training("scenes", 1)).await.unwrap();
    client.run("index", &indexing("near", "scenes")).await.unwrap();
    let near = by_key(&client, "near").await;

    let first = client.run("index", &of_bucket("add")).await.unwrap();
    let pictures = u64::from(EACH * CLASSES);
    assert_eq!(counts(&first), [pictures + 3, pictures, 0, 0, 0, 3]);
    expect_refusals(&failed_items(&client, &first).await);
    let far = by_key(&client, "far").await;
    assert_eq!(far.len(), near.len());
    near.iter().for_each(|(key, entry)| assert_eq!(far.get(key), Some(entry), "{key}"));

    // Some go, some come, some become others.
    let (gone, rest) = (keys.split_off(keys.len() - 5), keys);
    for key in &gone {
        bucket.delete(key).await.unwrap();
    }
    for (number, key) in rest.iter().take(7).enumerate() {
        let bytes = std::fs::read(samples.path().join(&rest[rest.len() - 1 - number])).unwrap();
        bucket.put(key, Bytes::from(bytes.clone())).await.unwrap();
        if number < 4 {
            bucket.put(&format!("gallery/new/{number}.jpg"), Bytes::from(bytes)).await.unwrap();
        }
    }
    let second = client.run("index", &of_bucket("sync")).await.unwrap();
    assert_eq!(counts(&second), [pictures + 2, 4, 7, pictures - 12, 5, 3]);
    expect_refusals(&failed_items(&client, &second).await);
    let now = by_key(&client, "far").await;
    assert!(gone.iter().all(|key| !now.contains_key(key)));
    for (number, key) in rest.iter().take(7).enumerate() {
        assert_eq!(now[key], near[&rest[rest.len() - 1 - number]], "{key}");
    }
    let third = client.run("index", &of_bucket("sync")).await.unwrap();
    assert_eq!(counts(&third), [pictures + 2, 0, 0, pictures - 1, 0, 3]);

    let met: Vec<Fault> = proxy.seen().into_iter().filter_map(|(_, fault)| fault).collect();
    assert!(faults().iter().all(|fault| met.contains(fault)), "{met:?}");
    assert!(stack.terminate().await.unwrap().success());
}

/// Puts all pictures into the bucket and gives their keys.
async fn fill(bucket: &Source, samples: &Samples) -> Vec<String> {
    let keys = upload_gallery(bucket, samples).await;
    let some = samples.path().join(&keys[0]);
    put(bucket, DENIED, &some).await;
    put(bucket, BROKEN, &some).await;
    bucket.put(NO_PICTURE, Bytes::from_static(b"no picture")).await.unwrap();
    keys
}

/// Every fault that passes.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Status(500, String::new()),
        Fault::Status(503, String::new()),
        Fault::Reset,
        Fault::Silence,
        Fault::ResetInBody,
        Fault::Truncate,
        Fault::Stall,
        Fault::WrongEtag,
    ]
}

/// What goes wrong: two objects never come, and of the other requests some in a hundred meet one of the faults.
fn network() -> impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static {
    let passing = seeded(7, FAULTS, faults());
    move |request| match &request.target {
        target if target.contains(DENIED) => Some(Fault::Status(403, String::new())),
        target if target.contains(BROKEN) => Some(Fault::Truncate),
        _ => passing(request),
    }
}

fn of_bucket(mode: &str) -> Value {
    json!({"index": "far", "model": "scenes", "source": "bucket", "prefix": "gallery/", "mode": mode})
}

fn expect_refusals(items: &BTreeMap<String, String>) {
    let expected = [(BROKEN, "unreachable"), (DENIED, "denied"), (NO_PICTURE, "unsupported_format")];
    let expected = expected.map(|(key, code)| (format!("bucket/{key}"), code.to_owned()));
    assert_eq!(*items, BTreeMap::from(expected));
}

/// What an index shows of its entries by the keys of their objects, but for where those are.
async fn by_key(client: &Client, index: &str) -> BTreeMap<String, Value> {
    let shown = shown_entries(client, index).await.into_iter();
    let of_place = |(uri, mut entry): (String, Value)| {
        entry.as_object_mut().unwrap().retain(|name, _| !["uri", "etag"].contains(&name.as_str()));
        (uri.split_once('/').unwrap().1.to_owned(), entry)
    };
    shown.map(of_place).collect()
}
