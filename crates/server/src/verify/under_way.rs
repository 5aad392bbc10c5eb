//! Files that a running server has made and not yet recorded.
//!
//! A file is published before the act that names it, so beside a running server there may always be
//! some that no act names yet; how long depends on how busy the machine is. They are told from
//! leftovers by what they claim to hold: only what no recorded file holds yet.

use crate::store::leaves_file::{SegmentFile, parse_name};
use crate::store::media::{TEMPORARY_SUFFIX, parent};
use crate::store::payload_file::parse_payload_name;

use super::{checkpoints, ids};

/// How far the recorded files reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    /// Sealed segments.
    pub sealed: u64,
    /// Leaves in a segment.
    pub segment_leaves: u64,
    /// Indexes below this stand in recorded payload files.
    pub stands_to: u64,
}

impl Recorded {
    /// Whether the server may be about to record `path`, relative to the trail's directory, or to
    /// remove it because a new act replaced it.
    pub fn may_be_followed_by(&self, path: &str) -> bool {
        if path.ends_with(TEMPORARY_SUFFIX) {
            return true;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        match parent(path) {
            "payload" => parse_payload_name(name).is_some_and(|name| name.first >= self.stands_to),
            "ids" => ids::first_of(name).is_some_and(|first| first >= self.stands_to),
            "segments" => match parse_name(name) {
                Some(SegmentFile::Leaves(segment) | SegmentFile::Tile(segment)) => segment >= self.sealed,
                // One that was just replaced is removed after the act that replaced it.
                Some(SegmentFile::Prefix { segment, .. }) => segment.saturating_add(1) >= self.sealed,
                None => false,
            },
            _ => checkpoints::kept_size(path).is_some_and(|size| size > self.sealed.saturating_mul(self.segment_leaves)),
        }
    }
}

#[cfg(test)]
mod tests {
    use evidence::act::{ids_file_name, leaves_prefix_name, payload_file_name, seal_file_names};

    use super::*;

    #[test]
    fn only_what_no_recorded_file_holds_is_under_way() {
        let recorded = Recorded { sealed: 2, segment_leaves: 256, stands_to: 600 };
        let kept = |size: u64| format!("checkpoints/{size}/{}", "ab".repeat(32));
        let under_way = [
            payload_file_name(600, 168, 1, 0),
            ids_file_name(600, 168),
            leaves_prefix_name(2, 88),
            leaves_prefix_name(1, 88),
            seal_file_names(2)[0].clone(),
            seal_file_names(2)[1].clone(),
            kept(768),
            "checkpoint.0.tmp".into(),
        ];
        for path in under_way {
            assert!(recorded.may_be_followed_by(&path), "{path}");
        }
        let leftover = [
            payload_file_name(599, 168, 1, 0),
            payload_file_name(0, 256, 1, 0),
            ids_file_name(0, 256),
            leaves_prefix_name(0, 88),
            seal_file_names(1)[0].clone(),
            seal_file_names(1)[1].clone(),
            kept(512),
            "payload/x.parquet".into(),
            "ids/x".into(),
            "segments/x".into(),
            "notes.txt".into(),
        ];
        for path in leftover {
            assert!(!recorded.may_be_followed_by(&path), "{path}");
        }
    }
}
