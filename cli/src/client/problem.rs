//! Refusals of the server: problem documents (RFC 9457) made readable.

use std::fmt;

use lookalike_shared::domain::FieldError;
use reqwest::Response;
use serde::{Deserialize, Serialize};

/// What the server said when it refused a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, for people.
    pub title: String,
    /// What is wrong this time, and what would do.
    pub detail: String,
    /// A stable name of the kind.
    pub code: String,
    /// What to name when asking the operator.
    pub request_id: Option<String>,
    /// Every field that breaks a rule.
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// Reads the refusal out of an answer, whatever it is.
    pub async fn of_response(response: Response) -> Self {
        let status = response.status().as_u16();
        let url = response.url().clone();
        let bytes = response.bytes().await.unwrap_or_default();
        let told = serde_json::from_slice::<Self>(&bytes).ok().filter(|problem| problem.status != 0);
        told.unwrap_or_else(|| {
            let text: String = String::from_utf8_lossy(&bytes).chars().take(200).collect();
            let detail = format!("{url} answered {status} {}", text.trim());
            Self { status, detail: detail.trim().to_owned(), ..Self::default() }
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The detail of a refused body begins with its first error, which is listed below.
        let is_repeated = self.errors.first().is_some_and(|first| self.detail.contains(&first.detail));
        f.write_str(if self.detail.is_empty() || is_repeated { &self.title } else { &self.detail })?;
        for FieldError { pointer, detail } in &self.errors {
            match pointer.as_str() {
                "" => write!(f, "\n  {detail}")?,
                pointer => write!(f, "\n  {pointer}: {detail}")?,
            }
        }
        if self.status == 401 {
            f.write_str("\nname a key with --key or LOOKALIKE_KEY")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "\nrequest {id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_field_is_told_with_its_place() {
        let problem: Problem = serde_json::from_str(
            r#"{"type": "about:blank", "title": "Invalid", "status": 422, "detail": "2 fields are wrong",
                "code": "invalid", "instance": "/v1/jobs/train", "request_id": "r-1",
                "errors": [{"pointer": "/epochs", "detail": "0 is out of range, 1 to 1000 expected"},
                           {"pointer": "", "detail": "no object"}]}"#,
        )
        .unwrap();
        assert_eq!(
            problem.to_string(),
            "2 fields are wrong\n  /epochs: 0 is out of range, 1 to 1000 expected\n  no object\nrequest r-1"
        );
        let detail = "/epochs: 0 is out of range, 1 to 1000 expected (and 1 more)".to_owned();
        let repeated = Problem { detail, ..problem };
        assert!(repeated.to_string().starts_with("Invalid\n  /epochs: 0 is"), "{repeated}");
    }
}
