//! Names: of sources and classes, and of the files that acts speak of.

/// Whether a text may name a source, a kind or a class: `[a-z0-9][a-z0-9._-]{0,62}`. Such a name is
/// safe in a path, a header and a terminal.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let lower = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match text.as_bytes() {
        [first, rest @ ..] => lower(first) && rest.len() <= 62 && rest.iter().all(|b| lower(b) || matches!(b, b'.' | b'_' | b'-')),
        [] => false,
    }
}

/// Whether a text is the id of an API key: `k_` and 16 lower-case hexadecimal digits.
pub(super) fn is_key_id(text: &str) -> bool {
    text.strip_prefix("k_").is_some_and(|hex| tlog::canonical::from_hex_exact::<8>(hex).is_ok())
}

/// `payload/<first index, 20 digits>-<count>-c<class>-g<generation>.parquet`
#[must_use]
pub fn payload_file_name(first: u64, count: u64, class: u16, generation: u32) -> String {
    format!("payload/{first:020}-{count}-c{class}-g{generation}.parquet")
}

/// `segments/NNNNNN-<count>.leaves`: the unsealed prefix of a segment.
#[must_use]
pub fn leaves_prefix_name(segment: u64, count: u64) -> String {
    format!("segments/{segment:06}-{count}.leaves")
}

/// `ids/<first index, 20 digits>-<count>.ids`
#[must_use]
pub fn ids_file_name(first: u64, count: u64) -> String {
    format!("ids/{first:020}-{count}.ids")
}

/// A sealed segment's `segments/NNNNNN.leaves` and `segments/NNNNNN.tile`.
#[must_use]
pub fn seal_file_names(segment: u64) -> [String; 2] {
    [format!("segments/{segment:06}.leaves"), format!("segments/{segment:06}.tile")]
}

/// Segment and count of a name that [`leaves_prefix_name`] wrote.
pub(super) fn parse_leaves_prefix_name(name: &str) -> Option<(u64, u64)> {
    let (segment, count) = name.strip_prefix("segments/")?.strip_suffix(".leaves")?.split_once('-')?;
    let (segment, count) = (segment.parse().ok()?, count.parse().ok()?);
    (leaves_prefix_name(segment, count) == name).then_some((segment, count))
}
