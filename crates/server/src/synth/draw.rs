//! Repeatable randomness: ChaCha8, with a stream for each thing that is drawn, so that event 7 is the
//! same whether or not event 6 was made. Integers only: what `exp` and `ln` give differs between machines.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::Distribution;
use rand_distr::weighted::{Error, WeightedAliasIndex};

/// What is drawn; each has streams of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// An event, by its number.
    Event = 1,
    /// A person, by rank.
    Person = 2,
    /// A session, by person and half-day.
    Session = 3,
    /// The stranger of the story, by whose account is used.
    Stranger = 4,
}

/// A stream of values fixed by seed, purpose and number.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of the `number`th thing of a kind.
    #[must_use]
    pub fn new(seed: u64, of: Of, number: u64) -> Self {
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().zip(seed.to_le_bytes().into_iter().chain([of as u8])) {
            *place = byte;
        }
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(number);
        Self(stream)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A value below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        scaled(self.bits(), bound)
    }
}

/// `bits` as a fraction of 2⁶⁴, of `bound`. Its bias is below 2⁻³² for bounds below 2³².
#[must_use]
pub const fn scaled(bits: u64, bound: u64) -> u64 {
    ((bits as u128 * bound as u128) >> 64) as u64
}

/// The output function of SplitMix64: spreads a counter over 64 bits, without repeats.
#[must_use]
pub const fn spread(counter: u64) -> u64 {
    let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Things of which some are more frequent than others.
#[derive(Clone, Debug)]
pub struct Weighted(WeightedAliasIndex<u64>);

impl Weighted {
    /// Places in a list, as often as `weights` say.
    ///
    /// # Errors
    /// There is nothing to choose from.
    pub fn new(weights: Vec<u64>) -> Result<Self, Error> {
        WeightedAliasIndex::new(weights).map(Self)
    }

    /// One of them.
    pub fn pick(&self, draw: &mut Draw) -> usize {
        self.0.sample(&mut draw.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn streams_are_apart_and_the_same_each_time() {
        let first = |of, number| Draw::new(7, of, number).bits();
        assert_eq!(first(Of::Event, 3), first(Of::Event, 3));
        assert_ne!(first(Of::Event, 3), first(Of::Event, 4));
        assert_ne!(first(Of::Event, 3), first(Of::Person, 3));
        assert_ne!(first(Of::Event, 3), Draw::new(8, Of::Event, 3).bits());
    }

    #[test]
    fn a_pick_is_as_frequent_as_its_weight() {
        let weighted = Weighted::new(vec![1, 0, 3]).unwrap();
        let mut draw = Draw::new(1, Of::Event, 0);
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[weighted.pick(&mut draw)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
        assert!(Weighted::new(Vec::new()).is_err());
    }
}
