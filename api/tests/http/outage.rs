//! The database goes away and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lookalike_shared::config::Secret;
use lookalike_shared::testing::{TestDatabase, a_job, enqueue_one, wait_until};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

use crate::app::{Answer, LONG, TestApp};

trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// A door to the test server that can be shut: connections through it break, new ones are closed at once.
struct Door {
    port: u16,
    open: Arc<watch::Sender<bool>>,
}

impl Door {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(watch::Sender::new(true));
        let (url, state) = (Url::parse(url).unwrap(), open.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut shut = state.subscribe();
                if !*shut.borrow() {
                    continue;
                }
                let mut server = connect(&url).await;
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = shut.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { port, open }
    }
}

async fn connect(url: &Url) -> Box<dyn Connection> {
    let folder = url.query_pairs().find(|(name, _)| name == "host").map(|(_, folder)| folder.into_owned());
    match folder {
        Some(folder) => Box::new(UnixStream::connect(format!("{folder}/.s.PGSQL.5432")).await.unwrap()),
        None => {
            let address = (url.host_str().unwrap_or("localhost"), url.port().unwrap_or(5432));
            Box::new(TcpStream::connect(address).await.unwrap())
        }
    }
}

async fn start() -> (TestApp, Door) {
    let database = TestDatabase::create().await;
    let door = Door::to(&database.url).await;
    let mut url = Url::parse(&database.url).unwrap();
    url.set_query(None);
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(door.port)).unwrap();
    let mut config = database.config(8);
    config.url = Secret::new(url.to_string());
    (TestApp::start_on(database, config).await, door)
}

#[tokio::test]
async fn requests_are_told_to_come_back_and_are_served_when_the_database_is_back() {
    let (app, door) = start().await;
    assert_eq!(app.get("/v1/jobs").await.status, 200);
    door.open.send_replace(false);
    let begun = Instant::now();
    let refused = app.get("/v1/jobs").await;
    refused.assert_problem(503, "database_unavailable");
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(refused.body["retryable"], true);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(Answer::of(app.anonymous(Method::GET, "/livez")).await.status, 200);
    let ready = Answer::of(app.anonymous(Method::GET, "/readyz")).await;
    assert_eq!((ready.status.as_u16(), &ready.body["checks"][0]["ok"]), (503, &json!(false)));
    door.open.send_replace(true);
    wait_until("requests are served", LONG, || async {
        (app.get("/v1/jobs").await.status == 200).then_some(())
    })
    .await;
    wait_until("it is ready", LONG, || async { (app.get("/readyz").await.status == 200).then_some(()) })
        .await;
}

#[tokio::test]
async fn the_feed_tells_what_happened_meanwhile() {
    let (app, door) = start().await;
    let response = app.request(Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(response.status(), 200);
    door.open.send_replace(false);
    let id = enqueue_one(app.db(), &a_job()).await.to_string();
    door.open.send_replace(true);
    let mut stream = response;
    let mut text = String::new();
    while !text.contains(&id) {
        let chunk = tokio::time::timeout(LONG, stream.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}
