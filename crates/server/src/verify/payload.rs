//! One payload file against the leaves of its range, row by row, in one pass.

use bytes::Bytes;
use evidence::act;
use evidence::fold::TrailState;
use evidence::leaf::{Kind, LEAF_BYTES, Leaf};

use super::Run;
use super::report::Verdict;
use super::rows::{self, Envelopes, Stored};
use crate::store::payload_file::{OwnedRow, PayloadFile, PayloadMeta, PayloadRow};

/// A payload file that must be there, by the act that recorded it or, where acts are missing, by
/// the name it bears.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub path: String,
    pub first: u64,
    pub count: u64,
    pub class: u16,
    pub generation: u32,
    /// SHA-256 and length; none when no act says.
    pub recorded: Option<([u8; 32], u64)>,
}

impl Expected {
    pub fn of_act(file: &act::PayloadFile) -> Self {
        Self {
            path: file.name(),
            first: file.first,
            count: file.count,
            class: file.class,
            generation: file.generation,
            recorded: Some((file.sha256, file.bytes)),
        }
    }

    pub const fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// Leaves from index `first` on.
pub(super) struct Leaves {
    pub first: u64,
    pub all: Vec<[u8; LEAF_BYTES]>,
}

impl Leaves {
    fn position(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.first)?).ok()
    }
}

/// A row and its leaf say different things.
#[derive(Clone, Debug)]
pub(super) struct Disagreement {
    pub index: u64,
    /// The commitment that the row hashes to, where it hashes to one.
    pub commitment: Option<[u8; 32]>,
}

/// What a payload file turned out to be.
pub(super) struct Checked {
    pub file: Expected,
    /// The file is gone, unreadable, or not the recorded one.
    pub problem: Option<(Verdict, String)>,
    /// Its rows could be read to the end.
    pub is_whole: bool,
    /// Rows that their leaves do not bear out, ascending.
    pub disagreements: Vec<Disagreement>,
    /// What the first of them is about.
    pub why: Option<String>,
}

/// A file that was read before it was known what it must be.
pub(super) struct ReadFile {
    bytes: u64,
    sha256: [u8; 32],
    meta: PayloadMeta,
    /// Its rows, up to the damage if there is any.
    pub rows: Vec<OwnedRow>,
    pub damage: Option<String>,
}

impl ReadFile {
    /// Reads a file into memory; `None` when it is no payload file, which `check` will describe.
    pub fn read(run: &Run<'_>, path: &str) -> Option<Self> {
        let bytes = Bytes::from(run.read(path).ok()?);
        let file = PayloadFile::open(bytes.clone()).ok()?;
        let mut rows = Vec::new();
        let damage = file.for_each(&mut |row| rows.push(row.to_owned_row())).err();
        Some(Self {
            bytes: bytes.len() as u64,
            sha256: tlog::sha256(&[&bytes]),
            meta: file.meta().clone(),
            rows,
            damage: damage.map(|why| why.to_string()),
        })
    }
}

/// Reads, hashes and checks one file, which may have been `read` before. `seen` has a flag for each
/// leaf: its row was found.
pub(super) fn check(
    run: &Run<'_>,
    state: Option<&TrailState>,
    file: Expected,
    read: Option<&ReadFile>,
    leaves: &Leaves,
    seen: &mut [bool],
) -> Checked {
    let mut checked = Checked { file, problem: None, is_whole: false, disagreements: Vec::new(), why: None };
    let done = match read {
        Some(read) => {
            compare_hash(run, &mut checked, read.bytes, || read.sha256);
            check_rows(state, &read.meta, &mut checked, leaves, seen, |visit| {
                read.rows.iter().for_each(|row| visit(&row.as_row()));
                read.damage.clone().map_or(Ok(()), Err)
            })
        }
        None => match run.read(&checked.file.path) {
            Ok(bytes) => {
                let bytes = Bytes::from(bytes);
                compare_hash(run, &mut checked, bytes.len() as u64, || tlog::sha256(&[&bytes]));
                PayloadFile::open(bytes).map_err(|why| why.to_string()).and_then(|file| {
                    check_rows(state, file.meta(), &mut checked, leaves, seen, |visit| {
                        file.for_each(&mut |row| visit(&row)).map_err(|why| why.to_string())
                    })
                })
            }
            Err(problem) => {
                checked.problem = Some(problem);
                return checked;
            }
        },
    };
    match done {
        Ok(rows) => {
            checked.is_whole = true;
            run.entries_done(rows);
        }
        Err(why) => checked.problem = Some((Verdict::Tampered, why)),
    }
    checked
}

fn compare_hash(run: &Run<'_>, checked: &mut Checked, bytes: u64, sha256: impl FnOnce() -> [u8; 32]) {
    let Some((recorded, length)) = checked.file.recorded.filter(|_| run.options.check_file_hashes) else { return };
    if bytes != length || sha256() != recorded {
        checked.problem = Some((Verdict::Tampered, "its SHA-256 is not the recorded one".into()));
    }
}

/// Holds all rows that `each` visits against their leaves. Gives their number.
fn check_rows(
    state: Option<&TrailState>,
    meta: &PayloadMeta,
    checked: &mut Checked,
    leaves: &Leaves,
    seen: &mut [bool],
    each: impl FnOnce(&mut dyn FnMut(&PayloadRow<'_>)) -> Result<(), String>,
) -> Result<u64, String> {
    check_meta(state, meta, &checked.file)?;
    let mut against = Against {
        file: &checked.file,
        leaves,
        seen,
        envelopes: Envelopes::new(state),
        cuts: Vec::new(),
        least: checked.file.first,
        rows: 0,
    };
    let (mut disagreements, mut why) = (Vec::new(), None);
    let read = each(&mut |row| {
        if let Err(wrong) = against.row(row) {
            why.get_or_insert(wrong.why);
            disagreements.push(Disagreement { index: row.index, commitment: wrong.commitment });
        }
    });
    let rows = against.rows;
    (checked.disagreements, checked.why) = (disagreements, why);
    read.map(|()| rows)
}

fn check_meta(state: Option<&TrailState>, meta: &PayloadMeta, file: &Expected) -> Result<(), String> {
    let says = (meta.first, meta.count, meta.class, meta.generation);
    if says != (file.first, file.count, file.class, file.generation) {
        return Err("it says other numbers of itself than its name does".into());
    }
    match state {
        Some(state) if meta.origin != state.origin => Err(format!("it is of the log {}", meta.origin)),
        Some(state) if meta.segment != file.first.checked_div(state.segment_leaves).unwrap_or(0) => {
            Err("it says another segment of itself than its range lies in".into())
        }
        _ => Ok(()),
    }
}

struct Against<'a> {
    file: &'a Expected,
    leaves: &'a Leaves,
    seen: &'a mut [bool],
    envelopes: Envelopes<'a>,
    cuts: Vec<u32>,
    /// The next row's index is not below this.
    least: u64,
    rows: u64,
}

struct WrongRow {
    commitment: Option<[u8; 32]>,
    why: String,
}

impl Against<'_> {
    fn row(&mut self, row: &PayloadRow<'_>) -> Result<(), WrongRow> {
        let wrong = |why: &str| WrongRow { commitment: None, why: why.to_owned() };
        self.rows = self.rows.saturating_add(1);
        if row.index < self.least || row.index >= self.file.end() {
            return Err(wrong("its index is out of order or outside the file's range"));
        }
        self.least = row.index.saturating_add(1);
        let position = self.leaves.position(row.index);
        let leaf = position.and_then(|at| self.leaves.all.get(at));
        let Some(leaf) = leaf else {
            return Err(wrong("there is no leaf for it"));
        };
        if let Some(seen) = position.and_then(|at| self.seen.get_mut(at)) {
            if *seen {
                return Err(wrong("its index stands in another row as well"));
            }
            *seen = true;
        }
        // Whether it is an act is read from the row: the leaf may be what was altered.
        let kind = if row.parts.is_some() { Kind::Act } else { Kind::Event };
        let stored = Stored { salt: row.salts, facts: row.facts, people: row.people, raw: row.raw, map: row.parts };
        let commitment = rows::commitment(&stored, kind, &mut self.cuts).map_err(wrong)?;
        let found = |why: String| WrongRow { commitment: Some(commitment), why };
        let leaf = Leaf::decode(leaf).map_err(|why| found(why.to_string()))?;
        if leaf.commitment != commitment {
            return Err(found("it does not hash to the commitment in its leaf".into()));
        }
        if leaf.class != self.file.class || (leaf.kind == Kind::Act) != (kind == Kind::Act) {
            return Err(found("its leaf says another class or kind".into()));
        }
        rows::check_leaf(&leaf).map_err(|why| found(why.into()))?;
        self.envelopes.check(row.facts, leaf.source).map_err(found)
    }
}
