//! Whether two files, or all files of two directories, are the same byte for byte, read side by side.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

/// Bytes of a file that are compared at a time.
const READ_BYTES: usize = 64 << 10;

/// Whether two files have the same bytes.
pub(super) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let [mut one, mut other] = [one, other].map(|file| BufReader::with_capacity(READ_BYTES, file));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let both = left.len().min(right.len());
        if both == 0 {
            return Ok(left.len() == right.len());
        }
        if left.get(..both) != right.get(..both) {
            return Ok(false);
        }
        one.consume(both);
        other.consume(both);
    }
}

/// Whether two directories hold the same files.
pub(super) fn is_same_dir(one: &Path, other: &Path) -> io::Result<bool> {
    let names = names(one)?;
    if names != self::names(other)? {
        return Ok(false);
    }
    names.iter().try_fold(true, |same, name| Ok(same && is_same(&one.join(name), &other.join(name))?))
}

fn names(dir: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
}
