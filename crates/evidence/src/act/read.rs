//! Reading part 2, strictly: canonical bytes, every member there, of its type, and none besides.

use std::collections::BTreeMap;

use super::connection;
use super::members::Members;
use super::names::{is_key_id, is_name, parse_leaves_prefix_name};
use super::{
    Act, ActError, ActHead, DescribeAct, IdsFile, KeptCheckpoint, KeyAct, LeavesPrefix, PayloadAct, PayloadFile, RotateAct, SEGMENT_LEAVES,
    Scope, SealAct, SourceAct, TrailAct,
};
use crate::canonical_json::{Value, parse_canonical};

/// Reads only what every act says, whether or not this program knows the act: its head and its name.
///
/// # Errors
/// Not canonical JSON, another version, or `act`, `origin` or `prev` missing or ill-typed.
pub fn parse_head(part2: &[u8]) -> Result<(ActHead, String), ActError> {
    take_head(part2).map(|(head, name, _)| (head, name))
}

/// Reads a whole act.
///
/// # Errors
/// As [`parse_head`]; an unknown act; a member too many, missing, ill-typed or out of range.
pub fn parse_part2(part2: &[u8]) -> Result<(ActHead, Act), ActError> {
    let (head, name, mut members) = take_head(part2)?;
    let m = &mut members;
    let act = match name.as_str() {
        "trail" => Act::Trail(trail(m)?),
        "source" => Act::Source(source(m)?),
        "key" => Act::Key(key(m)?),
        "key_revoked" => Act::KeyRevoked { id: m.text_if("id", is_key_id)? },
        "public" => Act::Public { public: m.bool("public")? },
        "rotate" => Act::Rotate(rotate(m)?),
        "payload" => Act::Payload(payload(m)?),
        "seal" => Act::Seal(seal(m)?),
        "describe" => Act::Describe(describe(m)?),
        "connection" => Act::Connection(connection::read(m)?),
        "connection_removed" => Act::ConnectionRemoved { name: m.text_if("name", is_name)? },
        _ => return Err(ActError::Unknown { name, head }),
    };
    members.finish()?;
    Ok((head, act))
}

fn take_head(part2: &[u8]) -> Result<(ActHead, String, Members), ActError> {
    let mut members = Members::of(parse_canonical(part2)?)?;
    match members.integer("v")? {
        1 => {}
        other => return Err(ActError::Version(other)),
    }
    let name = members.text("act")?;
    let head = ActHead { origin: members.text("origin")?, prev: members.optional_number("prev")? };
    Ok((head, name, members))
}

fn trail(m: &mut Members) -> Result<TrailAct, ActError> {
    const BAD: ActError = ActError::Member("classes");
    let mut classes = BTreeMap::new();
    for (number, name) in Members::of(m.value("classes")?).map_err(|_| BAD)?.into_inner() {
        let Value::String(name) = name else {
            return Err(BAD);
        };
        let number = tlog::canonical::from_decimal(&number).map_err(|_| BAD)?;
        let number = u16::try_from(number).ok().filter(|number| *number != 0).ok_or(BAD)?;
        if !is_name(&name) {
            return Err(BAD);
        }
        classes.insert(number, name);
    }
    if classes.is_empty() {
        return Err(BAD);
    }
    let segment_leaves = m.number("segment_leaves")?;
    if !(1..=SEGMENT_LEAVES).contains(&segment_leaves) {
        return Err(ActError::Member("segment_leaves"));
    }
    Ok(TrailAct { vkey: m.vkey("vkey")?, segment_leaves, classes })
}

fn source(m: &mut Members) -> Result<SourceAct, ActError> {
    Ok(SourceAct { number: source_number(m, "number")?, name: m.text_if("name", is_name)?, kind: m.text_if("kind", is_name)? })
}

fn describe(m: &mut Members) -> Result<DescribeAct, ActError> {
    let heartbeat = m.optional_number("heartbeat_s")?.map(|seconds| u32::try_from(seconds).ok().filter(|seconds| *seconds > 0));
    let heartbeat_s = heartbeat.map(|seconds| seconds.ok_or(ActError::Member("heartbeat_s"))).transpose()?;
    Ok(DescribeAct { number: source_number(m, "number")?, kind: m.text_if("kind", is_name)?, heartbeat_s })
}

fn source_number(m: &mut Members, member: &'static str) -> Result<u32, ActError> {
    match m.number(member)? {
        0 => Err(ActError::Member(member)),
        number => Ok(number),
    }
}

fn key(m: &mut Members) -> Result<KeyAct, ActError> {
    let scopes = m.set("scopes", Scope::from_word)?;
    if scopes.is_empty() {
        return Err(ActError::Member("scopes"));
    }
    Ok(KeyAct {
        id: m.text_if("id", is_key_id)?,
        hash: m.sha256("hash")?,
        scopes,
        sources: m.set("sources", |name| is_name(name).then(|| name.to_owned()))?,
        expires_at: m.optional_number("expires_at")?,
        reset: m.bool("reset")?,
    })
}

fn rotate(m: &mut Members) -> Result<RotateAct, ActError> {
    Ok(RotateAct { old: m.vkey("old")?, new: m.vkey("new")?, sig_old: m.signature("sig_old")?, sig_new: m.signature("sig_new")? })
}

fn payload(m: &mut Members) -> Result<PayloadAct, ActError> {
    let files = m.array("files")?.into_iter().map(|file| payload_file(Members::of(file)?)).collect::<Result<_, _>>()?;
    // Version 1 has no holds; a file under one could be mistaken for one that may go.
    if !m.array("holds")?.is_empty() {
        return Err(ActError::Member("holds"));
    }
    Ok(PayloadAct { files, leaves: m.optional("leaves", leaves_prefix)?, ids: m.optional("ids", ids_file)? })
}

fn payload_file(mut m: Members) -> Result<PayloadFile, ActError> {
    let file = PayloadFile {
        sha256: m.sha256("sha256")?,
        bytes: m.number("bytes")?,
        first: m.number("first")?,
        count: count(&mut m)?,
        class: m.number("class")?,
        generation: m.number("generation")?,
    };
    if m.text("name")? != file.name() {
        return Err(ActError::Member("name"));
    }
    m.finish().map(|()| file)
}

fn leaves_prefix(mut m: Members) -> Result<LeavesPrefix, ActError> {
    let (segment, count) = parse_leaves_prefix_name(&m.text("name")?).filter(|(_, count)| *count > 0).ok_or(ActError::Member("name"))?;
    let prefix = LeavesPrefix { segment, count, sha256: m.sha256("sha256")? };
    m.finish().map(|()| prefix)
}

fn ids_file(mut m: Members) -> Result<IdsFile, ActError> {
    let file = IdsFile { sha256: m.sha256("sha256")?, first: m.number("first")?, count: count(&mut m)? };
    if m.text("name")? != file.name() {
        return Err(ActError::Member("name"));
    }
    m.finish().map(|()| file)
}

fn count(m: &mut Members) -> Result<u64, ActError> {
    match m.number("count")? {
        0 => Err(ActError::Member("count")),
        count => Ok(count),
    }
}

fn seal(m: &mut Members) -> Result<SealAct, ActError> {
    let mut checkpoint = Members::of(m.value("checkpoint")?).map_err(|_| ActError::Member("checkpoint"))?;
    let kept = KeptCheckpoint { size: checkpoint.number("size")?, sha256: checkpoint.sha256("sha256")? };
    checkpoint.finish()?;
    Ok(SealAct {
        segment: m.number("segment")?,
        leaves: m.sha256("leaves")?,
        tile: m.sha256("tile")?,
        checkpoint: kept,
        last_act: m.optional_number("last_act")?,
    })
}
