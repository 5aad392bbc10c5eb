//! What a verification says: whether the directory holds, and if not what is wrong and where.

use serde::{Serialize, Serializer};
use tlog::Hash;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something is not as it was when it was signed.
    Tampered,
    /// Something that must be there is not.
    Missing,
    /// The tree is smaller than a checkpoint says, or a file is older than it can be.
    Behind,
    /// Nothing accounts for a file; a restart removes it.
    Leftover,
    /// The last write did not finish; a restart drops it and records its length and hash.
    TailUnfinished,
}

impl Verdict {
    /// The verdict in words, as the command line shows it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Tampered => "tampered",
            Self::Missing => "missing",
            Self::Behind => "behind",
            Self::Leftover => "leftover",
            Self::TailUnfinished => "tail unfinished",
        }
    }
}

/// Indexes `[first, end)`; without an end, everything from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IndexRange {
    /// First index.
    pub first: u64,
    /// The index behind the last.
    pub end: Option<u64>,
}

impl IndexRange {
    /// Whether an index lies in it.
    #[must_use]
    pub fn contains(&self, index: u64) -> bool {
        index >= self.first && self.end.is_none_or(|end| index < end)
    }

    /// Whether it has an index in common with `[first, end)`.
    #[must_use]
    pub fn overlaps(&self, first: u64, end: u64) -> bool {
        first < end && end > self.first && self.end.is_none_or(|own| first < own)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it means.
    pub verdict: Verdict,
    /// The file, relative to the trail's directory; none when no single file is to blame.
    pub file: Option<String>,
    /// Number of the segment, when it lies in one.
    pub segment: Option<u64>,
    /// The indexes that may be affected; none when no entry is.
    pub range: Option<IndexRange>,
    /// The first index known to be affected.
    pub first_bad: Option<u64>,
    /// Size of the largest signed tree below the affected entries that is still whole.
    pub last_good_checkpoint: Option<u64>,
    /// What happened, in words.
    pub text: String,
}

impl Finding {
    /// A finding that says no more than this yet.
    #[must_use]
    pub fn new(verdict: Verdict, text: impl Into<String>) -> Self {
        Self { verdict, file: None, segment: None, range: None, first_bad: None, last_good_checkpoint: None, text: text.into() }
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, path: impl Into<String>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Names the segment.
    #[must_use]
    pub const fn in_segment(mut self, segment: u64) -> Self {
        self.segment = Some(segment);
        self
    }

    /// Names the indexes `[first, end)`; the first is bad as far as is known.
    #[must_use]
    pub const fn at(mut self, first: u64, end: Option<u64>) -> Self {
        self.range = Some(IndexRange { first, end });
        self.first_bad = Some(first);
        self
    }

    /// Names indexes that may be affected, and the first that is.
    #[must_use]
    pub const fn within(mut self, first: u64, end: u64, first_bad: Option<u64>) -> Self {
        self.range = Some(IndexRange { first, end: Some(end) });
        self.first_bad = first_bad;
        self
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.verdict.words())?;
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        f.write_str(&self.text)?;
        if let Some(segment) = self.segment {
            write!(f, "; segment {segment}")?;
        }
        if let Some(range) = &self.range {
            match range.end {
                Some(end) => write!(f, "; indexes {} to {}", range.first, end.saturating_sub(1).max(range.first))?,
                None => write!(f, "; indexes from {}", range.first)?,
            }
        }
        if let Some(index) = self.first_bad {
            write!(f, "; first bad index {index}")?;
        }
        if let Some(size) = self.last_good_checkpoint {
            write!(f, "; last good checkpoint: size {size}")?;
        }
        Ok(())
    }
}

/// Where the key came from that everything was checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The caller named it.
    Pinned,
    /// The directory's own first act names it: whoever could write the whole directory anew chose it.
    FirstAct,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub holds: bool,
    /// Entries in the tree that lies in the directory.
    pub size: u64,
    /// Its root; none when it could not be computed from end to end.
    #[serde(serialize_with = "as_text")]
    pub root: Option<Hash>,
    /// The largest checkpoint that was found good: a signed note.
    pub checkpoint: Option<String>,
    /// The key in force at the end (vkey).
    pub key: Option<String>,
    /// Where trust began.
    pub trust: Trust,
    /// Entries whose payloads were read and hashed.
    pub entries_checked: u64,
    /// Bytes that were read.
    pub bytes_checked: u64,
    /// Sealed segments.
    pub segments: u64,
    /// What is wrong, in order of the first bad index.
    pub findings: Vec<Finding>,
}

impl Report {
    /// What the process says to its caller: 0 holds, 1 something was found. (2, could not run, is
    /// [`super::VerifyError`].)
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.holds { 0 } else { 1 }
    }
}

fn as_text<S: Serializer>(hash: &Option<Hash>, serializer: S) -> Result<S::Ok, S::Error> {
    match hash {
        Some(hash) => serializer.collect_str(hash),
        None => serializer.serialize_none(),
    }
}
