//! Between a client and a server of HTTP/1.1: what networks and servers do wrong, chosen request by request.
//!
//! Each connection carries one request, which reaches the server unchanged but for `connection: close`, so that
//! signatures hold. What goes wrong is decided by a plan from the number of the request; [`seeded`] plans are the same
//! in each run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server is not asked; the answer is this status and these bytes.
    Status(u16, String),
    /// The server is not asked; the connection is reset.
    Reset,
    /// The server is not asked, and nothing is said until the client goes away.
    Silence,
    /// The connection is reset in the middle of the body.
    ResetInBody,
    /// The connection ends in the middle of a body whose length was told right.
    Truncate,
    /// Nothing more is said in the middle of the body until the client goes away.
    Stall,
    /// The answer tells another etag than the server did.
    WrongEtag,
    /// Text in the answer's body is another; its length is told anew.
    Rewrite(String, String),
}

/// A request as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How many came before it.
    pub number: usize,
    /// `GET`, `HEAD`, ...
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
}

impl Request {
    /// Whether a folder is asked for, and not an object.
    pub fn is_list(&self) -> bool {
        self.target.contains("list-type=2") || self.target.contains("comp=list")
    }

    /// Whether the bytes of an object are asked for.
    pub fn is_get(&self) -> bool {
        self.method == "GET" && !self.is_list()
    }
}

type Plan = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

/// Something goes wrong with the first `times` requests that `which` holds for.
pub fn first(
    times: usize,
    fault: Fault,
    which: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static {
    let left = Mutex::new(times);
    move |request| {
        let mut left = left.lock().ok()?;
        if !which(request) {
            return None;
        }
        *left = left.checked_sub(1)?;
        Some(fault.clone())
    }
}

/// Something goes wrong with `percent` of all requests: which of `faults` with which of them depends on `seed` and the
/// number of the request.
pub fn seeded(
    seed: u64,
    percent: u64,
    faults: Vec<Fault>,
) -> impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static {
    move |request| {
        let mut hasher = DefaultHasher::new();
        (seed, request.number).hash(&mut hasher);
        let chance = hasher.finish();
        let which = usize::try_from(chance / 100).unwrap_or_default() % faults.len().max(1);
        faults.get(which).filter(|_| chance % 100 < percent).cloned()
    }
}

/// Every request so far, and what was done to it.
type Seen = Arc<Mutex<Vec<(Request, Option<Fault>)>>>;

/// A proxy in front of one server. Dropped, it ends.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    seen: Seen,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens in front of `upstream` and does what `plan` says.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(
        upstream: SocketAddr,
        plan: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (plan, log): (Arc<Plan>, _) = (Arc::new(plan), seen.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (plan, log) = (plan.clone(), log.clone());
                // A client that goes away is no matter.
                tokio::spawn(async move { _ = serve(client, upstream, &*plan, &log).await });
            }
        });
        Ok(Self { address, seen, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that came, and what went wrong with it.
    pub fn seen(&self) -> Vec<(Request, Option<Fault>)> {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    plan: &Plan,
    log: &Mutex<Vec<(Request, Option<Fault>)>>,
) -> Result<()> {
    let (head, mut body) = read_head(&mut client).await?;
    let mut words = head.split(' ').map(ToOwned::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let fault = {
        let Ok(mut log) = log.lock() else { bail!("a test failed") };
        let request = Request { number: log.len(), method, target };
        let fault = plan(&request);
        log.push((request, fault.clone()));
        fault
    };
    match &fault {
        Some(Fault::Reset) => return reset(client),
        Some(Fault::Silence) => return until_gone(client).await,
        Some(Fault::Status(status, text)) => {
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            );
            return Ok(client.write_all(answer.as_bytes()).await?);
        }
        _ => {}
    }
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while body.len() < length && client.read_buf(&mut body).await? > 0 {}
    let mut server = TcpStream::connect(upstream).await?;
    let first_line = head.find("\r\n").context("a head has a first line")?;
    let (line, rest) = head.split_at(first_line);
    server.write_all(format!("{line}\r\nconnection: close{rest}").as_bytes()).await?;
    server.write_all(&body).await?;
    let (head, mut body) = read_head(&mut server).await?;
    while server.read_buf(&mut body).await? > 0 {}
    answer(client, head, body, fault).await
}

/// Gives the server's answer to the client, with what goes wrong in it.
async fn answer(
    mut client: TcpStream,
    mut head: String,
    mut body: Vec<u8>,
    fault: Option<Fault>,
) -> Result<()> {
    let half = body.len() / 2;
    match fault {
        Some(Fault::Truncate | Fault::Stall | Fault::ResetInBody) if !body.is_empty() => {
            client.write_all(head.as_bytes()).await?;
            client.write_all(&body[..half]).await?;
            client.flush().await?;
            return match fault {
                Some(Fault::Stall) => until_gone(client).await,
                Some(Fault::ResetInBody) => reset(client),
                _ => Ok(()),
            };
        }
        Some(Fault::WrongEtag) => {
            let told = header(&head, "etag").unwrap_or_default().to_owned();
            head = head.replace(&told, "\"00000000000000000000000000000000\"");
        }
        Some(Fault::Rewrite(from, to)) => {
            let told = header(&head, "content-length").map(|length| format!(": {length}\r\n"));
            body = String::from_utf8(body)?.replace(&from, &to).into_bytes();
            head = told.map_or(head.clone(), |told| head.replace(&told, &format!(": {}\r\n", body.len())));
        }
        _ => {}
    }
    client.write_all(head.as_bytes()).await?;
    Ok(client.write_all(&body).await?)
}

/// A head with the empty line that ends it, and what came of the body with it.
async fn read_head(from: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(END.len()).position(|window| window == END) {
            let body = bytes.split_off(at + END.len());
            return Ok((String::from_utf8(bytes)?, body));
        }
        if from.read_buf(&mut bytes).await? == 0 {
            bail!("it ends in its head");
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Ends a connection with a reset instead of an end.
fn reset(client: TcpStream) -> Result<()> {
    Ok(client.set_zero_linger()?)
}

async fn until_gone(mut client: TcpStream) -> Result<()> {
    let mut rest = Vec::new();
    // A reset is a way to go, too.
    _ = client.read_to_end(&mut rest).await;
    Ok(())
}
