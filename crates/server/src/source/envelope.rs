//! Where shippers put the record that they carry.

/// Members in which shippers put the record they carry, tried in this order.
pub(super) const ENVELOPES: [&[&str]; 21] = [
    &["event", "original"],
    &["event"],
    &["message"],
    &["MESSAGE"],
    &["_raw"],
    &["result", "_raw"],
    &["log"],
    &["@message"],
    &["logRecord", "body", "stringValue"],
    &["body"],
    &["data"],
    &["detail"],
    &["record"],
    &["raw"],
    &["line"],
    &["msg"],
    &["properties", "log"],
    &["CloudTrailEvent"],
    &["json"],
    &["payload"],
    &["message", "data"],
];

/// Whether a path as a map writes it is one of them.
pub(super) fn is_envelope(path: &str) -> bool {
    ENVELOPES.iter().any(|way| path.split('.').eq(way.iter().copied()))
}
