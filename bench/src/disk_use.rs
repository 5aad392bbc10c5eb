//! Bytes a directory takes on disk, as `du` counts them: allocated blocks, not lengths.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a directory takes, by the folder right below `root` (files there count as `.`).
#[derive(Debug, Default)]
pub struct DiskUse {
    /// Allocated bytes by folder.
    pub folders: BTreeMap<String, u64>,
}

impl DiskUse {
    /// Adds up everything below `root`.
    ///
    /// # Errors
    /// When something below it cannot be read.
    pub fn below(root: &Path) -> Result<Self, Failure> {
        let mut total = Self::default();
        total.add(root, root)?;
        Ok(total)
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.folders.values().sum()
    }

    fn add(&mut self, root: &Path, dir: &Path) -> Result<(), Failure> {
        let what = || format!("read directory {}", dir.display());
        for entry in std::fs::read_dir(dir).map_err(Failure::io(what()))? {
            let entry = entry.map_err(Failure::io(what()))?;
            let path = entry.path();
            let meta = entry.metadata().map_err(Failure::io(format!("look at {}", path.display())))?;
            if meta.is_dir() {
                self.add(root, &path)?;
            }
            let below = path.strip_prefix(root).unwrap_or(&path);
            let folder = match below.components().count() {
                0 | 1 if !meta.is_dir() => ".".to_owned(),
                _ => below.components().next().map_or_else(|| ".".to_owned(), |first| first.as_os_str().to_string_lossy().into_owned()),
            };
            // st_blocks counts 512-byte units whatever the file system's block is (stat(2)).
            *self.folders.entry(folder).or_default() += meta.blocks() * 512;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn files_count_for_the_folder_they_are_in() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("wal/deep")).unwrap();
        std::fs::write(dir.path().join("wal/deep/one"), vec![1; 100_000]).unwrap();
        std::fs::write(dir.path().join("top"), vec![1; 10_000]).unwrap();
        let disk = DiskUse::below(dir.path()).unwrap();
        assert!(disk.folders["wal"] >= 100_000);
        assert!(disk.folders["."] >= 10_000);
        assert_eq!(disk.bytes(), disk.folders["wal"] + disk.folders["."]);
    }
}
