//! Builds the service and runs it until told to stop.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use lookalike_shared::config::{ApiConfig, DatabaseConfig, Secret, StorageConfig};
use lookalike_shared::db::keys::{self, NewKey};
use lookalike_shared::db::{self, DbError, MigrateError, PgPool};
use lookalike_shared::domain::name::Name;
use lookalike_shared::domain::scope::Scope;
use lookalike_shared::storage::{Storage, StorageError};
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::AppExt;
use uuid::Uuid;

use crate::observe::observe;
use crate::openapi::{self, KnownPaths};
use crate::routes::{self, docs::Document};
use crate::state::State;
use crate::together::Together;
use crate::{auth, dashboard, extract, maintenance};

/// How long open connections may take to end at a stop, in seconds.
const STOP_SECONDS: u64 = 10;
/// A first admin key of fewer characters can be guessed.
const GOOD_ADMIN_KEY: usize = 20;

/// Everything the service is built from.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The HTTP service.
    pub api: ApiConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// Sources and artifacts.
    pub storage: StorageConfig,
    /// Whether to bring the database's schema to this version first.
    pub migrate: bool,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Its schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A source, or the artifacts.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The address.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The metrics recorder.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Serve(std::io::Error),
}

/// A service that listens already and runs when told to.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

impl Application {
    /// Connects, migrates, opens the storage, makes the first key if none works yet, and listens.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub async fn build(settings: ApiSettings) -> Result<Self, StartError> {
        let ApiSettings { api, database, storage, migrate } = settings;
        let pool = db::connect_impatient(&database).await?;
        if migrate {
            db::migrate(&pool).await?;
        }
        Self::with_pool(pool, &api, Storage::open(&storage)?).await
    }

    /// The same on a pool and a storage that are open already.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    pub async fn with_pool(db: PgPool, api: &ApiConfig, storage: Storage) -> Result<Self, StartError> {
        if let Some(secret) = &api.admin_key {
            ensure_admin(&db, secret).await?;
        }
        let listen = |error| StartError::Listen { address: api.listen, error };
        let listener = TcpListener::bind(api.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let state = State {
            together: Together::new(&db),
            db,
            storage,
            limits: api.limits,
            retention: api.retention,
            graph_from: api.graph_from,
            secure_cookies: api.secure_cookies,
            feed: Default::default(),
            keys: Default::default(),
            metrics: crate::metrics::Metrics::new()?,
            stop: CancellationToken::new(),
        };
        Ok(Self { listener, address, state: Arc::new(state) })
    }

    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its requests reach.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Serves until `stop`, then ends streams and waiting requests, lets the others finish, and returns.
    ///
    /// # Errors
    /// [`StartError::Serve`] when the server ends by itself.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), StartError> {
        let Self { listener, address, state } = self;
        let server = serve(listener, &state).map_err(StartError::Serve)?;
        let handle = server.handle();
        let mut server = tokio::spawn(server);
        let feed = state.feed.clone().run(state.db.clone(), state.metrics.clone(), state.stop.clone());
        let background = [tokio::spawn(feed), tokio::spawn(maintenance::run(state.clone()))];
        tracing::info!(%address, "the API serves");
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut server => Some(ended),
        };
        state.stop.cancel();
        handle.stop(true).await;
        let ended = match ended {
            Some(ended) => ended,
            None => server.await,
        };
        for task in background {
            // A panic in one was printed; the others still end.
            _ = task.await;
        }
        tracing::info!(%address, "the API has stopped");
        ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(StartError::Serve)
    }
}

fn serve(listener: TcpListener, state: &Arc<State>) -> std::io::Result<actix_web::dev::Server> {
    let document = openapi::document();
    let known = web::Data::new(KnownPaths::of(&document));
    let document = web::Data::new(Document::new(&document));
    let state = web::Data::from(state.clone());
    let server = HttpServer::new(move || {
        App::new()
            .into_utoipa_app()
            .app_data(state.clone())
            .app_data(known.clone())
            .app_data(document.clone())
            .app_data(extract::path_config())
            .configure(routes::configure)
            .into_app()
            .default_service(web::to(dashboard::serve))
            .wrap(Compress::default())
            .wrap(from_fn(observe))
    });
    let server = server
        .disable_signals()
        .shutdown_timeout(STOP_SECONDS)
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(15));
    Ok(server.listen(listener)?.run())
}

/// Makes the first key of scope `admin` unless one works already.
async fn ensure_admin(db: &PgPool, secret: &Secret) -> Result<(), DbError> {
    let secret = secret.expose();
    let (hash, hint) = (auth::hash(secret), auth::hint(secret));
    if keys::find_key_by_hash(db, &hash).await?.is_some() {
        return Ok(());
    }
    if secret.chars().count() < GOOD_ADMIN_KEY {
        tracing::warn!(
            "the admin key is short and may be guessed; {GOOD_ADMIN_KEY} characters or more are better"
        );
    }
    let id = Uuid::now_v7();
    let store = async |name: String| {
        let name: Name = name.parse().expect("a valid name");
        let key = NewKey { id, name: &name, hash: &hash, hint: &hint, scope: Scope::Admin, expires_at: None };
        keys::insert_first_admin(db, &key).await
    };
    let stored = match store("admin".to_owned()).await {
        // The plain name may belong to a key that is no admin's, or expired.
        Err(DbError::Conflict(_)) => store(format!("admin-{}", id.simple())).await?,
        stored => stored?,
    };
    if stored {
        tracing::info!("the first admin key was made");
    } else {
        tracing::warn!("an admin key works already, so the one in the settings was not made");
    }
    Ok(())
}
