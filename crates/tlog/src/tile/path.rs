//! Which tile: its identity and the path it is served under.

use std::fmt;
use std::str::FromStr;

use super::{LEVEL_MAX, TILE_WIDTH, hashes_at_level};
use crate::canonical;
use crate::position::TreeSize;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level leaves; level 0 is leaf hashes.
    Hashes(u8),
    /// The entries themselves, an *entry bundle*.
    Entries,
}

/// One tile. Its text is the path behind `tile/`:
///
/// ```
/// use tlog::tile::{TileId, TileKind};
///
/// let tile = TileId { kind: TileKind::Hashes(1), n: 1_234_067, width: 12 };
/// assert_eq!(tile.to_string(), "1/x001/x234/067.p/12");
/// assert_eq!("1/x001/x234/067.p/12".parse(), Ok(tile));
/// assert_eq!(
///     "entries/000".parse(),
///     Ok(TileId { kind: TileKind::Entries, n: 0, width: 256 }),
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// What it holds, and at which level.
    pub kind: TileKind,
    /// Its number within the level, from 0.
    pub n: u64,
    /// How many hashes or entries it holds: 256 when full, 1 to 255 when partial.
    pub width: u16,
}

/// The path is not that of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile: <level or entries>/<number as x001/x234/067>[.p/<1 to 255>] is needed")]
pub struct TilePathError;

impl TileId {
    /// Whether this tile is part of a tree of `size` leaves: all it holds is in that tree. A partial
    /// tile stays so when the tree has grown past it.
    #[must_use]
    pub fn is_in(&self, size: TreeSize) -> bool {
        let level = match self.kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        let end = self.n.checked_mul(TILE_WIDTH.into()).and_then(|n| n.checked_add(self.width.into()));
        (1..=TILE_WIDTH).contains(&self.width) && end.is_some_and(|end| end <= hashes_at_level(size, level))
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "{level}/")?,
            TileKind::Entries => f.write_str("entries/")?,
        }
        write_number(f, self.n / 1000)?;
        write!(f, "{:03}", self.n % 1000)?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The leading groups of a number, each as `x123/`; nothing for 0.
fn write_number(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    if n == 0 {
        return Ok(());
    }
    write_number(f, n / 1000)?;
    write!(f, "x{:03}/", n % 1000)
}

impl FromStr for TileId {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        parse(path).ok_or(TilePathError)
    }
}

fn parse(path: &str) -> Option<TileId> {
    let (kind, rest) = path.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => {
            let level = u8::try_from(canonical::from_decimal(level).ok()?).ok()?;
            TileKind::Hashes(Some(level).filter(|level| *level <= LEVEL_MAX)?)
        }
    };
    let (number, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((number, width)) => {
            let width = u16::try_from(canonical::from_decimal(width).ok()?).ok()?;
            (number, Some(width).filter(|width| (1..TILE_WIDTH).contains(width))?)
        }
    };
    Some(TileId { kind, n: parse_number(number)?, width })
}

/// `x001/x234/067` is 1,234,067. A leading group of zeros would be a second spelling.
fn parse_number(text: &str) -> Option<u64> {
    let (leading, last) = match text.rsplit_once('/') {
        None => (None, text),
        Some((leading, last)) => (Some(leading), last),
    };
    let mut n = 0_u64;
    for group in leading.into_iter().flat_map(|leading| leading.split('/')) {
        n = n.checked_mul(1000)?.checked_add(parse_group(group.strip_prefix('x')?)?)?;
        if n == 0 {
            return None;
        }
    }
    n.checked_mul(1000)?.checked_add(parse_group(last)?)
}

fn parse_group(group: &str) -> Option<u64> {
    let three_digits = group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    three_digits.then(|| group.parse().ok())?
}
