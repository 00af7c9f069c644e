//! Bodies and queries whose mistakes become problems: what cannot be read is 400, 413 or 415; what can be read
//! but is of the wrong shape is 422 with a JSON Pointer.

use std::fmt;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use lookalike_shared::domain::FieldError;
use lookalike_shared::jobs::Submission;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::{Map, Value};

use crate::problem::{ApiError, Code};

/// The most bytes of a JSON body that holds no picture.
pub const MAX_JSON_BYTES: u64 = 2 << 20;

/// How much of a refused body is still read.
const LINGER_BYTES: usize = 8 << 20;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A JSON body of at most [`MAX_JSON_BYTES`].
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let value = read_json(&request, payload, MAX_JSON_BYTES).await?;
            // A list would be read as the fields in order.
            if !value.is_object() {
                return Err(ApiError::invalid_field("", "a JSON object is expected"));
            }
            from_value(value).map(Self).map_err(|error| ApiError::invalid(vec![error]))
        })
    }
}

/// Reads a body of at most `limit` bytes as JSON, whatever its shape.
///
/// # Errors
/// 400 for what is no JSON, 413 over the limit, 415 for another media type.
pub async fn read_json(request: &HttpRequest, payload: Payload, limit: u64) -> Result<Value, ApiError> {
    let media_type = request.content_type().to_ascii_lowercase();
    if media_type != "application/json" && !media_type.ends_with("+json") {
        let detail = format!("the body is \"{media_type}\", application/json expected");
        return Err(ApiError::new(Code::UnsupportedMediaType, detail));
    }
    let body = read_body(request, payload, limit).await?;
    serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(Code::MalformedRequest, format!("the body is no JSON: {error}")))
}

/// Reads a whole body of at most `limit` bytes; a declared length is judged before anything is read.
///
/// # Errors
/// 413 over the limit, 400 when the connection breaks.
pub async fn read_body(request: &HttpRequest, payload: Payload, limit: u64) -> Result<Bytes, ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut payload = payload;
    if declared.is_some_and(|length| length > limit) {
        return Err(refuse_rest(payload, limit).await);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(unreadable)?;
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(refuse_rest(payload, limit).await);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The refusal of a body that breaks off, or is damaged on its way.
pub fn unreadable(error: PayloadError) -> ApiError {
    ApiError::new(Code::MalformedRequest, format!("the body cannot be read: {error}"))
}

/// The refusal of a body that is too large. A little more of it is read and forgotten, since a client that is
/// still sending when the connection closes may never see the answer.
async fn refuse_rest(mut payload: Payload, limit: u64) -> ApiError {
    let rest = async {
        let mut forgotten = 0;
        while let Some(Ok(chunk)) = payload.next().await {
            forgotten += chunk.len();
            if forgotten > LINGER_BYTES {
                break;
            }
        }
    };
    // Whether it came to an end changes nothing.
    _ = tokio::time::timeout(LINGER_TIME, rest).await;
    ApiError::too_large("the body", limit)
}

/// Gives JSON its type.
///
/// # Errors
/// The rule that is broken, with a pointer to where.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = pointer_of(error.path());
        let detail = error.into_inner().to_string();
        if let Some(field) = missing_field(&detail) {
            pointer.push('/');
            pointer.push_str(&escape(field));
        }
        FieldError::new(pointer, detail)
    })
}

/// Splits a submitted body into what is common to every job and the request of its kind.
///
/// # Errors
/// 422 with what is wrong in either.
pub fn submission<T: DeserializeOwned>(body: Value) -> Result<(T, Submission), ApiError> {
    let Value::Object(mut fields) = body else {
        return Err(ApiError::invalid_field("", "a JSON object is expected"));
    };
    let mut common = Map::new();
    for name in ["priority", "max_attempts", "labels", "scheduled_at"] {
        if let Some((name, value)) = fields.remove_entry(name) {
            common.insert(name, value);
        }
    }
    match (from_value(Value::Object(fields)), from_value(Value::Object(common))) {
        (Ok(request), Ok(submission)) => Ok((request, submission)),
        (request, submission) => {
            Err(ApiError::invalid(request.err().into_iter().chain(submission.err()).collect()))
        }
    }
}

/// A query string. A repeated parameter and one with commas mean the same to a [`List`].
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_query(request.query_string()).map(Self))
    }
}

/// What stands between the values of a repeated parameter while it is read.
const REPEATED: char = '\u{1f}';

fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(|error| {
        ApiError::new(Code::MalformedRequest, format!("the query cannot be read: {error}"))
    })?;
    let mut merged: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push(REPEATED);
                values.push_str(&value);
            }
            None => merged.push((name, value)),
        }
    }
    let pairs = merged.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs = serde::de::value::MapDeserializer::new(pairs.map(|(name, value)| (name, Text(value))));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let pointer = pointer_of(error.path());
        ApiError::invalid_field(pointer, error.into_inner().to_string())
    })
}

/// A parameter's text, which becomes whatever type is asked of it.
struct Text<'a>(&'a str);

impl<'de> serde::de::IntoDeserializer<'de, serde::de::value::Error> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            let shown: String = self.0.chars().take(80).collect();
            let value = self.0.parse::<$type>().map_err(|error| {
                <Self::Error as serde::de::Error>::custom(format!("\"{shown}\": {error}"))
            })?;
            visitor.$visit(value)
        })*
    };
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        // `?cursor=` asks for nothing in particular.
        if self.0.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::value::BorrowedStrDeserializer::new(self.0))
    }

    parsed! {
        deserialize_bool visit_bool bool,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_f64 visit_f64 f64
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// A parameter with several values: repeated, or separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T> Deserialize<'de> for List<T>
where
    T: FromStr<Err: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parts(deserializer, &[',', REPEATED]).map(Self)
    }
}

/// A parameter that may be repeated and whose values may hold commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated<T>(pub Vec<T>);

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T> Deserialize<'de> for Repeated<T>
where
    T: FromStr<Err: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parts(deserializer, &[REPEATED]).map(Self)
    }
}

fn parts<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
    separators: &[char],
) -> Result<Vec<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parts = text.split(separators).map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(serde::de::Error::custom)).collect()
}

/// Why a path's parts cannot be read: then it names nothing.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|error, _| {
        ApiError::new(Code::NotFound, format!("the path names nothing: {error}")).into()
    })
}

/// The JSON Pointer (RFC 6901) of a path into a document.
fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            // A variant is part of a value, not of the document's path.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The field that is missing, which the path to its parent does not hold.
fn missing_field(detail: &str) -> Option<&str> {
    detail.strip_prefix("missing field `")?.split('`').next()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A time in a query: RFC 3339. A `+` that was not escaped reads as a space, which is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub DateTime<Utc>);

impl Moment {
    /// This time, or so long ago when it was not given.
    pub fn or_ago(given: Option<Self>, ago: chrono::Duration) -> DateTime<Utc> {
        given.map_or_else(|| Utc::now() - ago, |moment| moment.0)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
        let time = time.map_err(|_| format!("\"{text}\" is no RFC 3339 time, e.g. 2026-01-31T12:00:00Z"))?;
        Ok(Self(time.to_utc()))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
