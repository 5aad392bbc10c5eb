//! The id window on disk: ids of entries whose chunks are gone.
//!
//! ```text
//! file   = "IDLI" | version u16 = 1 | first u64 | count u64 | records u32 | record…
//! record = id MAC [12] | index u64 | raw MAC [8]
//! ```
//! Integers are big-endian; records stand in the order of their indexes, which lie in
//! `[first, first + count)`. Kept apart from payloads: an erased event is not entered again by a
//! retry, although nothing of it is left.

const MAGIC: [u8; 4] = *b"IDLI";
const VERSION: [u8; 2] = 1_u16.to_be_bytes();
const HEADER_BYTES: usize = 4 + 2 + 8 + 8 + 4;
const RECORD_BYTES: usize = 12 + 8 + 8;

/// One id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRecord {
    /// Keyed hash of namespace, source and id.
    pub id_mac: [u8; 12],
    /// Where its entry stands.
    pub index: u64,
    /// Keyed hash of the raw bytes.
    pub raw_mac: [u8; 8],
}

/// Ids of a range of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdsOfRange {
    /// First index of the range.
    pub first: u64,
    /// Entries in the range.
    pub count: u64,
    /// Those with an id.
    pub records: Vec<IdRecord>,
}

/// Why bytes are not an id file of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdsError {
    /// Another magic or version.
    #[error("not an id file of version 1")]
    Format,
    /// Too long or too short for its records.
    #[error("the id file's length is not that of its records")]
    Length,
    /// Indexes out of order or out of range.
    #[error("the id file's record {0} lies outside its range or out of order")]
    Order(usize),
}

/// The file for these records, which stand in the order of their indexes.
#[must_use]
pub fn encode(first: u64, count: u64, records: &[IdRecord]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + records.len() * RECORD_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&u32::try_from(records.len()).unwrap_or(u32::MAX).to_be_bytes());
    for record in records {
        out.extend_from_slice(&record.id_mac);
        out.extend_from_slice(&record.index.to_be_bytes());
        out.extend_from_slice(&record.raw_mac);
    }
    out
}

/// Reads a file.
///
/// # Errors
/// [`IdsError`].
pub fn parse(bytes: &[u8]) -> Result<IdsOfRange, IdsError> {
    let rest = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.strip_prefix(&VERSION)).ok_or(IdsError::Format)?;
    let (first, rest) = rest.split_first_chunk().ok_or(IdsError::Length)?;
    let (count, rest) = rest.split_first_chunk().ok_or(IdsError::Length)?;
    let (number, rest) = rest.split_first_chunk().ok_or(IdsError::Length)?;
    let (first, count) = (u64::from_be_bytes(*first), u64::from_be_bytes(*count));
    if rest.len() != u32::from_be_bytes(*number) as usize * RECORD_BYTES {
        return Err(IdsError::Length);
    }
    let mut records = Vec::with_capacity(rest.len() / RECORD_BYTES);
    let mut next = first;
    for (position, record) in rest.chunks_exact(RECORD_BYTES).enumerate() {
        let record = read_record(record).ok_or(IdsError::Length)?;
        if record.index < next || record.index - first >= count {
            return Err(IdsError::Order(position));
        }
        next = record.index + 1;
        records.push(record);
    }
    Ok(IdsOfRange { first, count, records })
}

fn read_record(bytes: &[u8]) -> Option<IdRecord> {
    let (id_mac, rest) = bytes.split_first_chunk()?;
    let (index, rest) = rest.split_first_chunk()?;
    let raw_mac = rest.try_into().ok()?;
    Some(IdRecord { id_mac: *id_mac, index: u64::from_be_bytes(*index), raw_mac })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    fn record(index: u64) -> IdRecord {
        IdRecord { id_mac: [1; 12], index, raw_mac: [2; 8] }
    }

    #[test]
    fn ids_come_back_and_are_refused_out_of_order_or_range() {
        let records = [record(300), record(302)];
        let bytes = encode(256, 100, &records);
        assert_eq!(bytes.len(), 26 + 2 * 28);
        assert_eq!(parse(&bytes).unwrap(), IdsOfRange { first: 256, count: 100, records: records.to_vec() });
        assert_eq!(parse(&encode(256, 100, &[record(302), record(300)])), Err(IdsError::Order(1)));
        assert_eq!(parse(&encode(256, 10, &[record(300)])), Err(IdsError::Order(0)));
        assert_eq!(parse(&bytes[..bytes.len() - 1]), Err(IdsError::Length));
        assert_eq!(parse(b"IDLI\0\x02"), Err(IdsError::Format));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[&MAGIC[..], &VERSION, &bytes].concat());
        }
    }
}
