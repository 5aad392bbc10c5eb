//! A payload against its leaf: number of parts, commitment, envelope, cuts, and an act's head.

use crate::act::{parse_head, parse_part2};
use crate::canonical_json::{self, Value};
use crate::commitment::commitment_of;
use crate::envelope::{EnvelopeError, Facts, People};
use crate::event_file::{ActSeen, Cuts, Part};
use crate::leaf::{Kind, Leaf};
use crate::verdict::Wrong;

/// What [`check_payload`] found besides that it holds.
pub(crate) struct CheckedPayload {
    pub(crate) facts: Option<Facts>,
    pub(crate) people: Option<People>,
    pub(crate) hidden: Vec<usize>,
    pub(crate) cuts: Cuts,
    pub(crate) act: Option<ActSeen>,
}

/// Checks the parts of the entry at `index` of the log `origin` against its leaf.
pub(crate) fn check_payload(leaf: &Leaf, parts: &[Part], index: u64, origin: &str) -> Result<CheckedPayload, Wrong> {
    check_shape(leaf, parts.len())?;
    let digests: Vec<[u8; 32]> = parts.iter().map(Part::digest).collect();
    if commitment_of(&digests) != leaf.commitment {
        return Err(Wrong::Commitment);
    }
    let shown = |number: usize| parts.get(number).and_then(Part::bytes);
    if let Some(facts) = shown(0) {
        check_envelope(facts)?;
    }
    let (cuts, act) = match leaf.kind {
        Kind::Act => {
            let act = shown(2).map(|part2| check_act(part2, origin, index)).transpose()?;
            (Cuts::NotCut, act)
        }
        // Without part 0 it is not known how raw was to be cut.
        Kind::Event | Kind::Record if shown(0).is_some() => (check_cuts(parts)?, None),
        Kind::Event | Kind::Record => (Cuts::Unknown, None),
    };
    let hidden = parts.iter().enumerate().filter(|(_, part)| part.bytes().is_none());
    Ok(CheckedPayload {
        facts: shown(0).and_then(|bytes| Facts::parse(bytes).ok()),
        people: shown(1).and_then(People::parse),
        hidden: hidden.map(|(number, _)| number).collect(),
        cuts,
        act,
    })
}

fn check_shape(leaf: &Leaf, count: usize) -> Result<(), Wrong> {
    let (range, allowed) = match leaf.kind {
        Kind::Act => (4..=5, "where an act has 4 or 5"),
        Kind::Event | Kind::Record => (3..=255, "where an event or a record has 3 to 255"),
    };
    if !range.contains(&count) {
        return Err(Wrong::PartCount { count, allowed });
    }
    if leaf.kind == Kind::Act && (leaf.source != 0 || leaf.class != 0) {
        return Err(Wrong::ActNumbers { source_number: leaf.source, class: leaf.class });
    }
    Ok(())
}

/// Version and cut, the two members that say how the rest is to be read. A later program may write
/// more into the others than this one knows, and none of them has authority here.
fn check_envelope(bytes: &[u8]) -> Result<(), EnvelopeError> {
    let Value::Object(members) = canonical_json::parse_canonical(bytes)? else {
        return Err(EnvelopeError::Member("v"));
    };
    let integer = |name: &'static str| match members.iter().find(|(member, _)| member == name) {
        Some((_, Value::Integer(number))) => Ok(*number),
        _ => Err(EnvelopeError::Member(name)),
    };
    match (integer("v")?, integer("cut")?) {
        (1, 1) => Ok(()),
        (1, cut) => Err(EnvelopeError::Cut(cut)),
        (version, _) => Err(EnvelopeError::Version(version)),
    }
}

/// Raw, when all of it is shown: parts 2 and on, end to end.
pub(crate) fn raw_of(parts: &[Part]) -> Option<Vec<u8>> {
    let parts: Option<Vec<&[u8]>> = parts.get(2..)?.iter().map(Part::bytes).collect();
    parts.map(|parts| parts.concat())
}

fn check_cuts(parts: &[Part]) -> Result<Cuts, Wrong> {
    let Some(raw) = raw_of(parts) else {
        return Ok(Cuts::Unknown);
    };
    let mut cuts = Vec::new();
    crate::cut::cut(&raw, &mut cuts);
    let lengths = parts.iter().skip(2).map(|part| part.bytes().map_or(0, <[u8]>::len));
    if lengths.eq(cuts.iter().map(|length| *length as usize)) { Ok(Cuts::Recomputed) } else { Err(Wrong::Cuts) }
}

/// The head is checked; the rest, if this program does not know it, merely has no authority.
fn check_act(part2: &[u8], origin: &str, index: u64) -> Result<ActSeen, Wrong> {
    let (head, _) = parse_head(part2)?;
    if head.origin != origin {
        return Err(Wrong::ActOrigin { act: head.origin, log: origin.to_owned() });
    }
    if let Some(prev) = head.prev.filter(|prev| *prev >= index) {
        return Err(Wrong::ActPrev { index, prev });
    }
    Ok(match parse_part2(part2) {
        Ok((_, act)) => ActSeen::Known(Box::new(act)),
        Err(error) => ActSeen::NoAuthority(error),
    })
}
