//! Writing to standard output, which may be a pipe that nobody reads any more.
//!
//! Results go through here; messages and problems go to standard error.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::error::CliError;

/// Writes one line and flushes it.
///
/// # Errors
/// [`CliError::OutputClosed`] when nobody reads.
pub fn line(text: impl AsRef<str>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
    written.map_err(closed)
}

/// Writes text as it is and flushes it.
///
/// # Errors
/// [`CliError::OutputClosed`] when nobody reads.
pub fn text(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(closed)
}

/// Writes one JSON document, indented for people.
///
/// # Errors
/// [`CliError::OutputClosed`] when nobody reads.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string_pretty(value).expect("a value of strings and numbers"))
}

/// Writes one JSON document on one line.
///
/// # Errors
/// [`CliError::OutputClosed`] when nobody reads.
pub fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string(value).expect("a value of strings and numbers"))
}

/// Lays rows out in columns: as wide as the terminal on one, as wide as the content elsewhere.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if table.is_tty() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn closed(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return CliError::OutputClosed;
    }
    CliError::Other(anyhow::Error::new(error).context("cannot write to standard output"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_plain_columns() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["long name".to_owned(), "22".to_owned()]];
        assert_eq!(table(&["NAME", "N"], rows), "NAME       N\na          1\nlong name  22");
    }
}
