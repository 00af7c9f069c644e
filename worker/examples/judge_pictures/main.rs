//! Reads every picture of a folder and compares the outcome with a manifest: what must be read is, at its upright
//! size; what must be refused is, with little memory.
//!
//!     judge_pictures FOLDER MANIFEST      e.g. judge_pictures ../shared/data/mixed ../shared/data/mixed.MANIFEST.tsv
//!
//! The manifest is a table with tabs and a head; of its columns `file`, `group` and `upright_WxH` are used. Groups
//! `ok`, `exif` and `names` must be read, `error` must be refused, `may` may be either. Files of a group that the
//! folder holds as `GROUP.tar` are read from there. Prints a table; fails on the first run with a deviation.

mod counting;
mod tape;

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use lookalike_worker::picture::{Limits, PictureError, ReadPicture, read_picture};

/// The most that refusing a file may allocate, beside the file itself.
const REFUSAL_BYTES: usize = 8 << 20;
const SIDE: u32 = 224;

struct Row {
    file: String,
    group: String,
    upright: String,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, manifest] = arguments.as_slice() else {
        anyhow::bail!("arguments: FOLDER MANIFEST");
    };
    let folder = Path::new(folder);
    let rows = rows(&std::fs::read_to_string(manifest).with_context(|| format!("reading {manifest}"))?)?;
    let mut taped: HashMap<String, Vec<u8>> = HashMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            taped.extend(tape::files(&std::fs::read(path)?)?);
        }
    }
    let limits = Limits::default();
    let (mut deviations, mut counts) = (0, HashMap::<(String, &str), usize>::new());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<44} {:>5} {:>10} {:>8}  outcome", "file", "group", "peak KiB", "ms")?;
    for row in &rows {
        let bytes = match taped.remove(&row.file) {
            Some(bytes) => bytes,
            None => std::fs::read(folder.join(&row.file)).with_context(|| format!("reading {}", row.file))?,
        };
        let started = Instant::now();
        let (outcome, peak) = counting::peak_of(|| read_picture(&bytes, &limits, SIDE));
        let elapsed = started.elapsed().as_secs_f64() * 1e3;
        let verdict = judge(row, &outcome, peak, bytes.len());
        deviations += usize::from(verdict.is_err());
        *counts.entry((row.group.clone(), if outcome.is_ok() { "read" } else { "refused" })).or_default() +=
            1;
        let told = match (&outcome, &verdict) {
            (_, Err(deviation)) => format!("DEVIATION: {deviation}"),
            (Ok(picture), Ok(())) => format!("{}x{}", picture.width, picture.height),
            (Err(refusal), Ok(())) => refusal.to_string(),
        };
        let name: String = row.file.chars().take(44).collect();
        writeln!(out, "{name:<44} {:>5} {:>10} {elapsed:>8.1}  {told}", row.group, peak >> 10)?;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort();
    for ((group, outcome), count) in counts {
        writeln!(out, "{group:>5} {outcome:<8} {count}")?;
    }
    anyhow::ensure!(deviations == 0, "{deviations} of {} files deviate from the manifest", rows.len());
    Ok(writeln!(out, "all {} files are as the manifest says", rows.len())?)
}

fn rows(manifest: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = manifest.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column =
        |name| head.iter().position(|column| *column == name).with_context(|| format!("no column {name}"));
    let columns = [column("file")?, column("group")?, column("upright_WxH")?];
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [file, group, upright] =
            columns.map(|column| cells.get(column).copied().unwrap_or_default().to_owned());
        Row { file, group, upright }
    };
    Ok(lines.filter(|line| !line.trim().is_empty()).map(row).collect())
}

fn judge(
    row: &Row,
    outcome: &Result<ReadPicture, PictureError>,
    peak: usize,
    file_bytes: usize,
) -> Result<(), String> {
    match (row.group.as_str(), outcome) {
        ("ok" | "exif" | "names", Ok(picture)) => {
            let found = format!("{}x{}", picture.width, picture.height);
            if found == row.upright { Ok(()) } else { Err(format!("{found} instead of {}", row.upright)) }
        }
        ("error", Err(_)) if peak <= file_bytes + REFUSAL_BYTES => Ok(()),
        ("error", Err(_)) => Err(format!("refusing it took {peak} bytes")),
        ("may", _) => Ok(()),
        (_, Ok(_)) => Err("it was read".to_owned()),
        (_, Err(refusal)) => Err(format!("it was refused: {refusal}")),
    }
}
