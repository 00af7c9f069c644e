//! Rows of figures and their limits, as a table and as JSON.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// One figure beside its limit.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured; never changes its meaning.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit: `ms`, `jobs/s`, `pictures/s`.
    pub unit: &'static str,
    /// What the machine allows, in the same unit; none for what is a limit itself.
    pub limit: Option<f64>,
    /// `value / limit`: 1 is the limit, of rates less, of times more.
    pub ratio: Option<f64>,
    /// What the limit is.
    #[serde(skip)]
    pub against: &'static str,
}

/// The rows so far.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds what is itself a limit.
    pub fn limit(&mut self, name: &str, value: f64, unit: &'static str) {
        self.rows.push(Row { name: name.to_owned(), value, unit, limit: None, ratio: None, against: "" });
    }

    /// Adds a figure beside its limit.
    pub fn row(&mut self, name: &str, value: f64, unit: &'static str, limit: f64, against: &'static str) {
        let (name, limit, ratio) = (name.to_owned(), Some(limit), Some(value / limit));
        self.rows.push(Row { name, value, unit, limit, ratio, against });
    }

    /// Adds the rows of another one.
    pub fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }

    /// Prints the table to standard output.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self, device: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\non {device}\n")?;
        writeln!(
            out,
            "{:<28} {:>12} {:<11} {:>12} {:>7}  the limit is",
            "what", "measured", "", "limit", "ratio"
        )?;
        for row in &self.rows {
            let limit = row.limit.map(figure).unwrap_or_default();
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let Row { name, unit, against, .. } = row;
            writeln!(
                out,
                "{name:<28} {:>12} {unit:<11} {limit:>12} {ratio:>7}  {against}",
                figure(row.value)
            )?;
        }
        Ok(())
    }

    /// Writes the rows as a JSON list.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&self.rows)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Three figures that matter.
fn figure(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}")
}

/// The value below which `share` of the sorted `values` lie (nearest rank).
///
/// # Panics
/// When there is none.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((percentile(&mut values, 0.5), percentile(&mut values, 0.99)), (50.0, 99.0));
        assert_eq!(percentile(&mut [7.0], 0.99), 7.0);
    }

    #[test]
    fn a_row_is_told_with_its_limit_and_their_ratio() {
        let mut report = Report::default();
        report.limit("commit", 2.0, "ms");
        report.row("drain", 50.0, "jobs/s", 100.0, "the statements alone");
        let rows = serde_json::to_value(&report.rows).unwrap();
        assert_eq!(
            rows,
            serde_json::json!([
                {"name": "commit", "value": 2.0, "unit": "ms", "limit": null, "ratio": null},
                {"name": "drain", "value": 50.0, "unit": "jobs/s", "limit": 100.0, "ratio": 0.5},
            ])
        );
    }
}
