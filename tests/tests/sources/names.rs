//! Names as disks and buckets hold them.

use std::collections::BTreeMap;

use lookalike_shared::storage::{Source, StorageError};

use super::{LIMIT, list};

/// Names that every kind of source can hold and must give back as they are.
pub fn odd_names() -> Vec<String> {
    let names = [
        "plain.jpg",
        " lead and trail .jpg",
        "two  blanks.jpg",
        "tea'pot;$(x)&\"q\".jpg",
        "100%.jpg",
        "%41%2f%00.jpg",
        "#1?a=b&c.jpg",
        "cat#1",
        "+plus+.jpg",
        "[a]{b}<c>^`~|\\*.jpg",
        "-rf.jpg",
        "two..dots...jpg",
        "...",
        ".hidden",
        "noextension",
        "校车 图片.jpg",
        "коралл.JPG",
        "Zitrönchen ñandú.jpg",
        "Zitro\u{308}nchen nfd.jpg",
        "عربي.jpg",
        "🍊.jpeg",
        "👩‍👩‍👧‍👦/🏳️‍🌈.jpg",
        "a,b=c.jpg",
        "deep/er/and er/x.jpg",
        "colon:semi;.jpg",
        "\u{fffd}.jpg",
        "nbsp\u{a0}zwj\u{200d}bom\u{feff}.jpg",
    ];
    // A part of a disk's path has at most 255 bytes, a key of S3 1 024.
    let long = ["l".repeat(249), "m".repeat(249), "x y".repeat(83), "n".repeat(249)].join("/") + ".jpg";
    let wide = ["ü".repeat(100), "🍊".repeat(60), "文".repeat(80), "é ".repeat(60)].join("/") + ".jpg";
    names.iter().map(|name| (*name).to_owned()).chain([long, wide]).collect()
}

/// What an object of that name holds.
pub fn content(name: &str) -> String {
    format!("the picture {name:?}")
}

/// Every name is listed, browsed to and read as it is.
pub async fn expect_all(source: &Source, names: &[String]) {
    let listed = list(source, "").await;
    let expected: Vec<&String> =
        names.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    assert_eq!(listed.keys().collect::<Vec<_>>(), expected);
    for name in names {
        let fetched = source.get_listed(&listed[name], LIMIT).await;
        let fetched = fetched.unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert_eq!((&*fetched.bytes, &fetched.object), (content(name).as_bytes(), &listed[name]), "{name:?}");
        assert_eq!(source.head(name).await.unwrap().size, fetched.bytes.len() as u64, "{name:?}");
    }
    let mut walked = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let found = source.browse(&folder).await.unwrap();
        folders.extend(found.folders.into_iter().map(|folder| folder.prefix));
        walked.extend(found.objects.into_iter().map(|object| (object.key.clone(), object)));
    }
    assert_eq!(walked.keys().collect::<Vec<_>>(), expected, "step by step everything is reached too");
}

/// Names that lead elsewhere are refused, whatever they would lead to.
pub async fn expect_refusals(source: &Source) {
    for key in ["..", "../secret", "a/../../secret", "./plain.jpg", "a/./b", "/etc/passwd", "nul\0"] {
        let refused = [source.get(key, LIMIT).await.unwrap_err(), source.head(key).await.unwrap_err()];
        for error in refused {
            assert!(
                matches!(error, StorageError::InvalidKey { .. }) && !error.is_transient(),
                "{key:?}: {error}"
            );
        }
    }
    for key in ["%2e%2e/secret", "..%2fsecret", "..\\secret", "none.jpg"] {
        let error = source.get(key, LIMIT).await.unwrap_err();
        assert!(matches!(error, StorageError::NotFound { .. }) && !error.is_transient(), "{key:?}: {error}");
    }
    assert!(source.list("../").is_err() && source.browse("a/../..").await.is_err());
}
