//! A submission: the fields of a job's kind and those that all kinds share, side by side in one JSON object.

use std::borrow::Cow;

use actix_web::dev::Payload as HttpPayload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;
use lookalike_shared::domain::name::Name;
use lookalike_shared::jobs::{Dataset, Evaluate, Index, Noop, Rebuild, Submission, Train, Validate};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::search::SearchRequest;
use crate::extract::{self, MAX_JSON_BYTES};
use crate::problem::ApiError;

/// What is asked for, and how the job shall be treated. A request without a body is an empty object.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted<P> {
    /// The fields of the job's kind.
    pub payload: P,
    /// Priority, labels, attempts and time.
    pub common: Submission,
}

/// What `POST /v1/jobs/train` takes.
pub type TrainSubmission = Submitted<Train>;
/// What `POST /v1/jobs/index` takes.
pub type IndexSubmission = Submitted<Index>;
/// What `POST /v1/jobs/search` takes as JSON.
pub type SearchSubmission = Submitted<SearchRequest>;
/// What `POST /v1/jobs/evaluate` takes.
pub type EvaluateSubmission = Submitted<Evaluate>;
/// What `POST /v1/jobs/rebuild` takes.
pub type RebuildSubmission = Submitted<Rebuild>;
/// What `POST /v1/jobs/noop` takes.
pub type NoopSubmission = Submitted<Noop>;
/// What `POST /v1/sources/{name}/validate` takes.
pub type ValidateSubmission = Submitted<ValidateRequest>;

/// What `POST /v1/jobs/{id}/items/retry` takes.
pub type RetryItemsSubmission = Submitted<RetryItemsRequest>;

impl<P: DeserializeOwned> FromRequest for Submitted<P> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut HttpPayload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let body = if has_body(&request) {
                extract::read_json(&request, payload, MAX_JSON_BYTES).await?
            } else {
                Value::Object(Map::new())
            };
            let (payload, common) = extract::submission(body)?;
            Ok(Self { payload, common })
        })
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    request.headers().contains_key(header::CONTENT_TYPE)
        || request.headers().contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|length| length != "0")
}

impl<P: ToSchema> PartialSchema for Submitted<P> {
    /// One object with the properties of both: `allOf` would refuse the fields of one as unknown to the other.
    fn schema() -> RefOr<Schema> {
        let mut object = object_of::<P>();
        object.properties.extend(object_of::<Submission>().properties);
        RefOr::T(Schema::Object(object))
    }
}

impl<P: ToSchema> ToSchema for Submitted<P> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Submission", P::name().trim_end_matches("Request")))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        P::schemas(schemas);
        Submission::schemas(schemas);
    }
}

fn object_of<T: PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        // Every payload is a struct, hence an object.
        RefOr::T(_) | RefOr::Ref(_) => ObjectBuilder::new().build(),
    }
}

/// Which failed pictures to try again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"codes": ["corrupt"]}))]
pub struct RetryItemsRequest {
    /// Only those that failed for one of these reasons; all when empty.
    pub codes: Vec<String>,
}

/// Which folder of a source to report on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValidateRequest {
    /// The folder that holds one folder per class; empty means all of the source.
    #[schema(example = "train/")]
    pub prefix: String,
    /// The labelled set that a training would be judged by; what both sets hold is reported. None when not given.
    pub validation: Option<Dataset>,
    /// Readable pictures that each class must have for a training to start, 1 to 1000000; 100 when not given.
    pub min_images_per_class: Option<u32>,
    /// The network that `suggested_image_size` is for; `mobilenet_v2` when not given.
    pub backbone: Option<String>,
}

impl ValidateRequest {
    /// The payload of the job on a source.
    pub fn on(self, source: Name) -> Validate {
        Validate {
            source,
            prefix: self.prefix,
            validation: self.validation,
            min_images_per_class: self.min_images_per_class.unwrap_or(Train::DEFAULT_MIN_IMAGES_PER_CLASS),
            backbone: self.backbone,
        }
    }
}
