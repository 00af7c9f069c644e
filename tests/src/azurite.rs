//! Azure's storage emulator as a child process, with one empty container.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Remote;
use crate::remote::secret;

/// The container that is made.
const CONTAINER: &str = "pictures";
/// The account, as the emulator is told it.
const ACCOUNT: &str = "lookaliketests";
/// Node reads many small files first.
const START: Duration = Duration::from_secs(60);

/// A running emulator. Dropped, its standard input closes and it ends with what it holds.
#[derive(Debug)]
pub struct Azurite {
    _process: Child,
    endpoint: String,
    key: String,
}

impl Azurite {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("azurite");
        if !folder.join("node_modules/azurite").is_dir() {
            bail!("Azure's emulator is not installed: run `npm ci` in tests/azurite, as `make test` does");
        }
        let key = BASE64_STANDARD.encode(secret());
        let mut command = Command::new("node");
        command.arg(folder.join("start.mjs")).args([ACCOUNT, &key, CONTAINER]);
        // It ends when its standard input closes, however this process ends.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            command.spawn().context("Azure's emulator runs in node, which cannot be started")?;
        let mut lines = BufReader::new(process.stdout.take().context("standard output is piped")?).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(endpoint) = line.strip_prefix("ready ") {
                    return Ok(endpoint.to_owned());
                }
            }
            bail!("it ended")
        };
        let endpoint = tokio::time::timeout(START, ready).await.context("it is not ready in time");
        let endpoint = endpoint.and_then(|ready| ready).context("Azure's emulator did not start")?;
        Ok(Self { _process: process, endpoint, key })
    }

    /// The container.
    pub fn remote(&self) -> Remote {
        let remote = Remote {
            url: format!("az://{CONTAINER}"),
            options: [].into(),
            endpoint: "azure_storage_endpoint",
        };
        remote
            .set("azure_storage_use_emulator", "true")
            .set("azure_storage_endpoint", &self.endpoint)
            .set("azure_storage_account_name", ACCOUNT)
            .set("azure_storage_account_key", &self.key)
    }
}
