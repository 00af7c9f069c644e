//! A change of a job as a server-sent event.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use lookalike_shared::db::events::Event;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What `data:` of a stream holds. `event:` is the type: `queued`, `scheduled`, `started`, `progress`, `retrying`,
/// `pausing`, `paused`, `resumed`, `cancelling`, `succeeded`, `failed`, `cancelled`, `released`, `metrics` (of an epoch),
/// `steps` (the newest of a batch), `deleted` or `resync`. Of a `resync` only `id` and `at` are not null.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = JobEvent)]
pub struct EventView {
    /// The event's number, also in `id:`.
    pub id: i64,
    /// The job.
    pub job_id: Option<Uuid>,
    /// Its kind.
    pub kind: Option<String>,
    /// Its queue.
    pub queue: Option<String>,
    /// Its state after the change.
    pub state: Option<String>,
    /// Its attempt.
    pub attempt: Option<i32>,
    /// How far it is.
    #[schema(value_type = Option<lookalike_shared::domain::job::Progress>)]
    pub progress: Option<Value>,
    /// Why it, or its last attempt, failed.
    #[schema(value_type = Option<lookalike_shared::domain::job::JobFailure>)]
    pub error: Option<Value>,
    /// What else belongs to the change: a row of metrics, the reason of the state.
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let mut data = event.data.clone();
        let error = match (&mut data, event.r#type.as_str()) {
            (_, "metrics" | "steps") => None,
            (Some(Value::Object(fields)), _) => fields.remove("error"),
            _ => None,
        };
        let empty = |data: &Value| data.as_object().is_some_and(serde_json::Map::is_empty);
        Self {
            id: event.id,
            job_id: Some(event.job_id),
            kind: Some(event.kind.clone()),
            queue: Some(event.queue.clone()),
            state: Some(event.state.clone()),
            attempt: Some(event.attempt),
            progress: event.progress.clone(),
            error,
            data: data.filter(|data| !empty(data)),
            at: event.at,
        }
    }
}

/// Whether a job's stream ends here.
pub fn is_final(event: &Event) -> bool {
    matches!(event.r#type.as_str(), "succeeded" | "failed" | "cancelled" | "deleted")
}

/// The event as text of a stream.
pub fn frame(event: &Event) -> Bytes {
    write(&event.r#type, &EventView::from(event))
}

/// Tells a stream that events before `newest` may be missing, so that it has to read everything anew.
pub fn resync(newest: i64, at: DateTime<Utc>) -> Bytes {
    let view = EventView {
        id: newest,
        job_id: None,
        kind: None,
        queue: None,
        state: None,
        attempt: None,
        progress: None,
        error: None,
        data: None,
        at,
    };
    write("resync", &view)
}

fn write(r#type: &str, view: &EventView) -> Bytes {
    let data = serde_json::to_string(view).expect("a view is plain data");
    Bytes::from(format!("id: {}\nevent: {}\ndata: {data}\n\n", view.id, r#type))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(r#type: &str, data: Value) -> Event {
        Event {
            id: 7,
            job_id: Uuid::nil(),
            r#type: r#type.to_owned(),
            kind: "noop".to_owned(),
            queue: "maintenance".to_owned(),
            state: "failed".to_owned(),
            attempt: 1,
            progress: None,
            data: Some(data),
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_error_is_a_field_of_its_own_and_empty_data_is_null() {
        let view = EventView::from(&event("failed", json!({"error": {"code": "x", "detail": "y"}})));
        assert_eq!((view.error, view.data), (Some(json!({"code": "x", "detail": "y"})), None));
    }

    #[test]
    fn a_frame_is_three_fields_and_an_empty_line() {
        let frame = frame(&event("failed", json!({})));
        let text = std::str::from_utf8(&frame).unwrap();
        assert!(text.starts_with("id: 7\nevent: failed\ndata: {") && text.ends_with("}\n\n"), "{text}");
        assert_eq!(text.lines().count(), 4);
    }
}
