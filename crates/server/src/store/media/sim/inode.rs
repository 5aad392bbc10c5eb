//! One file of the simulated disk, in all the states that a power cut could leave it in.

use std::collections::BTreeMap;

use super::SECTOR;

type Sector = Box<[u8; SECTOR]>;

/// One file: what reads show, what a power cut leaves, and every unsynced state between.
#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) cache: Vec<u8>,
    pub(super) platter: Vec<u8>,
    pub(super) dirty: BTreeMap<usize, Vec<Sector>>,
    pub(super) lengths: Vec<usize>,
}

impl Inode {
    pub(super) fn write(&mut self, bytes: &[u8], at: usize) {
        let end = at.saturating_add(bytes.len());
        if end > self.cache.len() {
            self.cache.resize(end, 0);
            self.lengths.push(end);
        }
        if let Some(target) = self.cache.get_mut(at..end) {
            target.copy_from_slice(bytes);
        }
        for sector in at / SECTOR..end.div_ceil(SECTOR) {
            let version = self.cached_sector(sector);
            self.dirty.entry(sector).or_default().push(version);
        }
    }

    pub(super) fn set_len(&mut self, bytes: usize) {
        self.cache.resize(bytes, 0);
        self.lengths.push(bytes);
        self.dirty.retain(|sector, _| *sector < bytes.div_ceil(SECTOR));
        if !bytes.is_multiple_of(SECTOR) {
            let version = self.cached_sector(bytes / SECTOR);
            self.dirty.entry(bytes / SECTOR).or_default().push(version);
        }
    }

    /// A sector as reads show it, zeros past the end.
    fn cached_sector(&self, sector: usize) -> Sector {
        let mut version = Box::new([0; SECTOR]);
        let shown = self.cache.iter().skip(sector.saturating_mul(SECTOR));
        version.iter_mut().zip(shown).for_each(|(to, from)| *to = *from);
        version
    }

    /// Moves to the platter what `choose` picks: it is given how many versions there are and
    /// answers with one of them, or with that number for none. Nothing is dirty afterwards.
    pub(super) fn settle(&mut self, mut choose: impl FnMut(usize) -> usize) {
        let lengths = std::mem::take(&mut self.lengths);
        if let Some(bytes) = lengths.get(choose(lengths.len())) {
            self.platter.resize(*bytes, 0);
        }
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            let kept = versions.get(choose(versions.len()));
            let at = sector.saturating_mul(SECTOR);
            if let (Some(version), Some(target)) = (kept, self.platter.get_mut(at..)) {
                target.iter_mut().zip(version.iter()).for_each(|(to, from)| *to = *from);
            }
        }
    }

    pub(super) fn settle_all(&mut self) {
        self.settle(|versions| versions.saturating_sub(1));
    }
}
