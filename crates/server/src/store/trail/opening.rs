//! What is examined before a trail opens: its key, its files, and the checkpoints that are known.

use evidence::act::KeptCheckpoint;
use evidence::fold::TrailState;
use tlog::{TreeSize, VerifierKey};

use super::TrailOptions;
use crate::log::genesis::first_chunk;
use crate::log::planted::{Bug, planted};
use crate::store::keys::{self, KeyError, KeyPairOnDisk, StoredKey};
use crate::store::layout;
use crate::store::media::{Media, TEMPORARY_SUFFIX, join, parent};
use crate::store::nodes::{TailView, TreeNodes};
use crate::store::read::ReadError;
use crate::store::recover::{RecoverError, Recovered, open_note};
use crate::store::wal::{Examined, WalError};

/// Why a trail does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The medium failed.
    #[error("{path}: {error}")]
    Io {
        /// Which file or directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trail is damaged.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The write-ahead log cannot be taken over.
    #[error("write-ahead log: {0}")]
    Wal(#[from] WalError),
    /// No signing key on disk is the one that the acts name.
    #[error(
        "no signing key in keys/ is {vkey}, the one in force: without it nothing can be appended to this trail; \
         restore keys/signing.key from a backup (what its loss means: docs/OPERATE.md, 'A lost signing key')"
    )]
    KeyLost {
        /// The key in force.
        vkey: String,
    },
    /// A known checkpoint is not extended by what is here.
    #[error(
        "this directory holds {size} entries, which do not extend the checkpoint of {known} entries in {path}: it was rolled back or altered; restore a newer copy"
    )]
    Behind {
        /// Size here.
        size: u64,
        /// Size of the known checkpoint.
        known: u64,
        /// Where the known checkpoint was read.
        path: String,
    },
    /// A known checkpoint cannot be read.
    #[error("the checkpoint in {path} does not hold: {why}")]
    Checkpoint {
        /// Where it was read.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A registered file is gone or has another length.
    #[error("{path} is recorded with {bytes} bytes, but {found}; run `indelible verify`, then restore it from a backup")]
    FileGone {
        /// Which file.
        path: String,
        /// Recorded length.
        bytes: u64,
        /// What was found.
        found: String,
    },
    /// Randomness failed.
    #[error(transparent)]
    Random(#[from] crate::clock::NoRandomness),
    /// A proof node cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Makes the first chunk of a trail that has none. A crash in between leaves a key without a
/// trail, which the next start takes up, or a whole trail of one entry.
pub(super) fn begin(media: &dyn Media, examined: Examined, keys: KeyPairOnDisk, options: &TrailOptions) -> Result<(), OpenError> {
    let key = match keys.current {
        Some(key) => key,
        None => {
            let key = StoredKey::draw(options.origin.as_deref(), &options.trail)?;
            key.write(media, layout::SIGNING_KEY, &options.directory)?;
            key
        }
    };
    let chunk = first_chunk(&options.trail, key.signer.key(), options.segment_leaves, options.clock.now_ms())?;
    let (mut wal, _) = examined.accept()?;
    wal.append(&[&chunk])?;
    Ok(())
}

/// Keys that ever signed this trail.
fn known_keys(state: &TrailState) -> Vec<VerifierKey> {
    let mut keys: Vec<_> = state.rotations.iter().map(|rotation| rotation.old.clone()).collect();
    keys.push(state.vkey.clone());
    keys
}

/// The key that the fold names, finishing a rotation that a crash cut short.
pub(super) fn signing_key(media: &dyn Media, keys: KeyPairOnDisk, recovered: &Recovered) -> Result<StoredKey, OpenError> {
    let vkey = &recovered.core.state.vkey;
    match (keys.current, keys.next) {
        (Some(key), _) if key.signer.key() == vkey => Ok(key),
        (old, Some(key)) if key.signer.key() == vkey => {
            finish_rotation(media, recovered, old.as_ref())?;
            keys::promote_next(media)?;
            Ok(key)
        }
        _ => Err(OpenError::KeyLost { vkey: vkey.to_string() }),
    }
}

/// The old key's last checkpoint, through the rotation act, is kept before the new key signs.
fn finish_rotation(media: &dyn Media, recovered: &Recovered, old: Option<&StoredKey>) -> Result<(), OpenError> {
    let Some(index) = recovered.core.state.rotations.last().map(|rotation| rotation.index) else { return Ok(()) };
    let size = index + 1;
    if kept_checkpoint(media, size)?.is_some() {
        return Ok(());
    }
    let Some(old) = old else { return Ok(()) };
    let nodes = TreeNodes::new(media, TailView::Owned(&recovered.tail), recovered.core.state.segment_leaves);
    let root = tlog::prove::root_at(&nodes, TreeSize(size))
        .map_err(|why| OpenError::Checkpoint { path: layout::CHECKPOINTS.into(), why: why.to_string() })?;
    let note = old.signer.checkpoint(size, root);
    let path = KeptCheckpoint { size, sha256: tlog::sha256(&[note.as_bytes()]) }.name();
    let put = media.create_dir_all(parent(&path)).and_then(|()| media.put(&path, note.as_bytes()));
    put.map_err(|error| OpenError::Io { path, error })
}

/// A checkpoint kept for exactly this size.
pub(super) fn kept_checkpoint(media: &dyn Media, size: u64) -> Result<Option<String>, OpenError> {
    let dir = format!("{}/{size}", layout::CHECKPOINTS);
    let failed = |error| OpenError::Io { path: dir.clone(), error };
    if !media.exists(&dir).map_err(failed)? {
        return Ok(None);
    }
    let names = media.list(&dir).map_err(failed)?;
    let Some(name) = names.iter().find(|name| !name.ends_with(TEMPORARY_SUFFIX)) else { return Ok(None) };
    let bytes = media.read(&join(&dir, name)).map_err(failed)?;
    Ok(String::from_utf8(bytes).ok())
}

/// The signed note for the recovered tree. After a rotation it is the old key's last one; else the
/// key in force signs: every chunk below is durable, so no second history can come of it.
pub(super) fn recovered_note(media: &dyn Media, recovered: &Recovered, key: &StoredKey) -> Result<String, OpenError> {
    let size = recovered.core.size();
    if recovered.core.state.rotations.last().is_some_and(|rotation| rotation.index + 1 == size)
        && let Some(note) = kept_checkpoint(media, size)?
    {
        return Ok(note);
    }
    Ok(key.signer.checkpoint(size, recovered.core.frontier.root()))
}

/// Every file that an act names is there, with the recorded length. Its bytes are the verifier's business.
pub(super) fn check_files(media: &dyn Media, state: &TrailState) -> Result<(), OpenError> {
    for file in state.payload_files.values() {
        let found = match media.open_read(&file.name()).and_then(|open| open.len()) {
            Ok(bytes) if bytes == file.bytes => continue,
            Ok(bytes) => format!("has {bytes}"),
            Err(error) => error.to_string(),
        };
        return Err(OpenError::FileGone { path: file.name(), bytes: file.bytes, found });
    }
    Ok(())
}

/// The tree extends the checkpoint beside the log and the one the caller knows of.
pub(super) fn check_known_checkpoints(media: &dyn Media, recovered: &Recovered, options: &TrailOptions) -> Result<(), OpenError> {
    let beside = match media.read(layout::CHECKPOINT) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(OpenError::Io { path: layout::CHECKPOINT.into(), error }),
    };
    let told = options.not_before.as_ref().map(|note| ("--not-before".to_owned(), note.clone().into_bytes()));
    let known = beside.map(|bytes| (layout::CHECKPOINT.to_owned(), bytes)).into_iter().chain(told);
    let nodes = TreeNodes::new(media, TailView::Owned(&recovered.tail), recovered.core.state.segment_leaves);
    let keys = known_keys(&recovered.core.state);
    for (path, bytes) in known {
        if planted(Bug::AcceptSmallerTree) {
            continue;
        }
        let unsound = |why: String| OpenError::Checkpoint { path: path.clone(), why };
        let note = String::from_utf8(bytes).map_err(|why| unsound(why.to_string()))?;
        let (known, root) = open_note(&note, &keys).map_err(unsound)?;
        let size = recovered.core.size();
        let extends = known <= size && tlog::prove::root_at(&nodes, TreeSize(known)).is_ok_and(|ours| ours == root);
        if !extends {
            return Err(OpenError::Behind { size, known, path });
        }
    }
    Ok(())
}
