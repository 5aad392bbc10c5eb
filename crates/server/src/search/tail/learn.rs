//! Learns the newest entries, block by block: behind the log, or ahead of whoever walks over them.

use std::ops::Range;
use std::time::Instant;

use evidence::fold::TrailState;
use evidence::leaf::Leaf;
use rayon::prelude::*;

use super::{BLOCK_ENTRIES, Block, Tail};
use crate::log::core::stands_in_files_to;
use crate::search::Index;
use crate::search::document::Knowing;
use crate::search::matcher::Matcher;
use crate::search::scan::Within;
use crate::search::spelling::with_spellings;
use crate::source::directory::Directory;
use crate::store::trail::Trail;

/// Bytes of a block that a walk learns. A larger one takes longer than a look at the clock may wait: it is left to the
/// thread behind the log, and compared entry by entry until then.
const BLOCK_BYTES_MAX: usize = 256 << 10;
/// Entries read at a time: no more is read of a block that is found to be too large.
const PART_ENTRIES: u64 = 16;
/// Blocks that a walk learns at first, of which perhaps one has all that is wanted; each time twice as many, up to
/// [`STRIDE`].
const FIRST_STRIDE: u64 = 2;
/// Of ordinary events some 50 ms of two cores.
const STRIDE: u64 = 64;

/// Goes ahead of a walk over the newest entries and learns what nobody has learnt, on all cores.
#[derive(Debug)]
pub(in crate::search) struct Ahead<'a> {
    index: &'a Index,
    trail: &'a Trail,
    state: &'a TrailState,
    matcher: &'a Matcher,
    from_the_end: bool,
    deadline: Option<Instant>,
    /// Blocks of the next stride.
    blocks: u64,
    /// How far it has gone.
    gone: Range<u64>,
    /// There is no room for more.
    is_over: bool,
}

impl<'a> Ahead<'a> {
    /// Begins where the walk does.
    pub fn new(within: &'a Within<'_>, from_the_end: bool, deadline: Option<Instant>) -> Self {
        let Within { index, trail, state, matcher, .. } = within;
        index.tail.forget_below(stands_in_files_to(state));
        Self { index, trail, state, matcher, from_the_end, deadline, blocks: FIRST_STRIDE, gone: 0..0, is_over: false }
    }

    /// Learns some of what is left of the walk, unless that was done.
    pub fn go(&mut self, left: &Range<u64>) {
        if self.is_over || self.is_late() || self.gone.contains(&Tail::step(left, self.from_the_end).start) {
            return;
        }
        self.gone = Tail::stride(left, self.from_the_end, self.blocks);
        self.blocks = (self.blocks * 2).min(STRIDE);
        let learn = |first: &u64| {
            let done = self.is_late() || !self.may_match(*first) || self.index.learn(self.trail, self.state, *first, BLOCK_BYTES_MAX);
            done.then_some(())
        };
        self.is_over = self.index.tail.unknown(&self.gone).par_iter().try_for_each(learn).is_none();
    }

    /// Whether an entry of a block may match as far as the leaves tell: among thousands of acts, nobody looks for events.
    fn may_match(&self, first: u64) -> bool {
        let may = |(index, leaf): (u64, &Leaf)| self.matcher.matches_leaf(index, leaf, self.state) != Some(false);
        self.trail.reader().leaves(first..first + BLOCK_ENTRIES).is_ok_and(|leaves| (first..).zip(&leaves).any(may))
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Index {
    /// Learns the entries that stand in no payload file and that nobody has learnt yet, the newest first.
    pub fn learn_tail(&self, trail: &Trail, stopped: &dyn Fn() -> bool) {
        let view = trail.view();
        let from = stands_in_files_to(&view.state);
        for first in self.tail.unknown(&(from..view.size)).into_iter().rev() {
            if stopped() || !self.learn(trail, &view.state, first, usize::MAX) {
                return;
            }
        }
    }

    /// Forgets entries that stand in payload files by now.
    pub fn forget_tail(&self, state: &TrailState) {
        self.tail.forget_below(stands_in_files_to(state));
    }

    /// Learns the block that begins at `first`, unless it has more bytes than that; false when there is no room for more.
    fn learn(&self, trail: &Trail, state: &TrailState, first: u64, bytes_max: usize) -> bool {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for from in (first..first + BLOCK_ENTRIES).step_by(PART_ENTRIES as usize) {
            // What cannot be read is met, and reported, by whoever asks for it.
            let Ok(part) = trail.reader().entries(from, PART_ENTRIES as usize) else { return true };
            bytes += part.iter().map(|entry| entry.raw.len()).sum::<usize>();
            if bytes > bytes_max {
                return true;
            }
            entries.extend(part);
        }
        let nobody = Directory::default();
        let knowing = Knowing { catalog: self.catalog(), directory: &nobody, state, recent: None };
        let block = with_spellings(|spellings| Block::of(&entries, knowing, spellings));
        self.tail.keep(first, block)
    }
}
