//! Every route, one file per resource. A handler extracts, checks and calls one use case.
//!
//! Routes are mounted through utoipa's `service`, which takes documented handlers only. Everything under
//! `/v1` passes [`authenticate`]; what is open to all is mounted before, by its full path.

pub mod docs;
pub mod entries;
pub mod evaluations;
pub mod events;
pub mod generations;
pub mod indexes;
pub mod jobs;
pub mod keys;
pub mod models;
pub mod queues;
pub mod schedules;
pub mod session;
pub mod sources;
pub mod submissions;
pub mod system;
pub mod trainings;
pub mod uploads;
pub mod workers;

use actix_web::middleware::from_fn;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::auth::authenticate;

/// Mounts every route. Handlers under `/v1` name their paths without it.
pub fn configure(config: &mut ServiceConfig<'_>) {
    docs::configure(config);
    session::configure_open(config);
    system::configure_open(config);
    config.service(scope("/v1").wrap(from_fn(authenticate)).configure(configure_v1));
}

fn configure_v1(config: &mut ServiceConfig<'_>) {
    submissions::configure(config);
    jobs::configure(config);
    events::configure(config);
    queues::configure(config);
    workers::configure(config);
    session::configure(config);
    system::configure(config);
    trainings::configure(config);
    models::configure(config);
    indexes::configure(config);
    generations::configure(config);
    evaluations::configure(config);
    entries::configure(config);
    schedules::configure(config);
    sources::configure(config);
    uploads::configure(config);
    keys::configure(config);
}
