//! Squared Euclidean distances of queries to blocks of [`LANES`] stored vectors.
//!
//! A block holds its vectors value by value, `[values][LANES]`: one load gives the same value of all of them, so that sums
//! stay within a lane and every vector's are added up in the same order. Differences are squared as they are, not expanded
//! into products: a vector is at distance 0 from itself. Plain loops, which crate pulp compiles for each instruction set;
//! only the widening of halves has an instruction of its own where AVX-512 is there.

use half::f16;
use pulp::{Arch, Simd, WithSimd};

/// Vectors of a block.
pub const LANES: usize = 16;
/// Queries that share a pass over a block: more sums than these do not stay in registers.
pub const TOGETHER: usize = 4;

/// A stored value: a half (its bits) or a single.
pub trait Value: Copy + Default + Send + Sync + 'static {
    /// Bytes of it.
    const BYTES: usize = size_of::<Self>();

    /// From what a copy of a table holds, [`Value::BYTES`] of it.
    fn from_big_endian(bytes: &[u8]) -> Self;

    /// In single precision, exactly.
    fn widen(self) -> f32;

    /// Calls `visit` with the squared distances of the queries, `[values][Q]`, to each block, in order.
    fn scan<const Q: usize>(
        query: &[[f32; Q]],
        blocks: &[Self],
        visit: impl FnMut(usize, &[[f32; LANES]; Q]),
    ) {
        Arch::new().dispatch(Scan { lanes: Plain, query, blocks, visit });
    }
}

impl Value for f32 {
    fn from_big_endian(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(f32::NAN, Self::from_be_bytes)
    }

    fn widen(self) -> f32 {
        self
    }
}

impl Value for u16 {
    fn from_big_endian(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(f16::NAN.to_bits(), Self::from_be_bytes)
    }

    /// By shifting the bits into place and scaling by 2^112, the difference of the exponents' biases (IEEE 754), which is
    /// right for subnormal halves too. Halves that are no numbers come out as large ones: none are stored.
    #[inline(always)]
    fn widen(self) -> f32 {
        const SCALE: f32 = f32::from_bits(0x7780_0000);
        let bits = u32::from(self);
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * SCALE;
        f32::from_bits(magnitude.to_bits() | ((bits & 0x8000) << 16))
    }

    #[cfg(target_arch = "x86_64")]
    fn scan<const Q: usize>(
        query: &[[f32; Q]],
        blocks: &[Self],
        visit: impl FnMut(usize, &[[f32; LANES]; Q]),
    ) {
        match pulp::x86::V4::try_new() {
            Some(simd) => Simd::vectorize(simd, Scan { lanes: Wide(simd), query, blocks, visit }),
            None => Arch::new().dispatch(Scan { lanes: Plain, query, blocks, visit }),
        }
    }
}

/// The same value of all vectors of a block, and what is done with it.
trait Lanes<T>: Copy {
    type Register: Copy;

    fn zero(self) -> Self::Register;
    fn load(self, values: &[T; LANES]) -> Self::Register;
    /// `sum + (value - query)²`
    fn add_square(self, sum: Self::Register, value: Self::Register, query: f32) -> Self::Register;
    fn add(self, a: Self::Register, b: Self::Register) -> Self::Register;
    fn store(self, register: Self::Register) -> [f32; LANES];
}

#[derive(Clone, Copy)]
struct Plain;

impl<T: Value> Lanes<T> for Plain {
    type Register = [f32; LANES];

    #[inline(always)]
    fn zero(self) -> [f32; LANES] {
        [0.0; LANES]
    }

    #[inline(always)]
    fn load(self, values: &[T; LANES]) -> [f32; LANES] {
        values.map(T::widen)
    }

    #[inline(always)]
    fn add_square(self, mut sum: [f32; LANES], value: [f32; LANES], query: f32) -> [f32; LANES] {
        for (sum, value) in sum.iter_mut().zip(value) {
            let difference = value - query;
            *sum = difference.mul_add(difference, *sum);
        }
        sum
    }

    #[inline(always)]
    fn add(self, mut a: [f32; LANES], b: [f32; LANES]) -> [f32; LANES] {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    }

    #[inline(always)]
    fn store(self, register: [f32; LANES]) -> [f32; LANES] {
        register
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Wide(pulp::x86::V4);

#[cfg(target_arch = "x86_64")]
impl Lanes<u16> for Wide {
    type Register = std::arch::x86_64::__m512;

    #[inline(always)]
    fn zero(self) -> Self::Register {
        self.0.avx512f._mm512_setzero_ps()
    }

    #[inline(always)]
    fn load(self, values: &[u16; LANES]) -> Self::Register {
        self.0.avx512f._mm512_cvtph_ps(pulp::cast(*values))
    }

    #[inline(always)]
    fn add_square(self, sum: Self::Register, value: Self::Register, query: f32) -> Self::Register {
        let f = self.0.avx512f;
        let difference = f._mm512_sub_ps(value, f._mm512_set1_ps(query));
        f._mm512_fmadd_ps(difference, difference, sum)
    }

    #[inline(always)]
    fn add(self, a: Self::Register, b: Self::Register) -> Self::Register {
        self.0.avx512f._mm512_add_ps(a, b)
    }

    #[inline(always)]
    fn store(self, register: Self::Register) -> [f32; LANES] {
        pulp::cast(register)
    }
}

struct Scan<'a, L, T, const Q: usize, F> {
    lanes: L,
    query: &'a [[f32; Q]],
    blocks: &'a [T],
    visit: F,
}

impl<L: Lanes<T>, T: Value, const Q: usize, F: FnMut(usize, &[[f32; LANES]; Q])> Scan<'_, L, T, Q, F> {
    #[inline(always)]
    fn run(mut self) {
        for (number, block) in self.blocks.chunks_exact(self.query.len() * LANES).enumerate() {
            // A sum waits for the one before it: a lone query has several, which do not.
            let distances = if Q == 1 { self.distances::<4>(block) } else { self.distances::<1>(block) };
            (self.visit)(number, &distances);
        }
    }

    #[inline(always)]
    fn distances<const SUMS: usize>(&self, block: &[T]) -> [[f32; LANES]; Q] {
        let lanes = self.lanes;
        let mut sums = [[lanes.zero(); SUMS]; Q];
        let mut values = block.chunks_exact(LANES * SUMS);
        let mut queries = self.query.chunks_exact(SUMS);
        for (values, queries) in (&mut values).zip(&mut queries) {
            for (part, (values, query)) in values.as_chunks::<LANES>().0.iter().zip(queries).enumerate() {
                let value = lanes.load(values);
                for (sums, query) in sums.iter_mut().zip(query) {
                    sums[part] = lanes.add_square(sums[part], value, *query);
                }
            }
        }
        for (values, query) in values.remainder().as_chunks::<LANES>().0.iter().zip(queries.remainder()) {
            let value = lanes.load(values);
            for (sums, query) in sums.iter_mut().zip(query) {
                sums[0] = lanes.add_square(sums[0], value, *query);
            }
        }
        sums.map(|sums| lanes.store(sums.into_iter().reduce(|a, b| lanes.add(a, b)).unwrap_or(lanes.zero())))
    }
}

impl<L: Lanes<T>, T: Value, const Q: usize, F: FnMut(usize, &[[f32; LANES]; Q])> WithSimd
    for Scan<'_, L, T, Q, F>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.run();
    }
}
