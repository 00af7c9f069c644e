//! What has changed in leaves since somebody read them: entries that came, and entries that went.
//!
//! All of it is read from one snapshot, so that what is told of a leaf is its state at the version that is told with it.
//! Rows come out by COPY in its binary format, one row a message (PostgreSQL, "Message Flow", COPY operations).

use futures::StreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::super::DbError;
use super::copy::SIGNATURE;
use crate::domain::search::RankBy;

/// Bytes before the first row: signature, flags, length of an extension that there is none of.
const HEADER: usize = 19;

/// A leaf that somebody has a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its class.
    pub class_id: i32,
    /// The version of the copy; none when there is no copy yet.
    pub version: Option<i64>,
}

/// How a leaf stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its class.
    pub class_id: i32,
    /// Its version.
    pub version: i64,
    /// Whether all of its entries are told: there is no copy, or none that could be brought up to date.
    pub whole: bool,
}

/// One thing that is told of a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<'a> {
    /// An entry that is there now.
    Came(Row<'a>),
    /// An entry of the copy that left, or was replaced by one that came.
    Went {
        /// The leaf's class.
        class_id: i32,
        /// The entry.
        entry_id: Uuid,
    },
}

/// An entry as matching needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Its leaf's class.
    pub class_id: i32,
    /// Its id.
    pub entry_id: Uuid,
    /// Fingerprint of what the picture shows; none of entries from before it was kept.
    pub perceptual_hash: Option<u64>,
    /// The values of its vector, big-endian: halves of an embedding, singles of probabilities.
    pub values: &'a [u8],
}

/// Who is told of changes.
pub trait Follower {
    /// How the leaves stand that have changed; told once, before anything else.
    fn stand(&mut self, leaves: &[Standing]);

    /// One change, in no order: what went had been there before anything came.
    fn tell(&mut self, change: Change<'_>);
}

/// Tells what has changed in leaves of a generation since they were read. What is told counts once this has returned.
///
/// # Errors
/// [`DbError`]; [`has_vanished`](super::super::generations::has_vanished) tells that the generation was dropped.
pub async fn read_changes(
    pool: &PgPool,
    generation: i32,
    vectors: RankBy,
    held: &[Held],
    follower: &mut impl Follower,
) -> Result<(), DbError> {
    let mut session = pool.acquire().await?;
    let mut tx = session.begin_with("begin isolation level repeatable read read only").await?;
    let standings = list_standings(&mut tx, generation, held).await?;
    if standings.is_empty() && !held.is_empty() {
        return Err(DbError::not_found("generation", generation));
    }
    let since = |class: i32| held.iter().find(|held| held.class_id == class).and_then(|held| held.version);
    let changed: Vec<Standing> = standings
        .into_iter()
        .filter(|leaf| leaf.whole || since(leaf.class_id).is_none_or(|version| version < leaf.version))
        .collect();
    follower.stand(&changed);
    // In the order in which tables are taken by whoever drops them.
    let parts: Vec<(i32, Option<i64>)> =
        changed.iter().map(|leaf| (leaf.class_id, since(leaf.class_id).filter(|_| !leaf.whole))).collect();
    if !parts.is_empty() {
        copy_rows(&mut tx, generation, vectors, &parts, follower).await?;
    }
    let parts: Vec<(i32, i64)> =
        parts.into_iter().filter_map(|(class, since)| since.map(|since| (class, since))).collect();
    if !parts.is_empty() {
        for (class_id, entry_id) in list_deleted(&mut tx, generation, &parts).await? {
            follower.tell(Change::Went { class_id, entry_id });
        }
    }
    Ok(tx.commit().await?)
}

async fn list_standings(
    tx: &mut PgConnection,
    generation: i32,
    held: &[Held],
) -> Result<Vec<Standing>, DbError> {
    let classes: Vec<i32> = held.iter().map(|held| held.class_id).collect();
    let versions: Vec<Option<i64>> = held.iter().map(|held| held.version).collect();
    let rows = sqlx::query_as!(
        Standing,
        r#"select p.class_id, p.version,
                  h.version is null or h.version < p.deletions_since or h.version > p.version as "whole!"
           from partitions p join unnest($2::int[], $3::bigint[]) as h (class_id, version) using (class_id)
           where p.generation = $1 order by p.class_id"#,
        generation,
        &classes,
        &versions as &[Option<i64>],
    );
    Ok(rows.fetch_all(tx).await?)
}

async fn list_deleted(
    tx: &mut PgConnection,
    generation: i32,
    since: &[(i32, i64)],
) -> Result<Vec<(i32, Uuid)>, DbError> {
    let (classes, versions): (Vec<i32>, Vec<i64>) = since.iter().copied().unzip();
    let sql = format!(
        "select d.class_id, d.entry_id
         from gallery.d{generation} d join unnest($1::int[], $2::bigint[]) as s (class_id, version) using (class_id)
         where d.version > s.version"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(classes).bind(versions).fetch_all(tx).await?)
}

async fn copy_rows(
    tx: &mut PgConnection,
    generation: i32,
    vectors: RankBy,
    leaves: &[(i32, Option<i64>)],
    follower: &mut impl Follower,
) -> Result<(), DbError> {
    let column = match vectors {
        RankBy::Embedding => "embedding",
        RankBy::Probabilities => "probabilities",
    };
    let part = |(class, since): &(i32, Option<i64>)| {
        let since = since.map_or(String::new(), |version| format!(" where version > {version}"));
        format!(
            "select class_id, entry_id, perceptual_hash, {column} from gallery.g{generation}_{class}{since}"
        )
    };
    let parts: Vec<String> = leaves.iter().map(part).collect();
    let sql = format!("copy ({}) to stdout (format binary)", parts.join(" union all "));
    let mut messages = tx.copy_out_raw(&sql).await?;
    let mut first = true;
    while let Some(message) = messages.next().await {
        let message = message?;
        let mut rest: &[u8] = &message;
        if std::mem::take(&mut first) {
            rest = rest.strip_prefix(SIGNATURE).and_then(|_| message.get(HEADER..)).ok_or_else(malformed)?;
        }
        if let Some(row) = read_row(rest)? {
            follower.tell(Change::Came(row));
        }
    }
    Ok(())
}

/// The row of a message; none where the message is the end.
fn read_row(message: &[u8]) -> Result<Option<Row<'_>>, DbError> {
    let mut rest = message;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let Some(columns) = take(2) else { return Ok(None) };
    if columns != [0, 4] {
        return if columns == [0xff, 0xff] { Ok(None) } else { Err(malformed()) };
    }
    let mut field = || -> Option<Option<&[u8]>> {
        let length = i32::from_be_bytes(take(4)?.try_into().ok()?);
        usize::try_from(length).map_or(Some(None), |length| take(length).map(Some))
    };
    let mut read = || -> Option<Row<'_>> {
        Some(Row {
            class_id: i32::from_be_bytes(field()??.try_into().ok()?),
            entry_id: Uuid::from_slice(field()??).ok()?,
            perceptual_hash: match field()? {
                Some(hash) => Some(u64::from_be_bytes(hash.try_into().ok()?)),
                None => None,
            },
            // Before the values: their number, and a zero.
            values: field()??.get(4..)?,
        })
    };
    read().map(Some).ok_or_else(malformed)
}

fn malformed() -> DbError {
    sqlx::Error::Protocol("a row of a copy is not as it was asked for".to_owned()).into()
}

/// Throws away notes of what was deleted from a generation more than `minutes` ago, in a transaction that holds the
/// generation's row. Who has not followed for that long reads leaves anew.
///
/// # Errors
/// [`DbError`].
pub async fn forget_deleted(tx: &mut PgConnection, generation: i32, minutes: i32) -> Result<u64, DbError> {
    let sql = format!(
        "with gone as (
             delete from gallery.d{generation} where at < now() - make_interval(mins => $2) returning class_id, version
         ),
         last as (select class_id, max(version) as version, count(*) as rows from gone group by class_id),
         moved as (
             update partitions p set deletions_since = greatest(p.deletions_since, l.version)
             from last l where p.generation = $1 and p.class_id = l.class_id
         )
         select coalesce(sum(rows), 0)::bigint from last"
    );
    let rows: i64 =
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(generation).bind(minutes).fetch_one(tx).await?;
    Ok(rows.unsigned_abs())
}
