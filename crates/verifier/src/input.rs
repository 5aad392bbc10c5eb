//! Reading what the command line names, within bounds.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use evidence::evidence_file::EVIDENCE_BYTES_MAX;
use tlog::VerifierKey;
use tlog::note::KeyError;

/// The bytes of a file, or of standard input for `-`. One byte more than the longest of them, an evidence
/// file, may have is enough for it to be refused.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = EVIDENCE_BYTES_MAX as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(bytes)
}

/// Why there is no key to check with.
pub enum NoKey {
    /// Neither a key nor a file with one.
    Unusable(String),
    /// It looks like a key, but its id is another key's: altered, and nothing holds under it.
    Altered(String),
}

/// The verifier key, given as text or as a file that has it.
pub fn verifier_key(given: &OsStr) -> Result<VerifierKey, NoKey> {
    let text = given.to_string_lossy();
    match text.trim().parse() {
        Ok(key) => return Ok(key),
        Err(error @ KeyError::Id) => return Err(NoKey::Altered(error.to_string())),
        Err(error) if !Path::new(given).exists() => {
            return Err(NoKey::Unusable(format!("--key is neither a verifier key nor a file: {error}")));
        }
        Err(_) => {}
    }
    let bytes = read(Path::new(given)).map_err(NoKey::Unusable)?;
    let file = String::from_utf8_lossy(&bytes);
    match file.trim().parse() {
        Ok(key) => Ok(key),
        Err(error @ KeyError::Id) => Err(NoKey::Altered(error.to_string())),
        Err(error) => Err(NoKey::Unusable(format!("the file of --key: {error}"))),
    }
}
