//! What may be a key, and how names that object_store's paths cannot hold travel through them.
//!
//! A bucket may hold any name: `a//b`, `../x`, control characters. object_store parses every name of a page that it
//! lists, and one that is no path of its own loses the page. So such names are escaped before it sees them
//! ([`super::names`]) and brought back when its paths become keys. A key with empty parts can still be read from a
//! bucket; one with `.` or `..` parts or control characters cannot, since no request can name it.

use object_store::path::{Path, PathPart};

/// Begins an escaped name: the last character of a private plane, which names are not made of.
const MARK: char = '\u{10fffd}';

/// A name as object_store can hold it: itself, or escaped.
pub(super) fn escape(name: &str) -> Option<String> {
    // Readers of XML take off blanks at the ends.
    let plain = !name.starts_with(MARK)
        && name.trim() == name
        && Path::parse(name).is_ok_and(|path| path.as_ref() == name);
    let escaped = || name.bytes().fold(String::from(MARK), |text, byte| text + &format!("{byte:02x}"));
    (!plain).then(escaped)
}

/// The name that a path of object_store stands for.
pub(super) fn unescape(path: &str) -> String {
    let bytes = path.strip_prefix(MARK).and_then(|digits| {
        let pairs = (0..digits.len()).step_by(2);
        pairs.map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect::<Option<Vec<u8>>>()
    });
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| path.to_owned())
}

/// A key below `prefix` as a path of a bucket.
///
/// # Errors
/// What of it no request can name.
pub(super) fn in_bucket(prefix: &Path, key: &str) -> Result<Path, String> {
    let mut path = prefix.clone();
    if key.is_empty() {
        return Ok(path);
    }
    if path.is_root() && key.starts_with('/') {
        return Err("it begins with a slash".to_owned());
    }
    for part in key.split('/') {
        let part = PathPart::parse(part).map_err(|_| match part {
            "." | ".." => format!("it has a part \"{part}\""),
            _ => "it has a control character".to_owned(),
        })?;
        path = path.join(part);
    }
    Ok(path)
}

/// Checks a key of a local folder: a relative path of parts that name something. The empty key is the folder itself.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_local(key: &str) -> Result<(), String> {
    if key.is_empty() {
        return Ok(());
    }
    for part in key.split('/') {
        match part {
            "" => return Err("it has an empty part".to_owned()),
            "." | ".." => return Err(format!("it has a part \"{part}\"")),
            _ if part.contains('\0') => return Err("it has a NUL".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [&str; 9] = [" a ", "a//b", "../x", "a/./b", "/a", "a/", "a\u{1}b", "\u{10fffd}61", ""];

    #[test]
    fn odd_names_come_back_as_they_were_and_others_stay() {
        for name in ODD {
            let escaped = escape(name);
            let path = escaped.as_ref().map(|text| Path::parse(text).unwrap());
            assert_eq!(path.map_or(String::new(), |path| unescape(path.as_ref())), name);
        }
        for name in ["a b", "ä/é", "100%", "a#?\"'", "🍊", "a%2Fb", "two..dots"] {
            assert_eq!((escape(name), unescape(name).as_str()), (None, name));
        }
    }

    #[test]
    fn only_what_no_request_can_name_is_refused_in_a_bucket() {
        let root = Path::default();
        for (key, raw) in [("a//b", "a//b"), ("a/", "a/"), ("a%2Fb ?#", "a%2Fb ?#")] {
            assert_eq!(in_bucket(&root, key).unwrap().as_ref(), raw);
        }
        assert_eq!(in_bucket(&Path::from("p"), "/a").unwrap().as_ref(), "p//a");
        for key in ["../x", "a/./b", "/a", "a\u{1}b"] {
            assert!(in_bucket(&root, key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn only_what_leads_elsewhere_is_refused_in_a_folder() {
        for key in ["", "a/b", "new\nline", "cat#1", "..a", "a..", "%2e%2e/x", "-rf"] {
            assert_eq!(check_local(key), Ok(()), "{key:?}");
        }
        for key in ["/a", "a//b", "a/../b", ".", "a/", "nul\0"] {
            assert!(check_local(key).is_err(), "{key:?}");
        }
    }
}
