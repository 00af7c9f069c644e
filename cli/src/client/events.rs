//! Server-sent events (HTML standard, section 9.2), resumed where they broke off.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::Client;
use crate::error::CliError;

/// The server sends a comment every 15 s: silence of this length is a broken connection.
const SILENCE: Duration = Duration::from_secs(45);

/// One event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// Its id, which resumes after it.
    pub id: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it says; a string when it is no JSON.
    pub data: Value,
}

/// What a stream gives next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Event),
    /// The server ended the stream, or the connection broke; the next call resumes.
    Ended,
}

/// The events of one path.
pub struct EventStream {
    client: Client,
    path: String,
    last_id: Option<String>,
    connection: Option<Connection>,
}

struct Connection {
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    decoder: Decoder,
    waiting: std::vec::IntoIter<Event>,
}

impl EventStream {
    /// The events of `path`, from the first that is kept.
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), last_id: None, connection: None }
    }

    /// Waits for the next event, connecting if need be.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses; the next call tries again.
    pub async fn next(&mut self) -> Result<Next, CliError> {
        if self.connection.is_none() {
            self.connection = Some(self.connect().await?);
        }
        let connection = self.connection.as_mut().expect("it was just made");
        loop {
            if let Some(event) = connection.waiting.next() {
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                return Ok(Next::Event(event));
            }
            match tokio::time::timeout(SILENCE, connection.bytes.next()).await {
                Ok(Some(Ok(bytes))) => connection.waiting = connection.decoder.push(&bytes).into_iter(),
                Ok(Some(Err(_)) | None) | Err(_) => {
                    self.connection = None;
                    return Ok(Next::Ended);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, CliError> {
        let mut request =
            self.client.request(Method::GET, &self.path, &[]).header(ACCEPT, "text/event-stream");
        if let Some(id) = &self.last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = self.client.send(request).await?;
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Ok(Connection { bytes, decoder: Decoder::default(), waiting: Vec::new().into_iter() })
    }
}

/// Turns bytes into events. Lines may end in LF or CRLF.
#[derive(Debug, Default)]
struct Decoder {
    rest: Vec<u8>,
    id: Option<String>,
    kind: String,
    data: Option<String>,
}

impl Decoder {
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]);
            events.extend(self.take_line(line.trim_end_matches('\r')));
        }
        events
    }

    fn take_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return self.finish();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.kind),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment, or a field of a later standard.
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<Event> {
        let kind = std::mem::take(&mut self.kind);
        let data = self.data.take()?;
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
        Some(Event { id: self.id.clone(), kind, data })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(id: &str, kind: &str, data: Value) -> Event {
        Event { id: Some(id.to_owned()), kind: kind.to_owned(), data }
    }

    #[test]
    fn events_are_cut_anywhere() {
        let text = ": hello\n\nid: 7\r\nevent: progress\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nid:8\nevent:x\ndata:text\n\n";
        let expected = [event("7", "progress", json!({"a": 1})), event("8", "x", json!("text"))];
        let mut whole = Decoder::default();
        assert_eq!(whole.push(text.as_bytes()), expected);
        let mut bytewise = Decoder::default();
        let found: Vec<_> = text.bytes().flat_map(|byte| bytewise.push(&[byte])).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unfinished_event_is_not_told() {
        let mut decoder = Decoder::default();
        assert!(decoder.push(b"id: 1\nevent: a\ndata: 1\n").is_empty());
        assert!(decoder.push(b"\n").len() == 1);
        assert!(decoder.push(b"event: a\n\n").is_empty(), "an event without data is none");
    }
}
