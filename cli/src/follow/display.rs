//! How a followed job is shown: a live bar on a terminal, plain lines in a pipe, events as JSON lines, or nothing.

use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::client::events::Event;
use crate::error::CliError;
use crate::output;
use crate::render::fields::{self, text};

/// Plain progress lines of one phase are at least this far apart.
const LINE_GAP: Duration = Duration::from_secs(5);

/// Shows what happens to one job.
#[derive(Debug)]
pub enum Display {
    /// A bar on standard error.
    Bar {
        /// The bar.
        bar: ProgressBar,
        /// The loss of the last step of a training.
        loss: Option<f64>,
    },
    /// Lines on standard output.
    Lines {
        /// The phase last told, and when.
        last: Option<(String, Instant)>,
    },
    /// One JSON document a line on standard output.
    JsonLines,
    /// Nothing.
    Silent,
}

impl Display {
    /// What suits people: a bar where both outputs are a terminal, else lines.
    pub fn for_people() -> Self {
        if stdout().is_terminal() && stderr().is_terminal() {
            Self::bar()
        } else {
            Self::Lines { last: None }
        }
    }

    /// What suits a command that prints one JSON document: a bar on a terminal, else nothing.
    pub fn beside_json() -> Self {
        if stderr().is_terminal() { Self::bar() } else { Self::Silent }
    }

    fn bar() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::Bar { bar, loss: None }
    }

    /// Shows one event.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn show(&mut self, event: &Event) -> Result<(), CliError> {
        match self {
            Self::Bar { bar, loss } => {
                show_on_bar(bar, event, loss);
                Ok(())
            }
            Self::Lines { last } => match line_for(event, last) {
                Some(line) => output::line(line),
                None => Ok(()),
            },
            Self::JsonLines => output::json_line(&with_type(event)),
            Self::Silent => Ok(()),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Self::Bar { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

/// What an event says, with its type and id among the fields.
fn with_type(event: &Event) -> Value {
    let mut data = event.data.as_object().cloned().unwrap_or_default();
    data.insert("type".to_owned(), Value::String(event.kind.clone()));
    if let Some(id) = &event.id {
        data.entry("id").or_insert_with(|| Value::String(id.clone()));
    }
    Value::Object(data)
}

fn show_on_bar(bar: &ProgressBar, event: &Event, loss: &mut Option<f64>) {
    if let Some(line) = epoch_line(event) {
        bar.println(line);
        return;
    }
    if event.kind == "steps" {
        *loss = event.data.pointer("/data/loss").and_then(Value::as_f64);
        return;
    }
    let Some(progress) = event.data.get("progress").filter(|progress| progress.is_object()) else {
        bar.set_message(text(&event.data, "/state"));
        return;
    };
    let done = progress.get("done").and_then(Value::as_u64).unwrap_or(0);
    let total = progress.get("total").and_then(Value::as_u64);
    bar.set_style(style(total.is_some()));
    bar.set_length(total.unwrap_or(0));
    bar.set_position(done);
    bar.set_prefix(text(progress, "/phase"));
    let loss = loss.map_or(String::new(), |loss| format!(", loss {loss:.4}"));
    bar.set_message(pace(progress) + &loss);
}

fn style(is_measured: bool) -> ProgressStyle {
    let template = if is_measured {
        "{prefix:.bold} [{bar:32}] {human_pos}/{human_len} {msg}"
    } else {
        "{spinner} {prefix:.bold} {human_pos} {msg}"
    };
    ProgressStyle::with_template(template).expect("a constant template").progress_chars("=> ")
}

/// Unit, rate, failures and remaining time, as far as they are known.
fn pace(progress: &Value) -> String {
    let mut parts = vec![text(progress, "/unit")];
    if let Some(rate) = progress.get("rate").and_then(Value::as_f64) {
        parts.push(format!("{rate:.0}/s"));
    }
    if let Some(failed) = progress.get("failed").and_then(Value::as_u64).filter(|failed| *failed > 0) {
        parts.push(format!("{failed} failed"));
    }
    if let Some(seconds) = progress.get("eta_seconds").and_then(Value::as_f64) {
        parts.push(format!("{} left", fields::duration(seconds)));
    }
    parts.join(", ")
}

/// The line for an event, unless one of its phase was told a moment ago.
fn line_for(event: &Event, last: &mut Option<(String, Instant)>) -> Option<String> {
    if let Some(line) = epoch_line(event) {
        return Some(line);
    }
    if event.kind == "steps" {
        return None;
    }
    if event.kind != "progress" {
        *last = None;
        return Some(state_line(event));
    }
    let progress = event.data.get("progress")?;
    let phase = text(progress, "/phase");
    let is_complete =
        progress.get("total").is_some_and(|total| !total.is_null() && Some(total) == progress.get("done"));
    let told = last.as_ref().is_some_and(|(before, when)| *before == phase && when.elapsed() < LINE_GAP);
    if told && !is_complete {
        return None;
    }
    *last = Some((phase.clone(), Instant::now()));
    let total =
        progress.get("total").and_then(Value::as_u64).map_or(String::new(), |total| format!("/{total}"));
    Some(format!("{phase} {}{total} {}", text(progress, "/done"), pace(progress)))
}

fn state_line(event: &Event) -> String {
    let reason = ["/data/error/detail", "/error/detail", "/data/state_reason"]
        .iter()
        .find_map(|pointer| event.data.pointer(pointer)?.as_str())
        .map_or(String::new(), |reason| format!(": {reason}"));
    format!("{}{reason}", event.kind)
}

/// The line of one epoch of a training.
fn epoch_line(event: &Event) -> Option<String> {
    if event.kind != "metrics" {
        return None;
    }
    let row = event.data.get("data").filter(|row| row.is_object()).unwrap_or(&event.data);
    let epoch = row.get("epoch")?;
    let mut line = format!("epoch {epoch}");
    for (name, field, is_share) in [
        ("loss", "loss", false),
        ("train", "train_accuracy", true),
        ("validation", "validation_accuracy", true),
    ] {
        match row.get(field).and_then(Value::as_f64) {
            Some(value) if is_share => line += &format!("  {name} {:.2} %", value * 100.0),
            Some(value) => line += &format!("  {name} {value:.4}"),
            None => {}
        }
    }
    for (name, field) in [("P@10", "precision_at_10"), ("mAP", "map")] {
        if let Some(share) = row.get(field).and_then(Value::as_f64) {
            line += &format!("  {name} {:.2} %", share * 100.0);
        }
    }
    if let Some(rate) = row.get("images_per_second").and_then(Value::as_f64) {
        line += &format!("  {rate:.0} pictures/s");
    }
    if let Some(share) = row.get("loader_wait_share").and_then(Value::as_f64).filter(|share| *share >= 0.05) {
        line += &format!("  {:.0} % waiting for pictures", share * 100.0);
    }
    if let Some(seconds) = row.get("eta_seconds").and_then(Value::as_f64) {
        line += &format!("  {} left", fields::duration(seconds));
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, data: Value) -> Event {
        Event { id: Some("5".to_owned()), kind: kind.to_owned(), data }
    }

    fn progress(phase: &str, done: u64) -> Event {
        event(
            "progress",
            json!({"state": "running", "progress": {"phase": phase, "done": done, "total": 100, "unit": "pictures",
                   "failed": 2, "rate": 10.4, "eta_seconds": 75.0}}),
        )
    }

    #[test]
    fn lines_are_sparse_within_a_phase() {
        let mut last = None;
        let first = line_for(&progress("decoding", 1), &mut last);
        assert_eq!(first.as_deref(), Some("decoding 1/100 pictures, 10/s, 2 failed, 1m 15s left"));
        assert_eq!(line_for(&progress("decoding", 2), &mut last), None);
        assert!(line_for(&progress("writing", 2), &mut last).is_some());
        assert!(line_for(&progress("writing", 100), &mut last).is_some(), "the end of a phase is told");
    }

    #[test]
    fn an_epoch_is_a_line_of_its_own() {
        let row = json!({"epoch": 3, "loss": 0.51234, "train_accuracy": 0.9, "validation_accuracy": 0.8844,
                         "images_per_second": 321.7});
        let expected = "epoch 3  loss 0.5123  train 90.00 %  validation 88.44 %  322 pictures/s";
        assert_eq!(epoch_line(&event("metrics", json!({"data": row}))).as_deref(), Some(expected));
        assert_eq!(epoch_line(&event("metrics", row)).as_deref(), Some(expected));
    }

    #[test]
    fn an_epoch_tells_what_else_was_measured_and_steps_are_no_lines() {
        let row = json!({"epoch": 1, "loss": 2.0, "precision_at_10": 0.8, "map": 0.75, "images_per_second": 90.2,
                         "loader_wait_share": 0.25, "eta_seconds": 61.0});
        let expected = "epoch 1  loss 2.0000  P@10 80.00 %  mAP 75.00 %  90 pictures/s  25 % waiting for pictures  1m 1s left";
        assert_eq!(epoch_line(&event("metrics", json!({"data": row}))).as_deref(), Some(expected));
        assert_eq!(line_for(&event("steps", json!({"data": {"last_step": 8}})), &mut None), None);
    }

    #[test]
    fn a_json_line_carries_the_type() {
        let line = with_type(&event("running", json!({"id": 5, "state": "running"})));
        assert_eq!(line, json!({"id": 5, "state": "running", "type": "running"}));
    }
}
