//! Files of the id window. No leaf covers them, so they rest on the SHA-256 in their act, which is
//! always compared: an altered one could make the log take a new event for a retry.

use evidence::act::{IdsFile, ids_file_name};

use super::Run;
use super::report::{Finding, Verdict};
use crate::store::ids_file;

pub(super) fn check(run: &Run<'_>, file: &IdsFile) -> Option<Finding> {
    let (verdict, text) = read(run, file).err()?;
    let path = file.name();
    Some(Finding::new(verdict, text).in_file(path).within(file.first, file.end(), None))
}

/// The first index that a file of this name covers; `None` when no act could name it so.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let (first, count) = name.strip_suffix(".ids")?.split_once('-')?;
    let (first, count) = (first.parse().ok()?, count.parse().ok()?);
    (ids_file_name(first, count).strip_prefix("ids/") == Some(name)).then_some(first)
}

fn read(run: &Run<'_>, file: &IdsFile) -> Result<(), (Verdict, String)> {
    let bytes = run.read(&file.name())?;
    let tampered = |why: String| (Verdict::Tampered, why);
    if tlog::sha256(&[&bytes]) != file.sha256 {
        return Err(tampered("its SHA-256 is not the recorded one; ids seen in this range are not known".into()));
    }
    let ids = ids_file::parse(&bytes).map_err(|why| tampered(why.to_string()))?;
    if (ids.first, ids.count) == (file.first, file.count) {
        return Ok(());
    }
    Err(tampered("it says another range of itself than its name does".into()))
}
