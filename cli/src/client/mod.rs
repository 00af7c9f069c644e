//! Talking to a server over its HTTP API.
//!
//! Answers are kept as JSON: what `--json` prints is what the server said. [`target`] finds the server,
//! [`problem`] renders its refusals, [`events`] follows its streams.

pub mod events;
mod problem;
mod target;

use std::time::Duration;

use anyhow::Context;
use lookalike_shared::config::Secret;
use reqwest::header::{self, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::{Host, Url};
use uuid::Uuid;

use crate::error::CliError;

pub use problem::Problem;
pub use target::{Target, TargetArgs};

/// The most items of one page (the contract's bound).
const PAGE: usize = 1_000;

/// A server and the key to show it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<Secret>,
}

impl Client {
    /// A client of `target`. Nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(target: Target) -> Result<Self, CliError> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("lookalike/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10));
        if is_this_machine(&target.url) {
            // A proxy would look for the server on its own machine.
            http = http.no_proxy();
        }
        let http = http.build().context("cannot set up TLS")?;
        Ok(Self { http, base: target.url, key: target.key })
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let response = self.send(self.request(Method::GET, path, query)).await?;
        body(response).await
    }

    /// Reads up to `limit` items of a list, over as many pages as that takes.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        limit: usize,
    ) -> Result<Vec<Value>, CliError> {
        let mut items = Vec::new();
        let mut cursor = None;
        while items.len() < limit {
            let mut query = query.to_vec();
            query.push(("limit", (limit - items.len()).min(PAGE).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        Ok(items)
    }

    /// Sends JSON that creates or changes something. A key makes a repetition of the same request harmless.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn post(&self, path: &str, payload: &Value) -> Result<Value, CliError> {
        let request = self.request(Method::POST, path, &[]).json(payload);
        body(self.send(request.header("Idempotency-Key", Uuid::now_v7().to_string())).await?).await
    }

    /// Replaces something with JSON.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn put(&self, path: &str, payload: &Value) -> Result<Value, CliError> {
        body(self.send(self.request(Method::PUT, path, &[]).json(payload)).await?).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn patch(&self, path: &str, payload: &Value) -> Result<Value, CliError> {
        body(self.send(self.request(Method::PATCH, path, &[]).json(payload)).await?).await
    }

    /// Deletes something.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn delete(&self, path: &str) -> Result<Value, CliError> {
        body(self.send(self.request(Method::DELETE, path, &[])).await?).await
    }

    /// Begins a request, for those that the methods above do not cover.
    pub fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let request = self.http.request(method, self.url(path, query));
        match &self.key {
            Some(key) => {
                let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
                let mut value = value.unwrap_or(HeaderValue::from_static("Bearer"));
                value.set_sensitive(true);
                request.header(header::AUTHORIZATION, value)
            }
            None => request,
        }
    }

    /// Sends a request and turns every refusal into an error.
    ///
    /// # Errors
    /// [`CliError::Unreachable`] or [`CliError::Refused`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(CliError::Refused(Box::new(Problem::of_response(response).await)))
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut reason: &dyn std::error::Error = error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        CliError::Unreachable(format!("cannot reach {}: {reason}", self.base.as_str().trim_end_matches('/')))
    }

    /// The URL of `path`, whose segments are given as they are and escaped here.
    fn url(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an http URL has segments")
            .pop_if_empty()
            .extend(path.trim_start_matches('/').split('/'));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The JSON of an answer; null when it has none.
///
/// # Errors
/// When the connection breaks or the answer is no JSON.
pub async fn body(response: Response) -> Result<Value, CliError> {
    let url = response.url().clone();
    let bytes = response.bytes().await;
    let bytes =
        bytes.map_err(|error| CliError::Unreachable(format!("the answer of {url} broke off: {error}")))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&bytes)
        .with_context(|| format!("the answer of {url} is no JSON: is this a Lookalike server?"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_stands_before_this_machine() {
        for (url, is_here) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("http://host", false),
        ] {
            assert_eq!(is_this_machine(&url.parse().unwrap()), is_here, "{url}");
        }
    }

    #[test]
    fn segments_and_queries_are_escaped() {
        let base: Url = "http://host:1/base/".parse().unwrap();
        let client = Client::new(Target { url: base, key: None }).unwrap();
        assert_eq!(
            client.url("/v1/uploads/set/a b/ü#?.jpg", &[("q", "x y&z".to_owned())]).as_str(),
            "http://host:1/base/v1/uploads/set/a%20b/%C3%BC%23%3F.jpg?q=x+y%26z"
        );
        let bare = Client::new(Target { url: "http://host".parse().unwrap(), key: None }).unwrap();
        assert_eq!(bare.url("/v1/me", &[]).as_str(), "http://host/v1/me");
    }
}
