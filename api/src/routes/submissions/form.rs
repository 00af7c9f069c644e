//! A search as `multipart/form-data`: its text parts become the JSON that a search is also asked with, its
//! pictures stay bytes.

use actix_multipart::{Field, Multipart};
use futures::TryStreamExt;
use lookalike_shared::config::Limits;
use lookalike_shared::jobs::Search;
use serde_json::{Map, Value};

use crate::multipart::{self, MAX_TEXT_BYTES};
use crate::problem::ApiError;

/// The parts of a search.
#[derive(Debug, Default)]
pub struct SearchParts {
    /// The text parts, as fields of a JSON object.
    pub fields: Map<String, Value>,
    /// The pictures, in order.
    pub images: Vec<Vec<u8>>,
    /// What `weights` says.
    pub weights: Option<Vec<f32>>,
}

/// Reads every part; the pictures together have at most `most_bytes`. What is over a limit ends the reading.
///
/// # Errors
/// 400 for a broken form, 413 over a limit, 422 for a part that cannot be understood.
pub async fn read(mut form: Multipart, limits: &Limits, most_bytes: u64) -> Result<SearchParts, ApiError> {
    let mut parts = SearchParts::default();
    let mut image_bytes = 0;
    while let Some(mut field) = form.try_next().await.map_err(multipart::broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "image" {
            let picture = picture(&mut field, parts.images.len(), limits).await?;
            image_bytes += picture.len() as u64;
            if image_bytes > most_bytes {
                return Err(ApiError::too_large("the search's pictures together", most_bytes));
            }
            parts.images.push(picture);
            continue;
        }
        let text = multipart::text(&mut field, &name, MAX_TEXT_BYTES).await?;
        parts.add_text(&name, &text)?;
    }
    Ok(parts)
}

async fn picture(field: &mut Field, before: usize, limits: &Limits) -> Result<Vec<u8>, ApiError> {
    if before == Search::MAX_EXAMPLES {
        let detail = format!("a search starts from at most {} pictures", Search::MAX_EXAMPLES);
        return Err(ApiError::invalid_field("/image", detail));
    }
    multipart::bytes(field, "the picture", limits.max_picture_bytes).await
}

impl SearchParts {
    fn add_text(&mut self, name: &str, text: &str) -> Result<(), ApiError> {
        let json = || {
            serde_json::from_str::<Value>(text)
                .map_err(|error| ApiError::invalid_field(format!("/{name}"), format!("no JSON: {error}")))
        };
        let value = match name {
            "weights" => {
                self.weights = Some(crate::extract::from_value(json()?).map_err(|mut error| {
                    error.pointer = format!("/weights{}", error.pointer);
                    ApiError::invalid(vec![error])
                })?);
                return Ok(());
            }
            "k" | "min_similarity" | "priority" | "max_attempts" => number(text),
            "filter" | "labels" | "crop" | "collapse_duplicates" => json()?,
            _ => Value::String(text.to_owned()),
        };
        if self.fields.insert(name.to_owned(), value).is_some() {
            return Err(ApiError::invalid_field(format!("/{name}"), "the part is given twice"));
        }
        Ok(())
    }
}

/// A number where it is one; else the text, which the field's type then refuses by name.
fn number(text: &str) -> Value {
    match serde_json::from_str::<Value>(text.trim()) {
        Ok(number @ Value::Number(_)) => number,
        Ok(_) | Err(_) => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_what_the_json_form_holds() {
        let mut parts = SearchParts::default();
        for (name, text) in [("index", "7"), ("k", " 5 "), ("probes", "3"), ("filter", r#"{"class":["a"]}"#)]
        {
            parts.add_text(name, text).unwrap();
        }
        let fields = Value::Object(parts.fields);
        assert_eq!(
            fields,
            serde_json::json!({"index": "7", "k": 5, "probes": "3", "filter": {"class": ["a"]}})
        );
    }

    #[test]
    fn a_part_that_cannot_be_understood_is_named() {
        let mut parts = SearchParts::default();
        parts.add_text("k", "1").unwrap();
        for (name, text) in [("k", "2"), ("filter", "{"), ("weights", "[1, \"x\"]")] {
            assert!(parts.add_text(name, text).is_err(), "{name}");
        }
    }
}
