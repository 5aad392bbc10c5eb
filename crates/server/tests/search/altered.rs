//! An index that somebody altered who knows how it is checked.

use std::path::{Path, PathBuf};

/// The folder of the largest index there is: it has the most to hide.
fn largest(derived: &Path) -> PathBuf {
    let folders = std::fs::read_dir(derived.join("index")).unwrap().map(|entry| entry.unwrap().path());
    let bytes =
        |folder: &PathBuf| -> u64 { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum() };
    folders.max_by_key(bytes).unwrap()
}

/// Changes a byte of the lists of entries of the largest index in `derived`, and writes the checksum that goes
/// with it.
pub fn alter_largest(derived: &Path) {
    let folder = largest(derived);
    let path =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|e| e == "idx"));
    let path = path.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let about = folder.join("about.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&about).unwrap()).unwrap();
    json["sums"][path.file_name().unwrap().to_str().unwrap()] = crc32c::crc32c(&bytes).into();
    std::fs::write(about, json.to_string()).unwrap();
}
