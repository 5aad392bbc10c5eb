//! The log's state and the one way it grows: `plan` says what a chunk would make of it, and after
//! the chunk is durable the plan is taken over. Live commits and recovery use the same code.

use std::sync::Arc;

use evidence::act::{Act, ActHead, PayloadFile};
use evidence::fold::{FoldError, TrailState};
use evidence::leaf::{Kind, LEAF_BYTES, Leaf};
use tlog::{Frontier, Hash};

use crate::log::batch::Head;
use crate::log::chunk::{Chunk, ChunkError, ChunkHeader};
use crate::log::cursors::Cursors;
use crate::log::entry::{Entries, Entry, MalformedEntry, part_lengths};
use crate::log::window::{IdMark, IdWindow};

/// Everything that the chunks so far amount to.
#[derive(Debug)]
pub struct Core {
    /// Tree of all leaves.
    pub frontier: Frontier,
    /// Fold of all acts.
    pub state: Arc<TrailState>,
    /// Ids seen lately.
    pub window: IdWindow,
    /// Receive time of the newest chunk, ms.
    pub received_at: u64,
    /// All cursors.
    pub cursors: Arc<Cursors>,
}

/// What a chunk of given heads would make of the tree.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Index of the first entry.
    pub first: u64,
    /// Leaves with their hashes.
    pub leaves: Vec<([u8; LEAF_BYTES], Hash)>,
    /// The tree after them.
    pub frontier: Frontier,
    /// Its root.
    pub root: Hash,
}

/// Pure: leaves, tree and root after appending `heads`, all received at `received_at` (ms).
#[must_use]
pub fn plan(frontier: &Frontier, heads: &[Head], received_at: u64) -> Plan {
    let first = frontier.size().0;
    let mut frontier = frontier.clone();
    let leaves = heads
        .iter()
        .map(|head| {
            let leaf = Leaf { kind: head.kind, source: head.source, class: head.class, received_at, commitment: head.commitment };
            let bytes = leaf.encode();
            let hash = Hash::leaf(&bytes);
            frontier.push(hash);
            (bytes, hash)
        })
        .collect();
    let root = frontier.root();
    Plan { first, leaves, frontier, root }
}

/// Why a stored chunk is not the log's next one.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The bytes are not a chunk.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// An entry in it is malformed.
    #[error(transparent)]
    Entry(#[from] MalformedEntry),
    /// It does not continue the tree below it.
    #[error("the chunk at index {first} does not continue the tree of {size} entries below it")]
    NotNext {
        /// First index of the chunk.
        first: u64,
        /// Size of the tree so far.
        size: u64,
    },
    /// Its entries do not hash to the root it states.
    #[error("the entries of the chunk at index {first} do not hash to the root it states")]
    Root {
        /// First index of the chunk.
        first: u64,
    },
    /// Its receive time is before that of the chunk below.
    #[error("the chunk at index {first} was received before the one below it")]
    Time {
        /// First index of the chunk.
        first: u64,
    },
    /// An act in it does not parse or has no authority.
    #[error("the act at index {index} does not hold: {why}")]
    Act {
        /// Index of the act.
        index: u64,
        /// What is wrong.
        why: String,
    },
}

impl Core {
    /// A core that holds nothing, with the given fold.
    #[must_use]
    pub fn new(frontier: Frontier, state: TrailState, received_at: u64) -> Self {
        Self { frontier, state: Arc::new(state), window: IdWindow::default(), received_at, cursors: Arc::default() }
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size().0
    }

    /// Takes a plan over: its chunk is durable.
    pub fn adopt(&mut self, plan: &Plan, heads: &[Head], received_at: u64) {
        self.frontier = plan.frontier.clone();
        self.received_at = received_at;
        for (index, head) in (plan.first..).zip(heads) {
            if let Some((_, mark)) = head.id {
                self.window.insert(mark, index, received_at);
            }
        }
    }

    /// Recovery: checks a stored chunk against its own header and takes it over.
    ///
    /// # Errors
    /// [`ReplayError`] names what does not hold; nothing is taken over then.
    pub fn replay(&mut self, chunk: &Chunk) -> Result<Plan, ReplayError> {
        let header = &chunk.header;
        let first = header.first;
        if first != self.size() || header.previous_root != self.frontier.root() {
            return Err(ReplayError::NotNext { first, size: self.size() });
        }
        if header.received_at < self.received_at {
            return Err(ReplayError::Time { first });
        }
        let replayed = heads_and_acts(chunk)?;
        let plan = plan(&self.frontier, &replayed.heads, header.received_at);
        if plan.root != header.new_root {
            return Err(ReplayError::Root { first });
        }
        let mut state = Arc::clone(&self.state);
        // The fold of a recovery that begins at index 0 begins with the trail's own act.
        for (index, head, act) in replayed.acts.iter().filter(|(index, _, _)| *index > 0) {
            Arc::make_mut(&mut state).apply(*index, head, act).map_err(|why| ReplayError::Act { index: *index, why: why.to_string() })?;
        }
        self.state = state;
        self.cursors = Arc::new(self.cursors.after(replayed.acts.iter().map(|(_, _, act)| act), &header.cursors));
        self.adopt(&plan, &replayed.heads, header.received_at);
        Ok(plan)
    }

    /// Applies one act at `index` to the fold.
    ///
    /// # Errors
    /// When the act does not fit what holds so far; the fold is unchanged then.
    pub fn apply_act(&mut self, index: u64, head: &ActHead, act: &Act) -> Result<(), FoldError> {
        Arc::make_mut(&mut self.state).apply(index, head, act)
    }
}

struct Replayed {
    heads: Vec<Head>,
    acts: Vec<(u64, ActHead, Act)>,
}

fn heads_and_acts(chunk: &Chunk) -> Result<Replayed, ReplayError> {
    let mut replayed = Replayed { heads: Vec::with_capacity(chunk.header.count as usize), acts: Vec::new() };
    let mut cuts = Vec::new();
    for block in &chunk.blocks {
        let bytes = block.decode()?;
        for entry in Entries::new(&bytes) {
            let entry = entry?;
            let index = chunk.header.first + replayed.heads.len() as u64;
            if entry.kind == Kind::Act {
                let (head, act) = parse_act(&entry).map_err(|why| ReplayError::Act { index, why })?;
                replayed.acts.push((index, head, act));
            }
            replayed.heads.push(head_of(&entry, &mut cuts));
        }
    }
    if replayed.heads.len() as u64 != u64::from(chunk.header.count) {
        return Err(ChunkError::Length.into());
    }
    Ok(replayed)
}

fn head_of(entry: &Entry<'_>, cuts: &mut Vec<u32>) -> Head {
    Head {
        kind: entry.kind,
        source: entry.source,
        class: entry.class,
        commitment: entry.commitment(cuts),
        // Which namespace an id came from is inside its MAC; the window needs no more.
        id: entry.id.map(|mark: IdMark| (crate::log::window::IdOrigin::Record, mark)),
    }
}

/// Parses the permanent part of an act entry.
///
/// # Errors
/// Why it is not an act, in words.
pub fn parse_act(entry: &Entry<'_>) -> Result<(ActHead, Act), String> {
    let map = entry.map.ok_or("an act without a part map")?;
    let mut lengths = Vec::new();
    part_lengths(map, &mut lengths);
    let part_2 = lengths.first().and_then(|len| entry.raw.get(..*len as usize));
    evidence::act::parse_part2(part_2.ok_or("an act without its part 2")?).map_err(|why| why.to_string())
}

/// The act at index 0, from the chunk that begins there.
///
/// # Errors
/// In words: why there is none.
pub fn first_act(chunk: &Chunk) -> Result<(ActHead, Act), String> {
    let block = chunk.blocks.first().ok_or("the first chunk has no block")?;
    let bytes = block.decode().map_err(|why| why.to_string())?;
    let entry = Entries::new(&bytes).next().ok_or("the first chunk has no entry")?;
    parse_act(&entry.map_err(|why| why.to_string())?)
}

/// Header for a plan's chunk.
#[must_use]
pub fn header(core: &Core, plan: &Plan, trail: &str, received_at: u64, previous_checkpoint: String, writer: [u8; 16]) -> ChunkHeader {
    ChunkHeader {
        trail: trail.to_owned(),
        first: plan.first,
        count: u32::try_from(plan.leaves.len()).unwrap_or(u32::MAX),
        received_at,
        previous_root: core.frontier.root(),
        new_root: plan.root,
        previous_checkpoint,
        writer,
        cursors: Cursors::default(),
    }
}

/// First index that does not stand in recorded files: payload and leaf both. Chunks that end at
/// or below it are superseded.
#[must_use]
pub fn stands_in_files_to(state: &TrailState) -> u64 {
    let classes = std::iter::once(0).chain(state.classes.keys().copied());
    let payload = classes.filter_map(|class| state.payload_files.range((class, 0)..=(class, u64::MAX)).next_back());
    let payload_end = payload.map(|(_, file)| file.end()).max().unwrap_or(0);
    let leaves_end = state.sealed_end() + state.leaves_prefix.as_ref().map_or(0, |prefix| prefix.count);
    payload_end.min(leaves_end)
}

/// The payload file that holds an entry of this class.
#[must_use]
pub fn payload_file_of(state: &TrailState, index: u64, class: u16) -> Option<&PayloadFile> {
    let (_, file) = state.payload_files.range((class, 0)..=(class, index)).next_back()?;
    (index < file.end()).then_some(file)
}
