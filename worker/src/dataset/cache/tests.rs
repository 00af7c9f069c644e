//! Files are whole or not there, what is used stays, what is damaged is told.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lookalike_shared::config::{CacheConfig, StorageConfig};
use lookalike_shared::storage::{Source, Storage};
use tempfile::TempDir;

use super::{Cache, CacheError, Found, Pack, PackKey, Prepared, room};
use crate::dataset::{LabelledFile, Unreadable};
use crate::picture::{Limits, Picture};

const SIDE: usize = 4;

/// A source and a cache of at most `max_bytes` in folders of their own.
struct Ground {
    folder: TempDir,
    source: Source,
    cache: Cache,
}

impl Ground {
    fn new(max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| url::Url::from_directory_path(folder.path().join(name)).unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        let config = StorageConfig {
            artifacts_url: url("artifacts"),
            sources: [("photos".parse().unwrap(), url("photos"))].into(),
            credentials: Default::default(),
        };
        let source = Storage::open(&config).unwrap().get_source(&"photos".parse().unwrap()).unwrap().clone();
        let cache = Cache::new(CacheConfig { folder: folder.path().join("cache"), max_bytes });
        Self { source, cache, folder }
    }

    fn key(&self, files: &[LabelledFile]) -> PackKey {
        PackKey::of(&self.source, files, SIDE, &Limits::default())
    }

    /// Packs a picture per file, each of its own colour, but the second one, which cannot be read.
    fn pack(&self, files: &[LabelledFile]) -> Result<Pack, CacheError> {
        let mut writer = self.cache.begin(&self.key(files))?;
        for number in 0..files.len() {
            let reason = Unreadable { code: "corrupt".to_owned(), detail: "no picture".to_owned() };
            writer.push(if number == 1 { Err(reason) } else { Ok(prepared(number as u8)) }).unwrap();
        }
        Ok(writer.finish().unwrap())
    }

    fn path(&self, files: &[LabelledFile]) -> PathBuf {
        self.cache.path(&self.key(files))
    }

    /// The names of all files kept.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn is_kept(&self, files: &[LabelledFile]) -> bool {
        matches!(self.cache.open(&self.key(files)), Found::Pack(_))
    }
}

fn prepared(colour: u8) -> Prepared {
    let picture = Picture { width: 8, height: 6, rgb: vec![colour; 8 * 6 * 3] };
    Prepared::of(&[colour], &picture, SIDE as u32)
}

/// A set of so many files, told from others by the etag.
fn set(count: usize, etag: &str) -> Vec<LabelledFile> {
    let file = |n: usize| LabelledFile {
        key: format!("cat/{n}.jpg"),
        uri: format!("photos/cat/{n}.jpg"),
        class: 0,
        size: 1,
        etag: etag.to_owned(),
    };
    (0..count).map(file).collect()
}

/// What a set of five takes at most.
fn five() -> u64 {
    Ground::new(0).key(&set(5, "")).most_bytes()
}

#[test]
fn what_was_packed_is_opened_as_it_was() {
    let ground = Ground::new(1 << 20);
    let files = set(5, "1");
    assert!(matches!(ground.cache.open(&ground.key(&files)), Found::Nothing));
    let packed = ground.pack(&files).unwrap();
    let Found::Pack(opened) = ground.cache.open(&ground.key(&files)) else { panic!("it is there") };
    for pack in [&packed, &opened] {
        assert_eq!((pack.pictures.len(), pack.pictures.side(), pack.read.len()), (4, SIDE, 5));
        let colours: Vec<u8> = (0..4).map(|at| pack.pictures.get(at)[0]).collect();
        assert_eq!(colours, [0, 2, 3, 4]);
        assert_eq!(pack.read[1].as_ref().unwrap_err().code, "corrupt");
        let seen = pack.read[4].as_ref().unwrap();
        assert_eq!((seen.width, seen.height, seen.gray), (8, 6, true));
    }
    assert_eq!(packed.read, opened.read);
    assert_eq!(ground.kept().len(), 1, "nothing is left of the writing");
    assert!(fs::metadata(ground.path(&files)).unwrap().len() <= ground.key(&files).most_bytes());
}

#[test]
fn a_set_without_a_readable_picture_is_kept_too() {
    let ground = Ground::new(1 << 20);
    let files = set(1, "1");
    let mut writer = ground.cache.begin(&ground.key(&files)).unwrap();
    writer.push(Err(Unreadable { code: "empty".to_owned(), detail: String::new() })).unwrap();
    assert!(writer.finish().unwrap().pictures.is_empty());
    assert!(ground.is_kept(&files));
}

#[test]
fn a_changed_file_or_another_size_is_another_set() {
    let ground = Ground::new(1 << 20);
    ground.pack(&set(5, "1")).unwrap();
    assert!(ground.is_kept(&set(5, "1")));
    assert!(!ground.is_kept(&set(5, "2")));
    assert!(!ground.is_kept(&set(4, "1")));
    let other = PackKey::of(&ground.source, &set(5, "1"), SIDE + 1, &Limits::default());
    assert!(matches!(ground.cache.open(&other), Found::Nothing));
}

#[test]
fn a_damaged_file_is_told_and_deleted() {
    let ground = Ground::new(1 << 20);
    let files = set(5, "1");
    ground.pack(&files).unwrap();
    let path = ground.path(&files);
    let whole = fs::read(&path).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (damaged, told) in [
        (flipped(SIDE * SIDE * 3 + 1), "picture 1 differs from its checksum"),
        (flipped(whole.len() - 60), "its index differs from its checksum"),
        (whole[..whole.len() - 1].to_vec(), "it does not end as LKPACK02 does"),
        (Vec::new(), "it ends after 0 bytes"),
    ] {
        fs::write(&path, damaged).unwrap();
        let Found::Damaged(reason) = ground.cache.open(&ground.key(&files)) else { panic!("{told}") };
        assert_eq!(reason, told);
        assert!(!path.exists());
    }
    ground.pack(&files).unwrap();
    assert!(ground.is_kept(&files));
}

#[test]
fn a_new_file_of_a_name_leaves_the_mapped_one_alone() {
    let ground = Ground::new(1 << 20);
    let files = set(5, "1");
    let mapped = ground.pack(&files).unwrap();
    let again = ground.pack(&files).unwrap();
    let file = OpenOptions::new().write(true).open(ground.path(&files)).unwrap();
    file.write_all_at(&[99], 0).unwrap();
    assert_eq!((mapped.pictures.get(0)[0], again.pictures.get(0)[0]), (0, 99), "two files, one name");
}

#[test]
fn the_set_not_used_for_longest_leaves_and_one_in_use_stays() {
    let trial = Ground::new(1 << 20);
    drop(trial.pack(&set(5, "1")).unwrap());
    let packed = fs::metadata(trial.path(&set(5, "1"))).unwrap().len();
    // Room for one that is kept and one that is written, as long as it may be.
    let ground = Ground::new(packed + five());
    let [first, second, third] = ["1", "2", "3"].map(|etag| set(5, etag));
    drop(ground.pack(&first).unwrap());
    let in_use = ground.pack(&second).unwrap();
    for (files, age) in [(&first, 60), (&second, 3_600)] {
        let used = SystemTime::now() - Duration::from_secs(age);
        File::open(ground.path(files)).unwrap().set_modified(used).unwrap();
    }
    drop(ground.pack(&third).unwrap());
    assert_eq!([&first, &second, &third].map(|files| ground.path(files).exists()), [false, true, true]);
    assert_eq!(in_use.pictures.get(0)[0], 0);
    drop(in_use);
    assert!(ground.is_kept(&second), "opening it makes it the one that was used last");
    drop(ground.pack(&first).unwrap());
    assert_eq!([&first, &second, &third].map(|files| ground.path(files).exists()), [true, true, false]);
}

#[test]
fn what_does_not_fit_is_refused_with_both_numbers() {
    let ground = Ground::new(five() - 1);
    let error = ground.pack(&set(5, "1")).unwrap_err();
    assert!(
        matches!(error, CacheError::TooLarge { needed, allowed } if (needed, allowed) == (five(), five() - 1))
    );
    assert!(error.to_string().contains("LOOKALIKE_CACHE_BYTES"), "{error}");
    let ground = Ground::new(five() + 100);
    let mapped = ground.pack(&set(5, "1")).unwrap();
    let error = ground.pack(&set(5, "2")).unwrap_err();
    assert!(matches!(error, CacheError::Full { in_use, .. } if in_use > 0), "{error}");
    drop(mapped);
    ground.pack(&set(5, "2")).unwrap();
}

#[test]
fn what_a_killed_worker_left_half_written_is_removed() {
    let ground = Ground::new(1 << 20);
    let under_way = ground.cache.begin(&ground.key(&set(5, "1"))).unwrap();
    let left = ground.folder.path().join("cache").join(format!("left.{}", room::PART));
    fs::write(&left, "x").unwrap();
    ground.pack(&set(5, "2")).unwrap();
    assert!(!left.exists());
    assert_eq!(ground.kept().len(), 2, "what is being written stays");
    drop(under_way);
    assert_eq!(ground.kept().len(), 1);
}
