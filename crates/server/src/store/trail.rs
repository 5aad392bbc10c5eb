//! A trail on a medium, open for reading and writing: recovered, guarded, and kept in order by its
//! threads: the sequencer (owns the log), the sealer (moves entries to files), the keeper (syncs
//! the newest checkpoint, readies and recycles write-ahead files).

mod opening;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::log::intent::ActError;
use crate::log::sequencer::Acted;
use crate::log::shared::View;
use crate::log::window::IdKey;
use crate::log::{Log, Start, records};
use crate::store::keeper::{Keeper, keep_files_ready, write_checkpoint};
use crate::store::keys::{self, KeyError, KeyPairOnDisk, StoredKey};
use crate::store::layout;
use crate::store::leftover;
use crate::store::local::LocalStore;
use crate::store::media::Media;
use crate::store::read::Reader;
use crate::store::recover::{Recovered, recover};
use crate::store::seal::{SealError, SealPolicy, Sealer};
use crate::store::wal::{Spares, TornTail, Wal, WalError, WalLimits};
pub use opening::OpenError;
use opening::{begin, check_files, check_known_checkpoints, kept_checkpoint, recovered_note, signing_key};

/// How much the sealer yields to threads that answer.
const SEALER_NICE: i32 = 10;

/// How a trail is opened.
#[derive(Clone, Debug)]
pub struct TrailOptions {
    /// Trail name.
    pub trail: String,
    /// What the signing key is bound to: the canonical path of the data directory.
    pub directory: String,
    /// Origin for a new trail; `None` draws the default one.
    pub origin: Option<String>,
    /// Leaves a segment for a new trail: a power of two ≥ 256.
    pub segment_leaves: u64,
    /// Sizes of write-ahead files.
    pub wal: WalLimits,
    /// When entries move to files.
    pub seal: SealPolicy,
    /// Wall clock.
    pub clock: Clock,
    /// A signed note the trail must not be behind.
    pub not_before: Option<String>,
    /// Start the sealing and keeping threads. Without them a caller does their work step by step.
    pub threads: bool,
}

impl TrailOptions {
    /// Options for the trail `main` of a data directory whose canonical path is `directory`.
    #[must_use]
    pub fn main(directory: &str) -> Self {
        Self {
            trail: "main".into(),
            directory: directory.to_owned(),
            origin: None,
            segment_leaves: 65_536,
            wal: WalLimits::default(),
            seal: SealPolicy::default(),
            clock: Clock::system(),
            not_before: None,
            threads: true,
        }
    }
}

/// An open trail.
pub struct Trail {
    log: Log,
    reader: Arc<Reader>,
    media: Arc<dyn Media>,
    sealer: Sealer,
    spares: Spares,
    ids: IdKey,
    directory: String,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    helpers: Mutex<Vec<JoinHandle<()>>>,
    stop: Mutex<Option<Sender<()>>>,
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Trail {
    /// Opens the trail below `media`, making it first when nothing is there.
    ///
    /// # Errors
    /// [`OpenError`]; the medium is unchanged unless the trail was sound.
    pub fn open(media: Arc<dyn Media>, options: &TrailOptions) -> Result<Arc<Self>, OpenError> {
        for dir in layout::DIRECTORIES {
            media.create_dir_all(dir).map_err(|error| OpenError::Io { path: dir.into(), error })?;
        }
        let keys = KeyPairOnDisk::read(media.as_ref(), &options.directory)?;
        let examined = Wal::examine(Arc::clone(&media), layout::WAL, options.wal)?;
        let Some(recovered) = recover(media.as_ref(), &examined)? else {
            begin(media.as_ref(), examined, keys, options)?;
            return Self::open(media, options);
        };
        let key = signing_key(media.as_ref(), keys, &recovered)?;
        check_files(media.as_ref(), &recovered.core.state)?;
        check_known_checkpoints(media.as_ref(), &recovered, options)?;

        // From here on the medium is changed: the torn tail goes, the last file is rewritten.
        let (wal, _) = examined.accept()?;
        let removed = leftover::remove(media.as_ref(), &recovered.core.state).map_err(|(path, error)| OpenError::Io { path, error })?;
        let torn = recovered.torn.clone();
        let trail = Self::start(media, wal, recovered, key, options)?;
        trail.record_opening(torn.as_ref(), removed);
        if let Err(why) = trail.sync_checkpoint() {
            warn!(%why, "the newest checkpoint could not be written beside the log; it is tried again");
        }
        Ok(trail)
    }

    fn start(
        media: Arc<dyn Media>,
        wal: Wal,
        recovered: Recovered,
        key: StoredKey,
        options: &TrailOptions,
    ) -> Result<Arc<Self>, OpenError> {
        let ids = IdKey::new(&keys::read_or_draw_ids_key(media.as_ref())?);
        let note = recovered_note(media.as_ref(), &recovered, &key)?;
        let mut recovered = recovered;
        if recovered.core.size().is_multiple_of(recovered.core.state.segment_leaves) {
            // No later chunk carries this note, and the seal to come must name it.
            recovered.tail.keep_end_checkpoint(recovered.core.size(), &note);
        }
        let (wake, woken) = bounded(1);
        let (wal_reader, spares) = (wal.reader(), wal.spares());
        let store = Box::new(LocalStore::new(wal, Arc::clone(&media), wake));
        let (log, sequencer) = Log::start(Start {
            trail: options.trail.clone(),
            core: recovered.core,
            tail: recovered.tail,
            note,
            signer: key.signer,
            store,
            clock: options.clock.clone(),
        })?;
        let reader = Arc::new(Reader::new(Arc::clone(&media), wal_reader.clone(), log.clone()));
        let turn = Arc::default();
        let sealer = |log: Log| Sealer {
            media: Arc::clone(&media),
            wal: wal_reader.clone(),
            log,
            policy: options.seal,
            clock: options.clock.clone(),
            turn: Arc::clone(&turn),
        };
        let trail = Arc::new(Self {
            reader,
            sealer: sealer(log.clone()),
            spares: spares.clone(),
            media: Arc::clone(&media),
            ids,
            directory: options.directory.clone(),
            sequencer: Mutex::new(Some(sequencer)),
            helpers: Mutex::default(),
            stop: Mutex::default(),
            log: log.clone(),
        });
        if options.threads {
            let (stop, stopped) = bounded(0);
            let sealer = sealer(log.clone());
            let keeper = Keeper { media, log };
            let (for_sealer, for_keeper, for_files) = (stopped.clone(), stopped.clone(), stopped);
            trail.spawn("sealer", move || {
                // Whoever waits for an answer goes first; a sealer that falls behind is given its
                // turn by the sequencer, which then waits.
                let _ = rustix::process::nice(SEALER_NICE);
                sealer.run(&for_sealer);
            })?;
            trail.spawn("keeper", move || keeper.run(&for_keeper))?;
            trail.spawn("files", move || keep_files_ready(&spares, &woken, &for_files))?;
            *trail.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        }
        Ok(trail)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| OpenError::Io { path: name.into(), error })?;
        self.helpers.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// What the opening itself found goes on record.
    fn record_opening(&self, torn: Option<&TornTail>, removed: u64) {
        let mut found = Vec::new();
        if let Some(torn) = torn {
            warn!(bytes = torn.bytes, "a torn last frame was dropped; nothing in it had been promised");
            found.push(records::tail_dropped(torn.bytes, &tlog::canonical::hex(&torn.sha256)));
        }
        if removed > 0 {
            warn!(removed, "files that no act names were removed");
            found.push(records::leftovers_removed(removed));
        }
        for record in found {
            if let Err(why) = self.log.record_blocking(&record) {
                warn!(%why, "what the opening found could not be recorded");
            }
        }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Reads entries and proofs.
    #[must_use]
    pub fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// The medium below.
    #[must_use]
    pub fn media(&self) -> &Arc<dyn Media> {
        &self.media
    }

    /// The key that turns ids into marks.
    #[must_use]
    pub fn ids(&self) -> &IdKey {
        &self.ids
    }

    /// The newest published view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.log.view()
    }

    /// Moves every entry that can be moved to payload files now.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn flush(&self) -> Result<(), SealError> {
        self.sealer.flush()
    }

    /// Does what sealing is due, for callers that run without threads; true when there was some.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_due(&self) -> Result<bool, SealError> {
        self.sealer.work_once()
    }

    /// Zeroes released write-ahead files and prepares the next one now.
    ///
    /// # Errors
    /// [`WalError`]; it may be tried again.
    pub fn keep_files(&self) -> Result<(), WalError> {
        self.spares.recycle()?;
        self.spares.prepare_next()
    }

    /// Writes the newest checkpoint beside the log now.
    ///
    /// # Errors
    /// What the medium says.
    pub fn sync_checkpoint(&self) -> std::io::Result<()> {
        write_checkpoint(self.media.as_ref(), &self.log.view())
    }

    /// Replaces the signing key. Everything signed so far keeps verifying: the act carries both
    /// keys' signatures, and the old key signs through the act itself.
    ///
    /// # Errors
    /// [`RotateError`]; before the act is durable nothing has changed.
    pub fn rotate(&self, why: Vec<u8>) -> Result<Acted, RotateError> {
        let origin = self.log.view().state.origin.clone();
        let trail = &self.log.shared().trail;
        let next = StoredKey::draw(Some(&origin), trail)?;
        // Durable before the act: a key that signs must never exist in memory alone.
        next.write(self.media.as_ref(), layout::NEXT_SIGNING_KEY, &self.directory)?;
        let acted = self.log.rotate_blocking(next.signer, why)?;
        keys::promote_next(self.media.as_ref())?;
        info!(index = acted.indexes.first(), "the signing key was rotated");
        Ok(acted)
    }

    /// The checkpoint kept for exactly this size: at a segment's end, or of a rotation.
    ///
    /// # Errors
    /// What the medium says.
    pub fn kept_checkpoint(&self, size: u64) -> Result<Option<String>, OpenError> {
        kept_checkpoint(self.media.as_ref(), size)
    }

    /// Stops taking requests, answers those that wait, syncs the newest checkpoint.
    pub fn close(&self) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.helpers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
        self.log.stop();
        if let Some(thread) = self.sequencer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        // What the last seal released is zeroed, so that a directory at rest holds nothing stale.
        if let Err(why) = self.spares.recycle() {
            warn!(%why, "released write-ahead files could not be zeroed; the next start does it");
        }
        if let Err(why) = self.sync_checkpoint() {
            warn!(%why, "the newest checkpoint could not be written beside the log");
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.close();
    }
}

/// Why a rotation did not happen, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The new key could not be made, or the old one not replaced (a restart finishes that).
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The act was not kept.
    #[error(transparent)]
    Act(#[from] ActError),
}
