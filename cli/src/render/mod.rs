//! Turning the server's JSON into text for people.

pub mod fields;
mod report;
pub mod results;

use serde_json::Value;

use crate::error::CliError;
use crate::output;

/// How a column's value is written.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// As it is.
    Text,
    /// A time as its distance from now.
    Age,
    /// A share of one in percent.
    Percent,
    /// A number of bytes.
    Bytes,
    /// How far a job is.
    Progress,
    /// The number of items of a list.
    Count,
}

/// A column of a table: its heading, where its value is, how it is written.
pub type Column = (&'static str, &'static str, Format);

/// Lays items out as a table; a sentence when there are none.
pub fn table(items: &[Value], columns: &[Column], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    let header: Vec<_> = columns.iter().map(|(heading, ..)| *heading).collect();
    let rows = items
        .iter()
        .map(|item| columns.iter().map(|(_, pointer, format)| cell(item, pointer, *format)).collect());
    output::table(&header, rows.collect())
}

/// Prints items as JSON or as a table.
///
/// # Errors
/// When standard output is closed.
pub fn print_list(items: &[Value], columns: &[Column], none: &str, json: bool) -> Result<(), CliError> {
    if json { output::json(&items) } else { output::line(table(items, columns, none)) }
}

/// Prints one thing as JSON or as lines of `name  value`.
///
/// # Errors
/// When standard output is closed.
pub fn print_card(item: &Value, rows: &[Column], json: bool) -> Result<(), CliError> {
    if json { output::json(item) } else { output::line(card(item, rows)) }
}

/// Lines of `name  value`, those without a value left out.
pub fn card(item: &Value, rows: &[Column]) -> String {
    let is_told =
        |value: &Value| !value.is_null() && value.as_object().is_none_or(|fields| !fields.is_empty());
    let told = rows.iter().filter(|(_, pointer, _)| item.pointer(pointer).is_some_and(is_told));
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let lines =
        told.map(|(name, pointer, format)| format!("{name:width$}  {}", cell(item, pointer, *format)));
    lines.collect::<Vec<_>>().join("\n")
}

fn cell(item: &Value, pointer: &str, format: Format) -> String {
    let number = || item.pointer(pointer).and_then(Value::as_f64);
    match format {
        Format::Text => fields::text(item, pointer),
        Format::Age => fields::age(item, pointer),
        Format::Percent => number().map_or("-".to_owned(), fields::percent),
        Format::Bytes => number().map_or("-".to_owned(), fields::bytes),
        Format::Progress => item.pointer(pointer).map_or("-".to_owned(), fields::progress),
        Format::Count => item
            .pointer(pointer)
            .and_then(Value::as_array)
            .map_or("-".to_owned(), |list| list.len().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_a_row_per_item_and_a_dash_for_nothing() {
        let items = [json!({"name": "a", "share": 0.5, "classes": [1, 2]}), json!({"name": "b"})];
        let columns = [
            ("NAME", "/name", Format::Text),
            ("SHARE", "/share", Format::Percent),
            ("CLASSES", "/classes", Format::Count),
        ];
        assert_eq!(
            table(&items, &columns, "none"),
            "NAME  SHARE    CLASSES\na     50.00 %  2\nb     -        -"
        );
        assert_eq!(table(&[], &columns, "there are none"), "there are none");
    }

    #[test]
    fn a_card_leaves_out_what_is_not_known() {
        let item = json!({"name": "a", "error": null, "labels": {}});
        let rows = [
            ("name", "/name", Format::Text),
            ("error", "/error", Format::Text),
            ("labels", "/labels", Format::Text),
        ];
        assert_eq!(card(&item, &rows), "name    a");
    }
}
