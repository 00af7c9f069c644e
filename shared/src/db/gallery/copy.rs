//! Bulk loading: PostgreSQL's binary COPY format (documentation of COPY, "Binary Format") and pgvector's
//! binary representations (`vector_send`, `halfvec_send`: dimension, zero, big-endian values).

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};
use half::f16;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::DbError;
use super::NewEntry;

/// Bytes of a message: PostgreSQL takes memory for each, anew for large ones.
const MESSAGE: usize = 64 << 10;
pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Loads entries into a generation: vectors, manifest and thumbnails, one COPY each; PostgreSQL routes vectors to their
/// leaves. Nothing may be stored of their objects. `versions` are those of their leaves, `job` is who stores them.
pub(super) async fn copy_entries(
    tx: &mut PgConnection,
    generation: i32,
    entries: &[NewEntry],
    versions: &HashMap<i32, i64>,
    job: Uuid,
) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    let g = generation;
    let vectors = format!(
        "copy gallery.g{g} (class_id, entry_id, uri, probabilities, embedding, width, height, bytes, content_hash,
             perceptual_hash, metadata, version) from stdin (format binary)"
    );
    let manifest = format!(
        "copy gallery.m{g} (uri, entry_id, class_id, bytes, etag, written_by) from stdin (format binary)"
    );
    let thumbnails = format!("copy gallery.t{g} (entry_id, thumbnail) from stdin (format binary)");
    // A class without a partition is refused by the table itself.
    let version = |entry: &NewEntry| versions.get(&entry.class_id).copied().unwrap_or_default();
    send(tx, &vectors, rows(entries, 12, |out, entry| write_vectors(out, entry, version(entry)))).await?;
    send(tx, &manifest, rows(entries, 6, |out, entry| write_manifest(out, entry, job))).await?;
    send(tx, &thumbnails, rows(entries, 2, write_thumbnail)).await
}

async fn send(tx: &mut PgConnection, sql: &str, data: BytesMut) -> Result<(), DbError> {
    let mut copy = tx.copy_in_raw(sql).await?;
    for part in data.chunks(MESSAGE) {
        if let Err(error) = copy.send(part).await {
            // The first error tells more than the abort's own.
            _ = copy.abort("sending failed").await;
            return Err(error.into());
        }
    }
    copy.finish().await?;
    Ok(())
}

/// Rows of so many columns in the binary format, header and trailer included.
fn rows(entries: &[NewEntry], columns: i16, write: impl Fn(&mut BytesMut, &NewEntry)) -> BytesMut {
    let mut out = BytesMut::with_capacity(1 << 16);
    out.put_slice(SIGNATURE);
    out.put_i32(0);
    out.put_i32(0);
    for entry in entries {
        out.put_i16(columns);
        write(&mut out, entry);
    }
    out.put_i16(-1);
    out
}

fn write_vectors(out: &mut BytesMut, entry: &NewEntry, version: i64) {
    field(out, |out| out.put_i32(entry.class_id));
    field(out, |out| out.put_slice(entry.id.as_bytes()));
    field(out, |out| out.put_slice(entry.uri.as_bytes()));
    field(out, |out| vector(out, &entry.probabilities));
    field(out, |out| half_vector(out, &entry.embedding));
    field(out, |out| out.put_i32(entry.width));
    field(out, |out| out.put_i32(entry.height));
    field(out, |out| out.put_i64(entry.bytes));
    field(out, |out| out.put_slice(&entry.content_hash));
    field(out, |out| out.put_u64(entry.perceptual_hash));
    field(out, |out| {
        out.put_u8(1);
        let json = serde_json::to_vec(&entry.metadata).expect("a JSON object is plain data");
        out.put_slice(&json);
    });
    field(out, |out| out.put_i64(version));
}

fn write_manifest(out: &mut BytesMut, entry: &NewEntry, job: Uuid) {
    field(out, |out| out.put_slice(entry.uri.as_bytes()));
    field(out, |out| out.put_slice(entry.id.as_bytes()));
    field(out, |out| out.put_i32(entry.class_id));
    field(out, |out| out.put_i64(entry.bytes));
    field(out, |out| out.put_slice(entry.etag.as_bytes()));
    field(out, |out| out.put_slice(job.as_bytes()));
}

fn write_thumbnail(out: &mut BytesMut, entry: &NewEntry) {
    field(out, |out| out.put_slice(entry.id.as_bytes()));
    field(out, |out| out.put_slice(&entry.thumbnail));
}

/// Writes a field: its length, then what `write` puts.
fn field(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    write(out);
    let length = i32::try_from(out.len() - start - 4).expect("a field is far below 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn vector(out: &mut BytesMut, values: &[f32]) {
    out.put_u16(dimension(values));
    out.put_u16(0);
    values.iter().for_each(|value| out.put_f32(*value));
}

fn half_vector(out: &mut BytesMut, values: &[f32]) {
    out.put_u16(dimension(values));
    out.put_u16(0);
    values.iter().for_each(|value| out.put_u16(f16::from_f32(*value).to_bits()));
}

fn dimension(values: &[f32]) -> u16 {
    u16::try_from(values.len()).expect("pgvector's bound of 16000 is checked when the generation is made")
}
