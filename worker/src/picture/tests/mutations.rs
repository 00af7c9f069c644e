//! Seeded damage to picture files: what transfer, disks and people who look for holes do to them.

use rand::{Rng, RngExt};

/// Values at which programs trip: ends of ranges, signs, and just beside them.
const EDGES: [u32; 16] = [
    0,
    1,
    2,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// A damaged copy of `file`, at times with a piece of `other`: one to six changes. Never empty.
pub fn mutated(file: &[u8], other: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut damaged = file.to_vec();
    for _ in 0..rng.random_range(1..=6) {
        change(&mut damaged, other, rng);
        if damaged.is_empty() {
            damaged.push(rng.random());
        }
    }
    // A wrong checksum would hide most damage to a PNG from its decoder.
    if rng.random_bool(0.7) {
        mend_png_checksums(&mut damaged);
    }
    damaged
}

fn change(file: &mut Vec<u8>, other: &[u8], rng: &mut impl Rng) {
    let at = place(file, rng);
    let length = run(rng).min(file.len() - at);
    match rng.random_range(0..12) {
        0 => file[at] ^= 1 << rng.random_range(0..8),
        1 => file[at] = rng.random(),
        2 => file[at..at + length].fill(rng.random()),
        3 => file[at..at + length].fill_with(|| rng.random()),
        4 => file.truncate(at),
        5 => drop(file.drain(at..at + length)),
        6 => {
            let copy = file[at..at + length].to_vec();
            let to = rng.random_range(0..=file.len());
            drop(file.splice(to..to, copy));
        }
        7 if !other.is_empty() => {
            let from = rng.random_range(0..other.len());
            file.truncate(at);
            file.extend(&other[from..]);
        }
        8 if !other.is_empty() => {
            let from = rng.random_range(0..other.len());
            let piece = &other[from..other.len().min(from + length)];
            drop(file.splice(at..at + piece.len().min(file.len() - at), piece.iter().copied()));
        }
        _ => put_number(file, rng),
    }
}

/// Half of the time in the first bytes, where headers are; else anywhere.
fn place(file: &[u8], rng: &mut impl Rng) -> usize {
    let reach = if rng.random() { file.len().min(64) } else { file.len() };
    rng.random_range(0..reach)
}

fn run(rng: &mut impl Rng) -> usize {
    1 << rng.random_range(0..9)
}

/// Overwrites a 16 or 32-bit number: a size, a count or a length, of the header or of a segment.
fn put_number(file: &mut [u8], rng: &mut impl Rng) {
    let segments: Vec<usize> = segments(file).collect();
    let near_segment = !segments.is_empty() && rng.random();
    let at = if near_segment {
        segments[rng.random_range(0..segments.len())] + rng.random_range(0..16)
    } else {
        place(file, rng)
    };
    let edge = EDGES[rng.random_range(0..EDGES.len())];
    let number = if rng.random() { edge } else { edge.wrapping_add(rng.random_range(0..4096)) };
    let (short, wide) = (number as u16, number);
    let bytes = match rng.random_range(0..4) {
        0 => short.to_be_bytes().to_vec(),
        1 => short.to_le_bytes().to_vec(),
        2 => wide.to_be_bytes().to_vec(),
        _ => wide.to_le_bytes().to_vec(),
    };
    for (place, byte) in file.iter_mut().skip(at).zip(bytes) {
        *place = byte;
    }
}

/// Where segments seem to begin: markers of JPEG, chunks of PNG and RIFF, blocks of GIF.
fn segments(file: &[u8]) -> impl Iterator<Item = usize> {
    let begins = |window: &[u8]| match window {
        [0xff, 0xc0..=0xcf | 0xda..=0xef, ..] | [0x21 | 0x2c, 0xf9 | 0xff | 0, ..] => true,
        window => window[..4].iter().all(u8::is_ascii_alphabetic),
    };
    file.windows(8).enumerate().filter(move |(_, window)| begins(window)).map(|(at, _)| at.saturating_sub(4))
}

/// Writes the right checksum behind every chunk of a PNG, as far as its lengths lead.
fn mend_png_checksums(file: &mut [u8]) {
    if !file.starts_with(b"\x89PNG") {
        return;
    }
    let mut at = 8;
    while let Some(&[a, b, c, d]) = file.get(at..at + 4) {
        let end = at + 8 + u32::from_be_bytes([a, b, c, d]) as usize;
        if end + 4 > file.len() {
            return;
        }
        let checksum = crc32(&file[at + 4..end]).to_be_bytes();
        file[end..end + 4].copy_from_slice(&checksum);
        at = end + 4;
    }
}

/// CRC-32 as PNG uses it (ISO 3309), bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ ((crc & 1) * 0xedb8_8320))
    })
}
