//! Single values as text.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The value at `pointer`, `-` when there is none.
pub fn text(item: &Value, pointer: &str) -> String {
    match item.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => list(items),
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| format!("{name}={}", text(value, "")))
            .collect::<Vec<_>>()
            .join(" "),
        Some(other) => other.to_string(),
    }
}

/// The items, or the first ones of many and how many more there are.
fn list(items: &[Value]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<_> = items.iter().take(SHOWN).map(|item| text(item, "")).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// How long ago a time was, or how far ahead it is.
pub fn age(item: &Value, pointer: &str) -> String {
    let time =
        item.pointer(pointer).and_then(Value::as_str).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let Some(time) = time else { return "-".to_owned() };
    let seconds = (Utc::now() - time).as_seconds_f64();
    if seconds < 0.0 { format!("in {}", duration(-seconds)) } else { format!("{} ago", duration(seconds)) }
}

/// Seconds in the two largest units that fit.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3_600 => format!("{}m {}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// A share of one in percent.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Bytes in the largest unit that fits.
pub fn bytes(count: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Phase and counts of a job's progress.
pub fn progress(progress: &Value) -> String {
    let (Some(phase), Some(done)) = (progress.get("phase").and_then(Value::as_str), progress.get("done"))
    else {
        return "-".to_owned();
    };
    // Nothing was counted yet, or ever.
    if progress.get("unit").and_then(Value::as_str) == Some("") {
        return "-".to_owned();
    }
    match progress.get("total").and_then(Value::as_u64) {
        Some(total) => format!("{phase} {done}/{total}"),
        None => format!("{phase} {done}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_for_people() {
        assert_eq!(duration(59.4), "59s");
        assert_eq!(duration(3_599.9), "1h 0m");
        assert_eq!(duration(90_000.0), "1d 1h");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(14_233_088.0), "14.2 MB");
        assert_eq!(percent(0.8844), "88.44 %");
        assert_eq!(text(&json!({"a": {"team": ["x", 1]}}), "/a"), "team=x, 1");
        assert_eq!(text(&json!({"a": null}), "/a"), "-");
        let many = text(&json!((0..1000).collect::<Vec<_>>()), "");
        assert!(many.starts_with("0, 1, 2, ") && many.ends_with(", 18, 19 and 980 more"), "{many}");
        assert_eq!(progress(&json!({"phase": "decoding", "done": 3, "total": null})), "decoding 3");
    }

    #[test]
    fn times_are_told_from_now() {
        let past = (Utc::now() - chrono::TimeDelta::seconds(120)).to_rfc3339();
        assert!(age(&json!({"at": past}), "/at").ends_with(" ago"));
        let ahead = (Utc::now() + chrono::TimeDelta::seconds(120)).to_rfc3339();
        assert!(age(&json!({"at": ahead}), "/at").starts_with("in "));
        assert_eq!(age(&json!({}), "/at"), "-");
    }
}
