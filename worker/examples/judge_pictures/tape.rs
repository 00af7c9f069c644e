//! Reads a tar file (POSIX.1-1988 ustar, with GNU's and POSIX.1-2001's long names) that lies in memory.

use anyhow::Context;

const BLOCK: usize = 512;

/// The plain files with their paths.
pub fn files(tape: &[u8]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let (mut at, mut long_name) = (0, None);
    while let Some(head) = tape.get(at..at + BLOCK).filter(|head| head[0] != 0) {
        let size = usize::from_str_radix(text(&head[124..136]).trim(), 8).context("size in a tar header")?;
        let data = tape.get(at + BLOCK..at + BLOCK + size).context("a tar file that ends early")?;
        at += BLOCK + size.next_multiple_of(BLOCK);
        match head[156] {
            b'L' => long_name = Some(text(data)),
            b'x' => long_name = path_record(data).or(long_name),
            b'0' | 0 => {
                let (name, prefix) = (text(&head[..100]), text(&head[345..500]));
                let short_name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                files.push((long_name.take().unwrap_or(short_name), data.to_vec()));
            }
            _ => long_name = None,
        }
    }
    Ok(files)
}

/// Up to the first zero byte.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// `path` of extended header records, each `LENGTH KEY=VALUE\n`.
fn path_record(records: &[u8]) -> Option<String> {
    let lines = String::from_utf8_lossy(records).into_owned();
    lines.lines().find_map(|line| line.split_once(" path=").map(|(_, path)| path.to_owned()))
}
