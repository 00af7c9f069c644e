//! A folder served over S3's protocol, signatures checked, in the process of the test.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Remote;
use crate::remote::secret;

/// The bucket that the folder is.
const BUCKET: &str = "pictures";

/// A server of S3. Dropped, it ends; the folder stays.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    keys: Option<(String, String)>,
    accepting: JoinHandle<()>,
    _buckets: TempDir,
}

impl S3Server {
    /// Serves `folder` as a bucket to whoever has its credentials.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::serve(folder, Some((secret(), secret()))).await
    }

    /// Serves `folder` as a bucket to all.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start_open(folder: &Path) -> Result<Self> {
        Self::serve(folder, None).await
    }

    async fn serve(folder: &Path, keys: Option<(String, String)>) -> Result<Self> {
        let buckets = tempfile::tempdir()?;
        std::os::unix::fs::symlink(folder.canonicalize()?, buckets.path().join(BUCKET))?;
        let files = FileSystem::new(buckets.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        if let Some((id, secret)) = &keys {
            service.set_auth(SimpleAuth::from_single(id.clone(), secret.clone()));
        }
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // A client that goes away is no matter.
                    _ = server.serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        Ok(Self { address, keys, accepting, _buckets: buckets })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bucket.
    pub fn remote(&self) -> Remote {
        let remote = Remote { url: format!("s3://{BUCKET}"), options: [].into(), endpoint: "aws_endpoint" };
        let remote =
            remote.set("aws_allow_http", "true").set("aws_endpoint", &format!("http://{}", self.address));
        match &self.keys {
            Some((id, secret)) => remote.set("aws_access_key_id", id).set("aws_secret_access_key", secret),
            None => remote.set("aws_skip_signature", "true"),
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
