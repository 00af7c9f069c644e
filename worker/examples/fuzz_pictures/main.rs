//! Reads mutated picture files and tells whether the bounds hold: no crash, little memory, no long wait.
//!
//!     fuzz_pictures FOLDER [--count 100000] [--seed 1] [--only INDEX]
//!
//! Reads the files of the folder and good ones made here as they are, then damages them. Every second case is read
//! under small [`Limits`], so that what memory a picture takes is not hidden by what a large one may take. A case
//! depends on the seed and its index alone: `--only` repeats one and writes its file to `fuzz_case.bin`. Fails on a
//! panic that leaves the decoder, on memory above [`Limits::most_memory`], and on a case of more than 5 s; panics that
//! the decoder catches are counted.

#[path = "../judge_pictures/counting.rs"]
mod counting;
#[path = "../../src/picture/tests/mutations.rs"]
mod mutations;
mod seeds;

use std::collections::HashMap;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use lookalike_worker::picture::{Limits, PictureError, ReadPicture, read_picture};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::seeds::Seed;

const SIDE: u32 = 64;
const LONGEST_SECONDS: f64 = 5.0;
const LARGE_EVERY: u32 = 300;
/// Half of the cases: a bound that small pictures already feel.
const SMALL: Limits = Limits { max_bytes: 1 << 20, max_pixels: 1 << 20, max_side: 32_768 };

#[derive(Parser)]
struct Arguments {
    /// Pictures to begin with
    folder: PathBuf,
    /// How many files to read
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this case
    #[arg(long)]
    only: Option<u64>,
}

struct Case<'a> {
    seed: &'a Seed,
    bytes: Vec<u8>,
    limits: Limits,
}

/// What came of all cases.
#[derive(Default)]
struct Totals {
    outcomes: HashMap<String, u64>,
    escaped: u64,
    slowest: (f64, u64),
    too_slow: u64,
    /// For small and for usual limits: the largest peak in bytes, and its case.
    largest: [(usize, u64); 2],
    too_large: u64,
    largest_refusal: (usize, u64),
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut seeds = seeds::of_folder(&arguments.folder).context("reading the folder")?;
    let of_folder = seeds.len();
    seeds.extend(seeds::made_here()?);
    let large = seeds::large()?;
    let mut out = std::io::stdout();
    writeln!(out, "{of_folder} files of the folder and {} made here", seeds.len() - of_folder)?;
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let place = place.rsplit("/src/").next().map_or(place.clone(), |end| {
            let package = place[..place.len() - end.len()].trim_end_matches("/src/").rsplit('/').next();
            format!("{} {end}", package.unwrap_or_default())
        });
        if let Ok(mut panics) = PANICS.lock() {
            panics.push(place);
        }
    }));

    let mut totals = Totals::default();
    let started = Instant::now();
    let mut whole = Totals::default();
    for (index, seed) in (0..).zip(seeds.iter().chain(&large)).filter(|_| arguments.only.is_none()) {
        whole.read(&Case { seed, bytes: seed.bytes.clone(), limits: Limits::default() }, index);
    }
    writeln!(out, "undamaged: slowest {:.3} s, peak {:.1} MiB", whole.slowest.0, mib(whole.largest[1].0))?;
    for index in arguments.only.map_or(0..arguments.count, |only| only..only + 1) {
        let case = case(&seeds, &large, arguments.seed, index);
        if arguments.only.is_some() {
            std::fs::write("fuzz_case.bin", &case.bytes)?;
            writeln!(out, "{}, {} bytes, {:?}", case.seed.name, case.bytes.len(), case.limits)?;
        }
        totals.read(&case, index);
        if index % 10_000 == 9_999 {
            writeln!(out, "{} read after {:.0} s", index + 1, started.elapsed().as_secs_f64())?;
        }
    }
    totals.tell(&mut out)?;
    let failures = whole.failures() + totals.failures();
    anyhow::ensure!(failures == 0, "{failures} cases break a bound");
    Ok(())
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn case<'a>(seeds: &'a [Seed], large: &'a [Seed], seed: u64, index: u64) -> Case<'a> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    let other = &seeds[rng.random_range(0..seeds.len())];
    // Seldom: each takes about as long as a thousand small ones.
    let seeds = if rng.random_ratio(1, LARGE_EVERY) { large } else { seeds };
    let seed = &seeds[rng.random_range(0..seeds.len())];
    let limits = if index.is_multiple_of(2) { SMALL } else { Limits::default() };
    Case { seed, bytes: mutations::mutated(&seed.bytes, &other.bytes, &mut rng), limits }
}

impl Totals {
    fn failures(&self) -> u64 {
        self.escaped + self.too_large + self.too_slow
    }

    fn read(&mut self, case: &Case<'_>, index: u64) {
        let started = Instant::now();
        let work = || panic::catch_unwind(AssertUnwindSafe(|| read_picture(&case.bytes, &case.limits, SIDE)));
        let (outcome, peak) = counting::peak_of(work);
        let seconds = started.elapsed().as_secs_f64();
        if seconds > self.slowest.0 {
            self.slowest = (seconds, index);
        }
        self.too_slow += u64::from(seconds > LONGEST_SECONDS);
        let largest = &mut self.largest[usize::from(case.limits != SMALL)];
        *largest = (peak, index).max(*largest);
        self.too_large += u64::from(peak as u64 > case.limits.most_memory());
        match outcome {
            Ok(outcome) => self.count(&outcome, peak, index),
            Err(_) => self.escaped += 1,
        }
    }

    fn count(&mut self, outcome: &Result<ReadPicture, PictureError>, peak: usize, index: u64) {
        let name = match outcome {
            Ok(_) => "read".to_owned(),
            Err(refusal) => {
                self.largest_refusal = (peak, index).max(self.largest_refusal);
                refusal.code.to_string()
            }
        };
        *self.outcomes.entry(name).or_default() += 1;
    }

    fn tell(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut outcomes: Vec<_> = self.outcomes.iter().collect();
        outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (name, count) in outcomes {
            writeln!(out, "{count:>8}  {name}")?;
        }
        for (limits, (peak, index)) in [SMALL, Limits::default()].iter().zip(self.largest) {
            let (peak, bound) = (mib(peak), limits.most_memory() >> 20);
            writeln!(
                out,
                "peak {peak:.1} MiB of {bound} MiB allowed, {} pixels at most, case {index}",
                limits.max_pixels
            )?;
        }
        let (peak, index) = self.largest_refusal;
        writeln!(out, "a refusal took {:.1} MiB at most, case {index}", mib(peak))?;
        writeln!(out, "slowest {:.3} s, case {}", self.slowest.0, self.slowest.1)?;
        let mut panics = HashMap::<String, u64>::new();
        for place in PANICS.lock().map(|places| places.clone()).unwrap_or_default() {
            *panics.entry(place).or_default() += 1;
        }
        let mut panics: Vec<_> = panics.into_iter().collect();
        panics.sort();
        for (place, count) in panics {
            writeln!(out, "{count:>8}  panics in {place}")?;
        }
        let (escaped, large, slow) = (self.escaped, self.too_large, self.too_slow);
        Ok(writeln!(
            out,
            "{escaped} panics escaped, {large} cases above the memory bound, {slow} above {LONGEST_SECONDS} s"
        )?)
    }
}
