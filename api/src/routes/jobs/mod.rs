//! Jobs: looked at, stopped, paused, tried again and deleted. How they enter is in [`crate::submit`].

mod actions;
pub mod bulk;
mod detail;
pub mod filter;
mod hits;
mod items;
mod list;
mod metrics;

use utoipa_actix_web::service_config::ServiceConfig;

/// Mounts the routes. Those with a fixed second part come before those with an id.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list::list).service(list::counts).service(bulk::bulk);
    config.service(detail::get).service(detail::logs).service(metrics::list).service(items::list);
    config.service(items::summary).service(items::retry).service(hits::list_hits);
    config.service(actions::cancel).service(actions::pause).service(actions::resume);
    config.service(actions::retry).service(actions::delete);
}
