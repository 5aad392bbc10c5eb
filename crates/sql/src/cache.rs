//! Files of a server's lake, kept on this machine for the next query. Only those that are not there yet are fetched.
//!
//! ```text
//! CACHE/<log>/<first>-<count>-c<class>-g<generation>.<checksum>.parquet      whole, as the server made it
//!             _<process>.tmp                                                 being fetched
//! ```
//! They hold what the log holds: the directory is the user's alone, and what the server no longer has is removed.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible::cli::failure::Failure;
use indelible::cli::server::Server;
use indelible::search::lake::{Listed, Listing};

use crate::files::{Files, Wanted};

/// How long a server may say nothing while it sends a file.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the server is asked anew for what it has, when it made a file again meanwhile, and for a file, when it is busy.
const TRIES: u32 = 5;
/// Bytes read at a time.
const PIECE_BYTES: usize = 256 << 10;
/// A file that is being fetched is no older: one that is was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Why a file was not fetched.
enum NotFetched {
    /// The server has made it again.
    Gone,
    Failed(Failure),
}

/// Fetches what is missing of a server's lake, and opens all of it.
///
/// # Errors
/// The server does not give it, or it cannot be kept.
pub fn open(server: &Server, cache: Option<&Path>) -> Result<(Listing, Files), Failure> {
    let cache = cache.map_or_else(default_directory, |cache| Ok(cache.to_owned()))?;
    let mut tries = 1;
    loop {
        let listing: Listing = serde_json::from_slice(&server.fetch("/v1/lake")?.body)
            .map_err(Failure::at("the server's answer is no list of its lake: it may be of another version"))?;
        let dir = own_directory(&cache, &listing.origin)?;
        match fetch_missing(server, &dir, &listing) {
            Ok(()) => {
                let wanted =
                    listing.files.iter().map(|file| Wanted { name: &file.name, path: dir.join(kept_name(file)), bytes: file.bytes });
                let files = Files::open(wanted)?;
                remove_others(&dir, &listing);
                return Ok((listing, files));
            }
            Err(NotFetched::Failed(why)) => return Err(why),
            Err(NotFetched::Gone) if tries == TRIES => {
                return Err(Failure::new("the server makes its lake again faster than it can be fetched: ask once more in a minute"));
            }
            Err(NotFetched::Gone) => tries += 1,
        }
    }
}

fn default_directory() -> Result<PathBuf, Failure> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    cache
        .map(|cache| cache.join("indelible/lake"))
        .ok_or_else(|| Failure::new("nobody says where your cache directory is: give --cache DIR"))
}

/// The directory of one log, which nobody else may look into.
fn own_directory(cache: &Path, origin: &str) -> Result<PathBuf, Failure> {
    let hash = tlog::canonical::hex(&tlog::sha256(&[origin.as_bytes()]));
    let dir = cache.join(hash.get(..16).unwrap_or(&hash));
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(Failure::at(dir.display()))?;
    let there = fs::symlink_metadata(&dir).map_err(Failure::at(dir.display()))?;
    let own = there.is_dir() && there.uid() == rustix::process::geteuid().as_raw() && there.mode() & 0o077 == 0;
    let open = || {
        Failure::new(format!(
            "{} is open to others than you: it holds what the log holds; chmod 700 it, or give another --cache",
            dir.display()
        ))
    };
    own.then_some(()).ok_or_else(open)?;
    Ok(dir)
}

/// A file that was made again has another name here: a copy that is being read never changes.
fn kept_name(file: &Listed) -> String {
    format!("{}.{:08x}.parquet", file.name.trim_end_matches(".parquet"), file.crc32c)
}

fn fetch_missing(server: &Server, dir: &Path, listing: &Listing) -> Result<(), NotFetched> {
    // Names become paths: what a lake's file is not called is not fetched.
    let strange = |file: &&Listed| !file.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if let Some(file) = listing.files.iter().find(strange) {
        return Err(NotFetched::Failed(Failure::new(format!(
            "the server's lake has a file called {:?}, which is no name of one",
            file.name
        ))));
    }
    let is_kept = |file: &&Listed| fs::metadata(dir.join(kept_name(file))).is_ok_and(|there| there.len() == file.bytes);
    let missing: Vec<_> = listing.files.iter().filter(|file| !is_kept(file)).collect();
    if !missing.is_empty() {
        let bytes: u64 = missing.iter().map(|file| file.bytes).sum();
        eprintln!("fetching {} of {} files of the lake, {bytes} bytes", missing.len(), listing.files.len());
    }
    missing.into_iter().try_for_each(|file| fetch(server, dir, file))
}

/// Fetches one file; it appears under its name when it is whole.
fn fetch(server: &Server, dir: &Path, file: &Listed) -> Result<(), NotFetched> {
    let asked = format!("/v1/lake/{}", file.name);
    let mut tries = 1;
    let mut body = loop {
        match server.stream(&asked, &[], SILENCE).map_err(|why| NotFetched::Failed(server.unreachable(&why)))? {
            Ok(body) => break body,
            Err(said) if said.status == 404 => return Err(NotFetched::Gone),
            Err(said) if said.status == 429 && tries < TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_secs(said.retry_after.unwrap_or(1)));
            }
            Err(said) => {
                return Err(NotFetched::Failed(said.success(&format!("GET {asked}")).err().unwrap_or_else(|| Failure::new("no answer"))));
            }
        }
    };
    let temporary = dir.join(format!("_{}.tmp", std::process::id()));
    let kept = |why: std::io::Error| NotFetched::Failed(Failure::at(temporary.display())(why));
    let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(kept)?;
    let (mut piece, mut bytes, mut sum) = (vec![0; PIECE_BYTES], 0, 0);
    loop {
        let read = body.read(&mut piece).map_err(|why| NotFetched::Failed(Failure::at(format!("GET {asked} broke off"))(why)))?;
        let Some(part) = piece.get(..read).filter(|part| !part.is_empty()) else { break };
        (bytes, sum) = (bytes + read as u64, crc32c::crc32c_append(sum, part));
        if bytes > file.bytes {
            break;
        }
        out.write_all(part).map_err(kept)?;
    }
    if (bytes, sum) != (file.bytes, file.crc32c) {
        // Made again between the list and the answer; or changed on its way, which the next try shows.
        let _ = fs::remove_file(&temporary);
        return Err(NotFetched::Gone);
    }
    fs::rename(&temporary, dir.join(kept_name(file))).map_err(kept)
}

/// Removes what the server no longer has: erased entries must not live on here.
fn remove_others(dir: &Path, listing: &Listing) {
    let wanted: BTreeSet<_> = listing.files.iter().map(kept_name).collect();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_old = || entry.metadata().and_then(|there| there.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_BEHIND));
        if (name.ends_with(".parquet") && !wanted.contains(&name)) || (name.ends_with(".tmp") && is_old()) {
            // It is tried again with the next query.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn each_log_has_a_directory_of_its_own_that_nobody_else_looks_into() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("a/b");
        let one = own_directory(&cache, "log/one").unwrap();
        assert_ne!(one, own_directory(&cache, "log/two").unwrap());
        assert_eq!(fs::metadata(&one).unwrap().mode() & 0o777, 0o700);
        assert_eq!(own_directory(&cache, "log/one").unwrap(), one);
        fs::set_permissions(&one, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(own_directory(&cache, "log/one").unwrap_err().to_string().contains("chmod 700"));
    }
}
