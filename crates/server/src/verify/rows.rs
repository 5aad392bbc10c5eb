//! From stored bytes to the commitment that must stand in their leaf.
//!
//! Nothing here trusts the bytes: a part map that does not fit is an answer, not a panic.

use evidence::commitment::commit;
use evidence::cut::cut;
use evidence::envelope::Facts;
use evidence::fold::TrailState;
use evidence::leaf::{Kind, Leaf};

use crate::log::entry::{part_lengths, part_map};

/// An entry's payload as it is stored.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    /// The event salt, 16 bytes.
    pub salt: &'a [u8],
    pub facts: &'a [u8],
    pub people: &'a [u8],
    pub raw: &'a [u8],
    /// Lengths of parts 2…, where they do not follow from `raw`.
    pub map: Option<&'a [u8]>,
}

/// The parts of an act that are stored as its raw bytes: 2, or 3 when it is countersigned.
pub(super) fn act_parts<'a>(raw: &'a [u8], map: &[u8]) -> Option<Vec<&'a [u8]>> {
    let mut lengths = Vec::new();
    part_lengths(map, &mut lengths);
    let mut rest = raw;
    let mut parts = Vec::with_capacity(3);
    for length in lengths {
        let (part, after) = rest.split_at_checked(length as usize)?;
        parts.push(part);
        rest = after;
    }
    // Written again it must be the same: no other spelling of a length, nothing behind the last.
    let is_exact = rest.is_empty() && part_map(&parts) == map;
    (is_exact && matches!(parts.len(), 2 | 3)).then_some(parts)
}

/// The commitment to a payload. `cuts` is scratch space.
pub(super) fn commitment(stored: &Stored<'_>, kind: Kind, cuts: &mut Vec<u32>) -> Result<[u8; 32], &'static str> {
    let salt = stored.salt.try_into().map_err(|_| "it has no salt of 16 bytes")?;
    match (kind, stored.map) {
        (Kind::Act, Some(map)) => {
            let parts = act_parts(stored.raw, map).ok_or("its part map does not fit its bytes")?;
            cuts.clear();
            cuts.extend(parts.iter().map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX)));
        }
        (Kind::Act, None) => return Err("it is an act without a part map"),
        (_, Some(_)) => return Err("it has a part map, which only acts have"),
        (_, None) => cut(stored.raw, cuts),
    }
    Ok(commit(&salt, stored.facts, stored.people, stored.raw, cuts))
}

/// Checks what a leaf says of an entry against its envelope. Entries of one sender follow each
/// other, so the answer for the same bytes is remembered.
pub(super) struct Envelopes<'a> {
    state: Option<&'a TrailState>,
    facts: Vec<u8>,
    source: Option<u32>,
}

impl<'a> Envelopes<'a> {
    pub fn new(state: Option<&'a TrailState>) -> Self {
        Self { state, facts: Vec::new(), source: None }
    }

    pub fn check(&mut self, facts: &[u8], source: u32) -> Result<(), String> {
        if self.source == Some(source) && self.facts == facts {
            return Ok(());
        }
        let parsed = Facts::parse(facts).map_err(|why| why.to_string())?;
        if let Some(state) = self.state.filter(|_| source != 0) {
            let name = state.sources.get(&source).map(|entry| entry.name.as_str());
            if name != Some(parsed.source.as_str()) {
                return Err(format!("its leaf says source {source}, its envelope {:?}", parsed.source));
            }
        }
        self.source = Some(source);
        facts.clone_into(&mut self.facts);
        Ok(())
    }
}

/// What a leaf of version 1 can be: acts are of class 0 and source 0, and nothing else is of class 0.
pub(super) fn check_leaf(leaf: &Leaf) -> Result<(), &'static str> {
    match (leaf.kind, leaf.class, leaf.source) {
        (Kind::Act, 0, 0) => Ok(()),
        (Kind::Act, _, _) => Err("it is an act, yet not of class 0 and source 0"),
        (_, 0, _) => Err("it is of class 0, yet not an act"),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn stored<'a>(raw: &'a [u8], map: Option<&'a [u8]>) -> Stored<'a> {
        Stored { salt: &[7; 16], facts: b"{}", people: b"{}", raw, map }
    }

    #[test]
    fn parts_of_an_act_are_read_by_their_one_map() {
        assert_eq!(act_parts(b"abc", &[1, 2]).unwrap(), [&b"a"[..], b"bc"]);
        assert_eq!(act_parts(b"abc", &[1, 2, 0]).unwrap(), [&b"a"[..], b"bc", b""]);
    }

    #[test]
    fn a_map_that_does_not_fit_is_an_answer_and_no_panic() {
        let long = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let other_spelling = [0x81, 0x00, 2];
        for map in [&[][..], &[3], &[1, 1], &[1, 3], &[1, 1, 1, 0], &[0x80], &[1, 2, 0x80], &long, &other_spelling] {
            assert_eq!(act_parts(b"abc", map), None, "{map:?}");
            assert!(commitment(&stored(b"abc", Some(map)), Kind::Act, &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn only_acts_have_a_map_and_every_act_has_one() {
        let mut cuts = Vec::new();
        assert!(commitment(&stored(b"abc", None), Kind::Act, &mut cuts).is_err());
        assert!(commitment(&stored(b"abc", Some(&[1, 2])), Kind::Event, &mut cuts).is_err());
        assert!(commitment(&stored(b"abc", None), Kind::Record, &mut cuts).is_ok());
        let short_salt = Stored { salt: &[7; 15], ..stored(b"abc", None) };
        assert!(commitment(&short_salt, Kind::Event, &mut cuts).is_err());
    }
}
