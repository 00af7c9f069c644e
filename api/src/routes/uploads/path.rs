//! Where an uploaded file may lie within its set: a relative path that cannot leave it.

/// The longest path within a set, in bytes; with the set's name it stays below what object stores take.
const MAX_PATH_BYTES: usize = 900;
/// The longest part of a path, in bytes, that file systems take.
const MAX_PART_BYTES: usize = 255;

/// What archive tools and file managers leave beside pictures.
const JUNK: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// Why a file is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing is left of it.
    #[error("the path is empty")]
    Empty,
    /// It starts at a root or a drive.
    #[error("the path is absolute")]
    Absolute,
    /// It has a part `.` or `..`, or an empty one.
    #[error("the path has an empty part, '.' or '..'")]
    Traversal,
    /// Longer than stores take.
    #[error("the path has more than {MAX_PATH_BYTES} bytes, or a part of it more than {MAX_PART_BYTES}")]
    TooLong,
    /// Characters that stores refuse.
    #[error("the path has a control character, or ends in '#' and digits")]
    Characters,
    /// A file that archive tools and file managers add.
    #[error("a file of the operating system")]
    Junk,
}

/// The path under which a file named `name` is stored. `\` separates like `/`; a leading `./` is dropped.
///
/// # Errors
/// [`BadPath`].
pub fn stored_path(name: &str) -> Result<String, BadPath> {
    let path = name.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    if path.is_empty() {
        return Err(BadPath::Empty);
    }
    let parts: Vec<&str> = path.split('/').collect();
    let drive = matches!(parts[0].as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic());
    if parts[0].is_empty() || drive {
        return Err(BadPath::Absolute);
    }
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err(BadPath::Traversal);
    }
    if path.len() > MAX_PATH_BYTES || parts.iter().any(|part| part.len() > MAX_PART_BYTES) {
        return Err(BadPath::TooLong);
    }
    let file = parts.last().expect("split gives at least one part");
    if path.chars().any(char::is_control) || is_staging_name(file) {
        return Err(BadPath::Characters);
    }
    if parts[0] == "__MACOSX" || file.starts_with("._") || JUNK.contains(file) {
        return Err(BadPath::Junk);
    }
    Ok(path.to_owned())
}

/// Local stores keep names like `a.jpg#1` for files under way and hide them.
fn is_staging_name(file: &str) -> bool {
    file.split_once('#')
        .is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_kept() {
        for name in
            ["a.jpg", "class/a.jpg", "Tee kanne/\"ü\" 100% [1].jpg", "猫/写真.png", "a#b.jpg", ".hidden/x"]
        {
            assert_eq!(stored_path(name).as_deref(), Ok(name));
        }
        assert_eq!(stored_path("./class\\a.jpg").as_deref(), Ok("class/a.jpg"));
    }

    #[test]
    fn nothing_leaves_the_set() {
        for (name, reason) in [
            ("", BadPath::Empty),
            ("./", BadPath::Empty),
            ("/etc/passwd", BadPath::Absolute),
            ("\\\\host\\share\\x", BadPath::Absolute),
            ("C:\\x.jpg", BadPath::Absolute),
            ("../x", BadPath::Traversal),
            ("a/../../x", BadPath::Traversal),
            ("a/./x", BadPath::Traversal),
            ("a\\..\\..\\x", BadPath::Traversal),
            ("a//x", BadPath::Traversal),
            ("folder/", BadPath::Traversal),
            ("a\0.jpg", BadPath::Characters),
            ("a\n.jpg", BadPath::Characters),
            ("a.jpg#12", BadPath::Characters),
        ] {
            assert_eq!(stored_path(name), Err(reason), "{name:?}");
        }
        assert_eq!(stored_path(&"x".repeat(256)), Err(BadPath::TooLong));
        assert_eq!(stored_path(&vec!["x"; 451].join("/")), Err(BadPath::TooLong));
    }

    #[test]
    fn junk_is_known() {
        for name in ["__MACOSX/._a.jpg", "class/._a.jpg", "class/.DS_Store", "Thumbs.db"] {
            assert_eq!(stored_path(name), Err(BadPath::Junk), "{name}");
        }
    }
}
