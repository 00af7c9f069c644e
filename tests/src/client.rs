//! Jobs over HTTP: submit, wait, follow.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use futures::stream::BoxStream;
use lookalike_shared::testing::wait_until;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The longest that any job of a test may take: they take seconds, but not on a machine that is busy otherwise.
const JOB: Duration = Duration::from_secs(600);

/// A job as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job(pub Value);

impl Job {
    /// Its id.
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    /// Where it stands.
    pub fn state(&self) -> &str {
        self.0["state"].as_str().unwrap_or_default()
    }

    /// Attempts used up.
    pub fn attempt(&self) -> i64 {
        self.0["attempt"].as_i64().unwrap_or_default()
    }

    /// What came of it.
    pub fn result(&self) -> &Value {
        &self.0["result"]
    }

    /// How much of it is done.
    pub fn done(&self) -> u64 {
        self.0["progress"]["done"].as_u64().unwrap_or_default()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.state(), "succeeded" | "failed" | "cancelled")
    }
}

/// Speaks to an API with one key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// A client of the API at `base`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, base: base.to_owned(), key: key.to_owned() })
    }

    /// A request to `path`, with the key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    /// Sends a request whose answer is JSON and gives its status too.
    ///
    /// # Errors
    /// When there is no answer, or it is no JSON.
    pub async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Value)> {
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).context(text)? };
        Ok((status, body))
    }

    /// What is at `path`.
    ///
    /// # Errors
    /// When the answer is a refusal.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.expect_success(self.request(Method::GET, path)).await
    }

    /// Posts `body` to `path`.
    ///
    /// # Errors
    /// When the answer is a refusal.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.expect_success(self.request(Method::POST, path).json(body)).await
    }

    async fn expect_success(&self, request: RequestBuilder) -> Result<Value> {
        let (status, body) = self.send(request).await?;
        ensure!(status.is_success(), "refused with {status}: {body}");
        Ok(body)
    }

    /// Submits a job of that kind.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn submit(&self, kind: &str, request: &Value) -> Result<Job> {
        Ok(Job(self.post(&format!("/v1/jobs/{kind}"), request).await?))
    }

    /// The job as it is now.
    ///
    /// # Errors
    /// When there is none, or no answer.
    pub async fn job(&self, id: &str) -> Result<Job> {
        Ok(Job(self.get(&format!("/v1/jobs/{id}")).await?))
    }

    /// Asks a job to stop.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        self.post(&format!("/v1/jobs/{id}/cancel"), &Value::Null).await.map(|_| ())
    }

    /// Does something to a job, e.g. `pause`, and gives it.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn act(&self, id: &str, action: &str) -> Result<Job> {
        Ok(Job(self.post(&format!("/v1/jobs/{id}/{action}"), &Value::Null).await?))
    }

    /// Waits until the job is as `wanted` says, through restarts and outages of the API.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn wait_until(&self, id: &str, what: &str, wanted: impl Fn(&Job) -> bool) -> Result<Job> {
        wait_until(&format!("job {id}: {what}"), JOB, || async {
            // An API that is away is waited for.
            let job = self.job(id).await.ok()?;
            match (wanted(&job), job.has_ended()) {
                (true, _) => Some(Ok(job)),
                (false, true) => Some(Err(anyhow::anyhow!("{what} was waited for, but: {}", job.0))),
                (false, false) => None,
            }
        })
        .await
    }

    /// Waits for the end of a job, whichever it is.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn wait(&self, id: &str) -> Result<Job> {
        self.wait_until(id, "its end", Job::has_ended).await
    }

    /// Submits a job and waits for its success.
    ///
    /// # Errors
    /// When it is refused or ends otherwise.
    pub async fn run(&self, kind: &str, request: &Value) -> Result<Job> {
        let submitted = self.submit(kind, request).await?;
        self.wait_until(submitted.id(), "success", |job| job.state() == "succeeded").await
    }

    /// A search for look-alikes of a file, as a request.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn search_request(index: &str, picture: &Path, k: u32) -> Result<Value> {
        let bytes = std::fs::read(picture).with_context(|| format!("no picture {}", picture.display()))?;
        Ok(json!({"index": index, "k": k, "image_base64": STANDARD.encode(bytes)}))
    }

    /// Follows the events at `path` (`/v1/events`, `/v1/jobs/{id}/events`), after `last` if given.
    ///
    /// # Errors
    /// When the stream is refused.
    pub async fn events(&self, path: &str, last: Option<&str>) -> Result<EventStream> {
        let mut request = self.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("refused with {status}: {}", response.text().await?);
        }
        let chunks = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Ok(EventStream { chunks, buffer: Vec::new(), ready: VecDeque::new() })
    }
}

/// One event of a stream (HTML Living Standard, section 9.2).
#[derive(Debug, Clone, PartialEq)]
pub struct ServerEvent {
    /// Its id.
    pub id: String,
    /// Its type.
    pub event: String,
    /// Its data.
    pub data: Value,
}

/// Events as they come.
pub struct EventStream {
    chunks: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    ready: VecDeque<ServerEvent>,
}

impl EventStream {
    /// The next event; none when the stream has ended.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for a long time.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let chunk = tokio::time::timeout(JOB, self.chunks.next()).await.context("no event came")?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.buffer.extend(chunk?);
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                self.ready.extend(parse(&String::from_utf8_lossy(&block))?);
            }
        }
    }

    /// All events until the stream ends.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn rest(mut self) -> Result<Vec<ServerEvent>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

/// An event's block; none for a comment.
fn parse(block: &str) -> Result<Option<ServerEvent>> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    let data = field("data");
    if data.is_empty() {
        return Ok(None);
    }
    let data = serde_json::from_str(&data).with_context(|| format!("no JSON: {data}"))?;
    Ok(Some(ServerEvent { id: field("id"), event: field("event"), data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_events_or_comments() {
        let event = parse("id: 7\nevent: progress\ndata: {\"done\":\ndata: 1}\n\n").unwrap().unwrap();
        assert_eq!(
            event,
            ServerEvent { id: "7".to_owned(), event: "progress".to_owned(), data: json!({"done": 1}) }
        );
        assert_eq!(parse(": still here\n\n").unwrap(), None);
    }
}
