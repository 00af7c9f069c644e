//! What has to be done again and again while the service runs.
//!
//! Waking due jobs, recovering those of lost workers and redelivering stranded ones skip rows that others hold,
//! so every API process does them. Schedules, samples and pruning are done by one process: the one whose session
//! holds the leader's lock, which the database frees when that process dies. An outage of the database delays the
//! work and ends nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use lookalike_shared::db::gallery::graphs::{self, Built, Outgrown};
use lookalike_shared::db::schedules::{self, Outcome};
use lookalike_shared::db::{
    self, DbError, PgConnection, PgPool, generations, jobs, leader, queue, queues, retention,
};
use lookalike_shared::domain::job::JobId;
use tokio::time::sleep;

use crate::state::State;

/// The longest wait after a failure.
const LONGEST_DELAY: Duration = Duration::from_secs(15);
/// How often queues are sampled, and how often another process looks whether the leader is gone.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How often what is past its time is thrown away.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// How often it is looked whether a schedule is due.
const DUE_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether a partition has outgrown exact search, and how long after a failure it is tried again.
const OUTGROWN_EVERY: Duration = Duration::from_secs(15);
const BUILD_AGAIN: Duration = Duration::from_secs(600);
/// Schedules dealt with in one transaction.
const DUE_AT_ONCE: i64 = 20;
/// A delivery that is missing for this long is made again.
const STRANDED_AFTER: Duration = Duration::from_secs(15);

/// Work that every process does.
#[derive(Debug, Clone, Copy)]
enum Chore {
    Promote,
    Recover,
    Redeliver,
}

impl Chore {
    fn period(self) -> Duration {
        match self {
            Self::Promote => Duration::from_secs(1),
            Self::Recover => Duration::from_secs(2),
            Self::Redeliver => Duration::from_secs(15),
        }
    }

    async fn run(self, db: &PgPool) -> Result<(), DbError> {
        match self {
            Self::Promote => _ = queue::promote_due(db).await?,
            Self::Recover => {
                for (id, state) in queue::recover_lost(db).await? {
                    tracing::warn!(job.id = %id, state = state.as_str(), "a job was taken back from a lost worker");
                }
            }
            Self::Redeliver => {
                let count = queue::redeliver_stranded(db, STRANDED_AFTER).await?;
                if count > 0 {
                    tracing::warn!(count, "stranded jobs were delivered again");
                }
            }
        }
        Ok(())
    }
}

/// Does everything until the service stops.
pub async fn run(state: Arc<State>) {
    let all = async {
        tokio::join!(
            repeat(&state.db, Chore::Promote),
            repeat(&state.db, Chore::Recover),
            repeat(&state.db, Chore::Redeliver),
            lead_forever(&state),
            build_graphs(&state),
        )
    };
    state.stop.run_until_cancelled(all).await;
}

async fn repeat(db: &PgPool, chore: Chore) {
    let mut delay = chore.period();
    loop {
        sleep(delay).await;
        delay = match chore.run(db).await {
            Ok(()) => chore.period(),
            Err(error) => {
                tracing::warn!(?chore, %error, "maintenance failed; trying again");
                (delay * 2).min(LONGEST_DELAY)
            }
        };
    }
}

async fn lead_forever(state: &State) {
    loop {
        if let Err(error) = lead(state).await {
            tracing::warn!(%error, "schedules, samples and pruning pause; trying again");
        }
        sleep(SAMPLE_EVERY).await;
    }
}

/// Becomes the leader, however long that takes, and works as such until the session breaks.
async fn lead(state: &State) -> Result<(), DbError> {
    let mut session = state.db.acquire().await?;
    // Giving the connection back would give the lock to whoever gets it next.
    session.close_on_drop();
    while !leader::try_lead(&mut session).await? {
        sleep(SAMPLE_EVERY).await;
    }
    // Side by side: a schedule does not wait for what takes long.
    tokio::try_join!(follow_schedules(state), keep_house(state, &mut session))?;
    Ok(())
}

/// Enqueues the jobs of schedules that are due.
async fn follow_schedules(state: &State) -> Result<(), DbError> {
    loop {
        let mut tx = db::begin(&state.db).await?;
        let outcomes = schedules::claim_due(&mut tx, DUE_AT_ONCE).await?;
        db::commit(tx).await?;
        for (name, outcome) in &outcomes {
            let schedule = name.as_str();
            match outcome {
                Outcome::Started(job) => tracing::info!(schedule, job.id = %job, "a schedule was due"),
                Outcome::Skipped(job) => {
                    tracing::warn!(schedule, job.id = %job, "a schedule was due while its job before still runs");
                }
                Outcome::Replanned => {
                    tracing::warn!(schedule, "the clock was set back; a schedule was set anew")
                }
            }
        }
        if outcomes.is_empty() {
            sleep(DUE_EVERY).await;
        }
    }
}

/// Builds the graphs of partitions that have outgrown exact search, one after the other. What failed, or was broken off, is
/// left alone for a while.
async fn build_graphs(state: &State) {
    let Some(rows) = state.graph_from else { return };
    let mut resting: HashMap<(i32, i32), Instant> = HashMap::new();
    loop {
        sleep(OUTGROWN_EVERY).await;
        resting.retain(|_, since| since.elapsed() < BUILD_AGAIN);
        let except: Vec<(i32, i32)> = resting.keys().copied().collect();
        // An outage is told by the other chores.
        let Ok(Some(outgrown)) = graphs::find_outgrown(&state.db, rows, &except).await else { continue };
        let Outgrown { generation, class_id, rows, .. } = outgrown;
        tracing::info!(generation, class_id, rows, "a partition has outgrown exact search: a graph is built");
        let started = Instant::now();
        let built = graphs::build_graph(&state.db, &outgrown).await;
        let seconds = started.elapsed().as_secs_f64();
        match built {
            Ok(Built::Ready) => tracing::info!(generation, class_id, seconds, "a partition has its graph"),
            Ok(Built::Elsewhere) => tracing::debug!(generation, class_id, "another process builds graphs"),
            Ok(Built::Interrupted) => {
                tracing::info!(generation, class_id, seconds, "the building of a graph was broken off");
                resting.insert((generation, class_id), Instant::now());
            }
            Err(error) => {
                tracing::warn!(generation, class_id, %error, "the graph of a partition could not be built");
                resting.insert((generation, class_id), Instant::now());
            }
        }
    }
}

/// Samples the queues and throws away what is past its time.
async fn keep_house(state: &State, session: &mut PgConnection) -> Result<(), DbError> {
    let mut sampled = Utc::now();
    let mut pruned: Option<Instant> = None;
    loop {
        sleep(SAMPLE_EVERY).await;
        let now = Utc::now();
        queues::insert_samples(&mut *session, sampled).await?;
        sampled = now;
        drop_abandoned(state).await?;
        if pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNE_EVERY) {
            prune(state).await?;
            generations::forget_deletions(&state.db).await?;
            if let Err(error) = forget_checkpoints(state).await {
                tracing::warn!(%error, "checkpoints of jobs that are gone stay for now");
            }
            pruned = Some(Instant::now());
        }
    }
}

async fn prune(state: &State) -> Result<(), DbError> {
    let mut rows = 0;
    loop {
        match retention::prune(&state.db, &state.retention).await? {
            0 => break,
            gone => rows += gone,
        }
    }
    if rows > 0 {
        tracing::info!(rows, "what was past its time was thrown away");
    }
    Ok(())
}

/// Drops generations that are to go and those that no rebuild fills any more, once nothing reads them.
async fn drop_abandoned(state: &State) -> Result<(), DbError> {
    for generation in generations::drop_unused(&state.db).await? {
        tracing::info!(generation, "a generation that is not in use any more was dropped");
    }
    Ok(())
}

/// Deletes what jobs that are gone have kept in the artifacts: a training's last checkpoint.
async fn forget_checkpoints(state: &State) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let artifacts = state.storage.artifacts();
    let folders = artifacts.browse("jobs/").await?.folders;
    let id_of = |prefix: &str| prefix.trim_end_matches('/').rsplit('/').next()?.parse().ok().map(JobId);
    let kept: Vec<_> =
        folders.iter().filter_map(|folder| Some((id_of(&folder.prefix)?, &folder.prefix))).collect();
    let ids: Vec<JobId> = kept.iter().map(|(id, _)| *id).collect();
    let known: HashSet<JobId> =
        jobs::list_standings(&state.db, &ids).await?.into_iter().map(|(id, _)| id).collect();
    for (_, prefix) in kept.iter().filter(|(id, _)| !known.contains(id)) {
        artifacts.delete_all(prefix).await?;
    }
    Ok(())
}
