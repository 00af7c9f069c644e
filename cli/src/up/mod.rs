//! `lookalike up`: a private database, the API and one worker, started, watched and stopped together.
//!
//! Start: lock the data folder, check the address, serve the database, build the API (which migrates), start
//! the worker, tell that all is ready. Stop, in the order of who needs whom: worker, API, database. Whatever is
//! named from outside (`LOOKALIKE_DATABASE_URL`, `LOOKALIKE_ARTIFACTS_URL`) replaces its embedded part.

mod account;
mod admin;
mod backoff;
pub mod folder;
pub mod postgres;
mod settings;
mod stop;
mod worker;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use lookalike_api::startup::Application;
use lookalike_shared::config::{ApiConfig, DatabaseConfig};
use lookalike_shared::db::{self, PgPool, workers};
use lookalike_shared::storage::Storage;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::folder::DataFolder;
use self::postgres::Postgres;
use self::worker::WorkerProgram;
use crate::client::{Client, Target};
use crate::error::CliError;
use crate::output;

pub use settings::{API_CONNECTIONS, Flags, Settings};
pub use stop::Stop;

/// How often the worker's state is asked for while it starts.
const POLL: Duration = Duration::from_millis(25);

/// Runs everything until a signal.
///
/// # Errors
/// What does not start, or ends by itself.
pub async fn run(settings: Settings) -> Result<(), CliError> {
    let stop = Stop::on_signals().context("cannot catch signals")?;
    match serve(settings, &stop).await {
        // A start that was interrupted is no failure.
        Err(error) if stop.is_asked() => {
            tracing::info!("stopped while starting: {error:#}");
            Ok(())
        }
        ended => Ok(ended?),
    }
}

async fn serve(mut settings: Settings, stop: &Stop) -> anyhow::Result<()> {
    let started = Instant::now();
    let folder = Arc::new(DataFolder::open(&settings.data_dir)?);
    settings::check_address(settings.api.listen)?;
    if settings.with_worker {
        worker::find(&settings.executable)?;
    }
    folder.artifacts()?;
    let (postgres, database) = match settings.database.take() {
        Some(database) => (None, database),
        None => {
            let places = settings.postgres_dirs.clone();
            let postgres = Postgres::start(folder.clone(), places, settings.executable.clone(), stop).await?;
            let database = Settings::private_database(postgres.url());
            (Some(postgres), database)
        }
    };
    let ended = serve_on(&settings, database, &folder, stop, started).await;
    folder.withdraw_url();
    if let Some(postgres) = postgres {
        postgres.stop().await;
        tracing::info!("the database is closed");
    }
    ended
}

/// Serves the API and keeps a worker on a database that is there.
async fn serve_on(
    settings: &Settings,
    database: DatabaseConfig,
    folder: &DataFolder,
    stop: &Stop,
    started: Instant,
) -> anyhow::Result<()> {
    let environment = settings.worker_environment(&database);
    let program = match settings.with_worker {
        true => Some(WorkerProgram::beside(&settings.executable, environment, settings.worker.grace)?),
        false => None,
    };
    let (pool, application) = tokio::select! {
        built = build(settings, &database, folder) => built?,
        () = stop.asked() => return Ok(()),
    };
    let url = format!("http://{}", application.address());
    let known = ready_workers(&pool).await?;
    let (worker_ready, is_ready) = watch::channel(false);
    let mut api =
        Part::spawn("the API", stop, |end| async move { Ok(application.run_until(end.token()).await?) });
    let mut worker = Part::spawn("the worker", stop, |end| keep_worker(program, end, is_ready));
    let until_asked = async {
        wait_for_api(&url).await?;
        if settings.with_worker {
            wait_for_worker(&pool, &known).await;
            worker_ready.send_replace(true);
        }
        announce(&url, folder, started)?;
        stop.asked().await;
        Ok(())
    };
    let ended = tokio::select! {
        ended = until_asked => ended,
        () = stop.asked() => Ok(()),
        ended = api.ended() => ended.and_then(|()| Err(anyhow!("the API ended by itself"))),
        ended = worker.ended() => ended.and_then(|()| Err(anyhow!("the worker ended by itself"))),
    };
    worker.end().await;
    api.end().await;
    ended
}

async fn keep_worker(
    program: Option<WorkerProgram>,
    stop: Stop,
    is_ready: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    match program {
        Some(program) => program.supervise(stop, is_ready).await,
        None => {
            stop.asked().await;
            Ok(())
        }
    }
}

/// Builds the API on a migrated database that takes the key of the data folder.
async fn build(
    settings: &Settings,
    database: &DatabaseConfig,
    folder: &DataFolder,
) -> anyhow::Result<(PgPool, Application)> {
    let pool = db::connect_impatient(database).await.context("cannot connect to the database")?;
    db::migrate(&pool).await?;
    let key = folder.admin_key(settings.api.admin_key.as_ref())?;
    let api = ApiConfig { admin_key: Some(key.clone()), ..settings.api.clone() };
    let application = Application::with_pool(pool.clone(), &api, Storage::open(&settings.storage)?).await?;
    admin::ensure_accepted(&pool, folder, &key).await?;
    Ok((pool, application))
}

fn announce(url: &str, folder: &DataFolder, started: Instant) -> anyhow::Result<()> {
    folder.publish_url(&reachable(url))?;
    tracing::info!(duration_ms = started.elapsed().as_millis() as u64, "ready on {url}");
    if let Err(error) = output::line(format!("ready {url}")) {
        tracing::warn!("{error}");
    }
    Ok(())
}

/// The URL for clients on this machine: an address that means all of them is not one to connect to.
fn reachable(url: &str) -> String {
    let address = url.strip_prefix("http://").and_then(|address| address.parse::<SocketAddr>().ok());
    match address {
        Some(address) if address.ip().is_unspecified() => {
            let ip = match address {
                SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
            };
            format!("http://{}", SocketAddr::new(ip, address.port()))
        }
        _ => url.to_owned(),
    }
}

/// Waits until the API answers that it is ready.
async fn wait_for_api(url: &str) -> anyhow::Result<()> {
    let client = Client::new(Target { url: reachable(url).parse()?, key: None })?;
    while let Err(error) = client.get("/readyz", &[]).await {
        tracing::debug!("the API is not ready: {error}");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Waits for a ready worker that is none of `known`: one of a killed `up` is told as ready for a while.
async fn wait_for_worker(pool: &PgPool, known: &BTreeSet<Uuid>) {
    loop {
        match ready_workers(pool).await {
            Ok(ready) if ready.difference(known).next().is_some() => return,
            Ok(_) => {}
            Err(error) => tracing::debug!("cannot ask for workers: {error:#}"),
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn ready_workers(pool: &PgPool) -> anyhow::Result<BTreeSet<Uuid>> {
    let workers = workers::list_workers(pool).await?;
    Ok(workers.into_iter().filter(|worker| worker.state == "ready").map(|worker| worker.id).collect())
}

/// A part that runs beside the others and is ended by itself.
struct Part {
    name: &'static str,
    stop: Stop,
    task: JoinHandle<anyhow::Result<()>>,
    has_ended: bool,
}

impl Part {
    fn spawn<F>(name: &'static str, stop: &Stop, run: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = stop.later();
        let task = tokio::spawn(run(stop.clone()));
        Self { name, stop, task, has_ended: false }
    }

    /// Waits until the part ends.
    async fn ended(&mut self) -> anyhow::Result<()> {
        let ended = (&mut self.task).await;
        self.has_ended = true;
        ended.with_context(|| format!("{} failed", self.name))?
    }

    /// Ends the part and waits for that; not for long when hurried.
    async fn end(&mut self) {
        self.stop.ask();
        if self.has_ended {
            return;
        }
        let stop = self.stop.clone();
        let name = self.name;
        tokio::select! {
            ended = self.ended() => match ended {
                Ok(()) => tracing::debug!("{name} has ended"),
                Err(error) => tracing::error!("{name}: {error:#}"),
            },
            () = async {
                stop.hurried().await;
                // The worker is ended by force then; that is waited for.
                tokio::time::sleep(Duration::from_secs(2)).await;
            } => self.task.abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_an_address_that_they_can_connect_to() {
        for (served, told) in [
            ("http://0.0.0.0:80", "http://127.0.0.1:80"),
            ("http://[::]:80", "http://[::1]:80"),
            ("http://10.0.0.1:80", "http://10.0.0.1:80"),
        ] {
            assert_eq!(reachable(served), told);
        }
    }
}
