//! Wrong behaviours that a test can switch on, to show that the suite would catch each.
//!
//! Without the feature `planted-bugs` every question here is answered `false` at compile time.

/// One wrong behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// Answer before the chunk is synced.
    AnswerBeforeSync = 1,
    /// Release a checkpoint before its chunk is appended.
    SignBeforeAppend,
    /// Do not sync the directory after creating or renaming a file in it.
    SkipDirectorySync,
    /// Open although the tree is smaller than the checkpoint beside it.
    AcceptSmallerTree,
    /// Go on appending after a sync failed.
    IgnoreSyncError,
    /// Release chunks before the act that records their files is durable.
    ReleaseBeforeRecorded,
    /// Drop the last whole frame at recovery, as if it were torn.
    DropLastFrame,
    /// Keep a torn frame's blocks in place and write after them.
    KeepTornTail,
    /// Forget ids at restart, so that a retry is entered twice.
    ForgetIds,
    /// Reuse a write-ahead file without zeroing it.
    SkipZeroing,
    /// Do not rewrite the last file's blocks at recovery.
    SkipRewrite,
    /// Publish a payload file without syncing its bytes.
    SkipPayloadSync,
    /// Let the last chunk that carries the pollers' cursors go.
    LetCursorsGo,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AnswerBeforeSync,
        Self::SignBeforeAppend,
        Self::SkipDirectorySync,
        Self::AcceptSmallerTree,
        Self::IgnoreSyncError,
        Self::ReleaseBeforeRecorded,
        Self::DropLastFrame,
        Self::KeepTornTail,
        Self::ForgetIds,
        Self::SkipZeroing,
        Self::SkipRewrite,
        Self::SkipPayloadSync,
        Self::LetCursorsGo,
    ];
}

#[cfg(feature = "planted-bugs")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Switches one wrong behaviour on for this process, or all off.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8), std::sync::atomic::Ordering::SeqCst);
}

/// Is this wrong behaviour on?
#[cfg(feature = "planted-bugs")]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::SeqCst) == bug as u8
}

/// Is this wrong behaviour on? Never in a build without the feature.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
#[inline(always)]
pub const fn planted(_bug: Bug) -> bool {
    false
}
