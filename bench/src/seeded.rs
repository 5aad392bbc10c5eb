//! Repeatable randomness: SplitMix64 (Steele, Lea and Flood 2014). The same seed gives the same
//! events on every machine, so two runs measure the same bytes.

/// A stream of 64-bit values fixed by its seed.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

/// SplitMix64's output function: spreads a counter over 64 bits, without repeats.
#[must_use]
pub const fn spread(counter: u64) -> u64 {
    let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Seeded {
    /// Starts the stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        spread(self.0)
    }

    /// A value in `0..bound`; 0 when the bound is 0. The bias of the multiplication is below 2⁻³²
    /// for the bounds used here.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.bits() as u128 * bound as u128) >> 64) as u64
    }

    /// True `percent` times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// When there is no choice: the tables it picks from are constants.
    #[expect(clippy::indexing_slicing, reason = "`below` stays below the length; an empty constant table is our bug")]
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
    }

    /// A rank in `0..count`, Zipf-like with exponent 1: rank r about as often as 1/(r + 1). Few
    /// users do most of what happens in an account.
    pub fn zipf(&mut self, count: u64) -> u64 {
        // Inverse of the continuous distribution: exp(u · ln(n + 1)) − 1 is Zipf-like over 0..n.
        let unit = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        let rank = (unit * (count as f64 + 1.0).ln()).exp() - 1.0;
        (rank as u64).min(count.saturating_sub(1))
    }
}
