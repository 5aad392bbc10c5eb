//! Files in the fold: payload files, leaves, ids, and the seals that make a segment permanent.

use std::collections::BTreeMap;

use super::{FoldError, TrailState};
use crate::act::{IdsFile, LeavesPrefix, PayloadAct, PayloadFile, SealAct};

impl TrailState {
    pub(super) fn payload(&mut self, index: u64, act: &PayloadAct) -> Result<(), FoldError> {
        let mut files = BTreeMap::new();
        for file in &act.files {
            let refuse = |why| Err(FoldError::Range { name: file.name(), why });
            if file.class != 0 && !self.classes.contains_key(&file.class) {
                return refuse("is of a class that does not exist");
            }
            if file.end() > index {
                return refuse("reaches past the act that records it");
            }
            if file.first / self.segment_leaves != file.end().saturating_sub(1) / self.segment_leaves {
                return refuse("reaches from one segment into the next");
            }
            if overlaps(&self.payload_files, file) || overlaps(&files, file) {
                return refuse("overlaps another file of its class");
            }
            files.insert((file.class, file.first), file.clone());
        }
        if let Some(prefix) = &act.leaves {
            self.check_leaves_prefix(index, prefix)?;
        }
        if let Some(ids) = &act.ids {
            self.check_ids(index, ids)?;
        }
        self.payload_files.append(&mut files);
        if let Some(prefix) = &act.leaves {
            self.leaves_prefix = Some(prefix.clone());
        }
        self.ids_files.extend(act.ids.clone());
        Ok(())
    }

    fn check_leaves_prefix(&self, index: u64, prefix: &LeavesPrefix) -> Result<(), FoldError> {
        let refuse = |why| Err(FoldError::Range { name: prefix.name(), why });
        if prefix.segment != self.seals.len() as u64 {
            return refuse("is not of the first segment that is unsealed");
        }
        if prefix.count >= self.segment_leaves || self.sealed_end().saturating_add(prefix.count) > index {
            return refuse("reaches past its segment or the act that records it");
        }
        if self.leaves_prefix.as_ref().is_some_and(|earlier| earlier.count >= prefix.count) {
            return refuse("is no longer than the one before it");
        }
        Ok(())
    }

    fn check_ids(&self, index: u64, ids: &IdsFile) -> Result<(), FoldError> {
        let refuse = |why| Err(FoldError::Range { name: ids.name(), why });
        if ids.end() > index {
            return refuse("reaches past the act that records it");
        }
        if self.ids_files.last().is_some_and(|last| ids.first < last.end()) {
            return refuse("does not lie behind the one before it");
        }
        Ok(())
    }

    pub(super) fn seal(&mut self, index: u64, seal: &SealAct) -> Result<(), FoldError> {
        let refuse = |why| Err(FoldError::Seal { segment: seal.segment, why });
        if seal.segment != self.seals.len() as u64 {
            return refuse("does not follow the last one");
        }
        let end = self.sealed_end().saturating_add(self.segment_leaves);
        if index < end {
            return refuse("stands inside the segment it seals");
        }
        if !(end..=index).contains(&seal.checkpoint.size) {
            return refuse("names a checkpoint that does not cover the segment, or one from after the seal");
        }
        let last_act = self.recent_acts.range(..end).next_back().copied();
        if seal.last_act != last_act {
            return refuse("names another act as the last below the segment's end");
        }
        // Later seals look for acts below later ends: of the earlier ones only the last can matter.
        if let Some(last_act) = last_act {
            self.recent_acts = self.recent_acts.split_off(&last_act);
        }
        self.leaves_prefix = None;
        self.seals.push(seal.clone());
        Ok(())
    }
}

fn overlaps(files: &BTreeMap<(u16, u64), PayloadFile>, file: &PayloadFile) -> bool {
    // Files so far do not overlap, so the last that begins before the end reaches furthest.
    files.range((file.class, 0)..(file.class, file.end())).next_back().is_some_and(|(_, before)| before.end() > file.first)
}
