//! Bulk loading: PostgreSQL's binary COPY format (documentation of COPY, "Binary Format") and pgvector's
//! binary representations (`vector_send`, `halfvec_send`: dimension, zero, big-endian values).

use bytes::{BufMut, BytesMut};
use half::f16;
use sqlx::PgConnection;

use super::super::DbError;
use super::NewEntry;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const COLUMNS: &str =
    "class_id, entry_id, uri, probabilities, embedding, width, height, bytes, content_hash, metadata";
const COLUMN_COUNT: i16 = 10;

/// Loads entries into a generation with one COPY; PostgreSQL routes each row to its leaf. Gives how many.
///
/// # Errors
/// [`DbError`]; the transaction must then be rolled back.
pub async fn copy_entries(
    tx: &mut PgConnection,
    generation: i32,
    entries: &[NewEntry],
) -> Result<u64, DbError> {
    let sql = format!("copy gallery.g{generation} ({COLUMNS}) from stdin (format binary)");
    let mut copy = tx.copy_in_raw(&sql).await?;
    match copy.send(encode(entries).freeze()).await {
        Ok(_) => Ok(copy.finish().await?),
        Err(error) => {
            // The first error tells more than the abort's own.
            _ = copy.abort("sending failed").await;
            Err(error.into())
        }
    }
}

/// Entries in the binary format, header and trailer included.
fn encode(entries: &[NewEntry]) -> BytesMut {
    let per_entry = entries.first().map_or(0, |e| 256 + e.probabilities.len() * 4 + e.embedding.len() * 2);
    let mut out = BytesMut::with_capacity(64 + per_entry * entries.len());
    out.put_slice(SIGNATURE);
    out.put_i32(0);
    out.put_i32(0);
    for entry in entries {
        out.put_i16(COLUMN_COUNT);
        field(&mut out, |out| out.put_i32(entry.class_id));
        field(&mut out, |out| out.put_slice(entry.id.as_bytes()));
        field(&mut out, |out| out.put_slice(entry.uri.as_bytes()));
        field(&mut out, |out| vector(out, &entry.probabilities));
        field(&mut out, |out| half_vector(out, &entry.embedding));
        field(&mut out, |out| out.put_i32(entry.width));
        field(&mut out, |out| out.put_i32(entry.height));
        field(&mut out, |out| out.put_i64(entry.bytes));
        field(&mut out, |out| out.put_slice(&entry.content_hash));
        field(&mut out, |out| {
            out.put_u8(1);
            let json = serde_json::to_vec(&entry.metadata).expect("a JSON object is plain data");
            out.put_slice(&json);
        });
    }
    out.put_i16(-1);
    out
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
