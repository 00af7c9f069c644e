//! `lookalike jobs items` and `lookalike jobs retry-failed`: the pictures that a job failed with.

use std::path::{Path, PathBuf};

use anyhow::Context;
use futures::StreamExt;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::submit::{Payload, SubmitArgs, conclude};
use crate::client::Client;
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format, fields};

/// How `jobs items` is used.
pub const EXAMPLES: &str = "\
Examples:
  lookalike jobs items 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10
  lookalike jobs items 0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10 --code corrupt --csv corrupt.csv";

/// Which pictures are listed, and where to.
#[derive(Debug, clap::Args)]
pub struct ItemsArgs {
    /// The job
    id: String,
    /// Only those that failed for this reason; may be given several times
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    /// Write all of them into this file as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The most pictures to list
    #[arg(long, default_value_t = 50, conflicts_with = "csv")]
    limit: usize,
}

/// Which pictures are tried again, and how.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// The index job that has ended
    id: String,
    /// Only those that failed for this reason; may be given several times
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    #[command(flatten)]
    submit: SubmitArgs,
}

const COLUMNS: &[Column] = &[
    ("PICTURE", "/uri", Format::Text),
    ("REASON", "/code", Format::Text),
    ("DETAIL", "/detail", Format::Text),
];

/// Lists failed pictures, or writes them into a file.
///
/// # Errors
/// [`CliError`].
pub async fn list(client: &Client, args: &ItemsArgs, json: bool) -> Result<(), CliError> {
    let path = format!("/v1/jobs/{}/items", args.id);
    let mut query = vec![("status", "failed".to_owned())];
    if !args.code.is_empty() {
        query.push(("code", args.code.join(",")));
    }
    if let Some(file) = &args.csv {
        save(client, &path, &query, file).await?;
        let saved = json!({"job": args.id, "file": file});
        return if json {
            output::json(&saved)
        } else {
            output::line(format!("written to {}", file.display()))
        };
    }
    let items = client.list(&path, &query, args.limit).await?;
    render::print_list(&items, COLUMNS, "no picture failed", json)?;
    if json || items.is_empty() {
        return Ok(());
    }
    let summary = client.get(&format!("{path}/summary"), &[]).await?;
    output::line(format!("\n{}", counts(&summary)))
}

/// How many failed, and why, in one line.
fn counts(summary: &Value) -> String {
    let codes = summary["codes"].as_array().map_or(&[][..], Vec::as_slice);
    let codes: Vec<_> = codes
        .iter()
        .map(|row| format!("{} {}", fields::text(row, "/count"), fields::text(row, "/code")))
        .collect();
    format!("{} failed: {}", fields::text(summary, "/failed"), codes.join(", "))
}

async fn save(client: &Client, path: &str, query: &[(&str, String)], file: &Path) -> Result<(), CliError> {
    let response = client.send(client.request(Method::GET, path, query).header(ACCEPT, "text/csv")).await?;
    let cannot = || format!("cannot write {}", file.display());
    let mut out = tokio::fs::File::create(file).await.with_context(cannot)?;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| CliError::Unreachable(format!("the list broke off: {error}")))?;
        out.write_all(&chunk).await.with_context(cannot)?;
    }
    Ok(out.flush().await.with_context(cannot)?)
}

/// Submits the new job and follows it as far as wanted.
///
/// # Errors
/// A refusal, Ctrl-C, or a job that ends without a result.
pub async fn retry(client: &Client, args: &RetryArgs, json: bool) -> Result<(), CliError> {
    let mut payload = Payload::default();
    payload.set("codes", (!args.code.is_empty()).then_some(&args.code));
    args.submit.add_to(&mut payload);
    let job = client.post(&format!("/v1/jobs/{}/items/retry", args.id), &payload.into_json()).await?;
    conclude(client, job, args.submit.no_wait, json).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_in_one_line() {
        let summary =
            json!({"failed": 3, "codes": [{"code": "corrupt", "count": 2}, {"code": "gone", "count": 1}]});
        assert_eq!(counts(&summary), "3 failed: 2 corrupt, 1 gone");
    }
}
