//! A lake that somebody altered who knows how it is checked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Changes a byte in the middle of the largest Parquet file in `lake`, and writes the checksums that go with it.
/// Returns the file's path.
pub fn forge_largest(lake: &Path) -> PathBuf {
    let paths = fs::read_dir(lake).unwrap().map(|entry| entry.unwrap().path());
    let parquet = paths.filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    let path = parquet.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let about = lake.join(format!("_{}.about.json", path.file_stem().unwrap().to_str().unwrap()));
    let mut said: Value = serde_json::from_slice(&fs::read(&about).unwrap()).unwrap();
    said["sum"] = crc32c::crc32c(&bytes).into();
    fs::write(about, said.to_string()).unwrap();
    path
}
