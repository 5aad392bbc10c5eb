//! Where things lie below a trail's directory. Names that carry numbers are made and parsed by the
//! file that owns the format.

/// Directory of a trail below the data directory.
#[must_use]
pub fn trail_dir(trail: &str) -> String {
    format!("trails/{trail}")
}

/// Secrets, 0600.
pub const KEYS: &str = "keys";
/// The signing key in force.
pub const SIGNING_KEY: &str = "keys/signing.key";
/// The next signing key, between its making and the rotation act.
pub const NEXT_SIGNING_KEY: &str = "keys/signing.next.key";
/// The key of the id window.
pub const IDS_KEY: &str = "keys/ids.key";
/// The newest checkpoint, synced at least every second.
pub const CHECKPOINT: &str = "checkpoint";
/// Write-ahead files.
pub const WAL: &str = "wal";
/// Leaves and tiles.
pub const SEGMENTS: &str = "segments";
/// Payload files.
pub const PAYLOAD: &str = "payload";
/// Files of the id window.
pub const IDS: &str = "ids";
/// Kept checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// All directories of a trail.
pub const DIRECTORIES: [&str; 6] = [KEYS, WAL, SEGMENTS, PAYLOAD, IDS, CHECKPOINTS];
