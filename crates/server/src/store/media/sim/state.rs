//! What the simulated disk holds: a cache, a platter, and what lies between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::super::parent;
use super::inode::Inode;
use super::{Fault, SECTOR, Survivors};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

/// An operation on names that the platter has not seen.
#[derive(Clone)]
enum NameOp {
    Add(String, Node),
    Remove(String, Node),
    Move { from: String, to: String, node: Node },
}

impl NameOp {
    fn touches(&self, dir: &str) -> bool {
        match self {
            NameOp::Add(path, _) | NameOp::Remove(path, _) => parent(path) == dir,
            NameOp::Move { from, to, .. } => parent(from) == dir || parent(to) == dir,
        }
    }

    /// Applies the operation to names that may lack the effect of earlier ones.
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            NameOp::Add(path, node) => {
                names.insert(path.clone(), *node);
            }
            NameOp::Remove(path, node) => {
                if names.get(path) == Some(node) {
                    names.remove(path);
                }
            }
            NameOp::Move { to, node, .. } => {
                names.retain(|_, present| present != node);
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// SplitMix64: small, seeded, the same everywhere.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// A chooser for [`Inode::settle`]: keeps few, half or most of the sectors.
    fn chooser(&mut self) -> impl FnMut(usize) -> usize + '_ {
        let kept_of_8 = 1 + 3 * self.below(3); // 1, 4 or 7
        move |versions| {
            if self.below(8) < kept_of_8 { self.below(versions) } else { versions }
        }
    }
}

/// How the operation under way ends.
enum Outcome {
    Done,
    Refused(io::ErrorKind),
    ReportedLost,
}

#[derive(Clone)]
pub(super) struct State {
    chance: Chance,
    ops: u64,
    boot: u64,
    powered: bool,
    capacity: Option<u64>,
    faults: BTreeMap<u64, Fault>,
    inodes: Vec<Inode>,
    names: BTreeMap<String, Node>,
    platter_names: BTreeMap<String, Node>,
    unsynced_names: Vec<NameOp>,
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        let root = BTreeMap::from([(String::new(), Node::Dir)]);
        State {
            chance: Chance(seed),
            ops: 0,
            boot: 0,
            powered: true,
            capacity: None,
            faults: BTreeMap::new(),
            inodes: Vec::new(),
            names: root.clone(),
            platter_names: root,
            unsynced_names: Vec::new(),
        }
    }

    pub(super) fn ops(&self) -> u64 {
        self.ops
    }

    pub(super) fn boot(&self) -> u64 {
        self.boot
    }

    pub(super) fn is_powered(&self) -> bool {
        self.powered
    }

    pub(super) fn inject(&mut self, op: u64, fault: Fault) {
        self.faults.insert(op, fault);
    }

    pub(super) fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    pub(super) fn restart(&mut self) {
        self.powered = true;
    }

    pub(super) fn crash(&mut self, survivors: Survivors) {
        if !self.powered {
            return;
        }
        let mut chance = Chance(if let Survivors::Random(seed) = survivors { seed } else { 0 });
        for inode in &mut self.inodes {
            match survivors {
                Survivors::Nothing => inode.settle(|versions| versions),
                Survivors::Everything => inode.settle_all(),
                Survivors::Random(_) => inode.settle(chance.chooser()),
            }
            inode.cache.clone_from(&inode.platter);
        }
        let unsynced = std::mem::take(&mut self.unsynced_names);
        let in_order = chance.below(2) == 0;
        let prefix = chance.below(unsynced.len().saturating_add(1));
        for (n, op) in unsynced.iter().enumerate() {
            let kept = match survivors {
                Survivors::Nothing => false,
                Survivors::Everything => true,
                Survivors::Random(_) if in_order => n < prefix,
                Survivors::Random(_) => chance.below(2) == 0,
            };
            if kept {
                op.apply(&mut self.platter_names);
            }
        }
        self.drop_orphans();
        self.names.clone_from(&self.platter_names);
        self.powered = false;
        self.boot = self.boot.saturating_add(1);
    }

    /// A name goes with the directory it lies in.
    fn drop_orphans(&mut self) {
        let mut dirs = BTreeSet::new(); // parents sort before what they hold
        self.platter_names.retain(|path, node| {
            let kept = path.is_empty() || dirs.contains(parent(path));
            if kept && *node == Node::Dir {
                dirs.insert(path.clone());
            }
            kept
        });
    }

    fn check_power(&self) -> io::Result<()> {
        if self.powered { Ok(()) } else { Err(io::Error::other("the power is off")) }
    }

    fn step(&mut self) -> io::Result<Outcome> {
        self.check_power()?;
        let op = self.ops;
        self.ops = self.ops.saturating_add(1);
        match self.faults.remove(&op) {
            None => Ok(Outcome::Done),
            Some(Fault::Refused(kind)) => Ok(Outcome::Refused(kind)),
            Some(Fault::KeptButReportedLost) => Ok(Outcome::ReportedLost),
            Some(Fault::PowerCut(survivors)) => {
                self.crash(survivors);
                self.check_power().map(|()| Outcome::Done)
            }
        }
    }

    /// One counted operation: `effect` happens, or `refused` does, as the faults have it.
    fn operate(&mut self, effect: impl FnOnce(&mut State) -> io::Result<()>, refused: impl FnOnce(&mut State)) -> io::Result<()> {
        match self.step()? {
            Outcome::Done => effect(self),
            Outcome::Refused(kind) => {
                refused(self);
                Err(kind.into())
            }
            Outcome::ReportedLost => {
                effect(self)?;
                Err(io::Error::other("the operation was carried out and is reported as lost"))
            }
        }
    }

    fn node(&self, path: &str) -> io::Result<Node> {
        self.check_power()?;
        self.names.get(path).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{path} does not exist")))
    }

    pub(super) fn file(&self, path: &str) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(inode) => Ok(inode),
            Node::Dir => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn inode(&self, inode: usize) -> io::Result<&Inode> {
        self.check_power()?;
        self.inodes.get(inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, inode: usize, change: impl FnOnce(&mut Inode)) -> io::Result<()> {
        self.inodes.get_mut(inode).map(change).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free_name(&self, path: &str) -> io::Result<()> {
        if self.names.contains_key(path) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{path} exists")));
        }
        match self.node(parent(path))? {
            Node::Dir => Ok(()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn rewrite_names(&mut self, op: NameOp) {
        op.apply(&mut self.names);
        self.unsynced_names.push(op);
    }

    /// Whether all files together may grow by so many bytes.
    fn room_for(&self, bytes: usize) -> io::Result<()> {
        let Some(capacity) = self.capacity else {
            return Ok(());
        };
        let used: usize = self
            .names
            .values()
            .filter_map(|node| match node {
                Node::File(inode) => self.inodes.get(*inode).map(|inode| inode.cache.len()),
                Node::Dir => None,
            })
            .sum();
        if (used as u64).saturating_add(bytes as u64) > capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<()> {
        self.operate(
            |state| {
                state.free_name(path)?;
                state.room_for(1)?;
                state.inodes.push(Inode::default());
                let node = Node::File(state.inodes.len().saturating_sub(1));
                state.rewrite_names(NameOp::Add(path.to_owned(), node));
                Ok(())
            },
            |_| {},
        )
    }

    pub(super) fn create_dir(&mut self, path: &str) -> io::Result<()> {
        self.operate(
            |state| {
                state.free_name(path)?;
                state.rewrite_names(NameOp::Add(path.to_owned(), Node::Dir));
                Ok(())
            },
            |_| {},
        )
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, replacing: bool) -> io::Result<()> {
        self.operate(
            |state| {
                let node = Node::File(state.file(from)?);
                if !(replacing && matches!(state.names.get(to), Some(Node::File(_)))) {
                    state.free_name(to)?;
                }
                state.rewrite_names(NameOp::Move { from: from.to_owned(), to: to.to_owned(), node });
                Ok(())
            },
            |_| {},
        )
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        self.operate(
            |state| {
                let node = Node::File(state.file(path)?);
                state.rewrite_names(NameOp::Remove(path.to_owned(), node));
                Ok(())
            },
            |_| {},
        )
    }

    pub(super) fn remove_dir(&mut self, path: &str) -> io::Result<()> {
        self.operate(
            |state| {
                if !state.list(path)?.is_empty() || path.is_empty() {
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
                state.rewrite_names(NameOp::Remove(path.to_owned(), Node::Dir));
                Ok(())
            },
            |_| {},
        )
    }

    pub(super) fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        fn settle(state: &mut State, dir: &str, mut kept: impl FnMut(&mut Chance) -> bool) {
            let (ours, others) = std::mem::take(&mut state.unsynced_names).into_iter().partition::<Vec<_>, _>(|op| op.touches(dir));
            state.unsynced_names = others;
            for op in ours {
                if kept(&mut state.chance) {
                    op.apply(&mut state.platter_names);
                }
            }
        }
        self.operate(
            |state| {
                match state.node(dir)? {
                    Node::Dir => settle(state, dir, |_| true),
                    Node::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
                }
                Ok(())
            },
            |state| settle(state, dir, |chance| chance.below(2) == 0),
        )
    }

    pub(super) fn exists(&self, path: &str) -> io::Result<bool> {
        self.check_power()?;
        Ok(self.names.contains_key(path))
    }

    pub(super) fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        match self.node(dir)? {
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
            Node::Dir => Ok(self
                .names
                .keys()
                .filter(|path| !path.is_empty() && parent(path) == dir)
                .map(|path| path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name).to_owned())
                .collect()),
        }
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.names.iter().filter(|(_, node)| **node != Node::Dir).map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn tamper(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let inode = match self.names.get(path) {
            Some(Node::File(inode)) => *inode,
            _ => {
                self.inodes.push(Inode::default());
                self.inodes.len().saturating_sub(1)
            }
        };
        if let Some(file) = self.inodes.get_mut(inode) {
            change(&mut file.cache);
            file.platter.clone_from(&file.cache);
            file.dirty.clear();
            file.lengths.clear();
        }
        self.names.insert(path.to_owned(), Node::File(inode));
        self.platter_names.insert(path.to_owned(), Node::File(inode));
    }

    pub(super) fn read(&self, inode: usize, buffer: &mut [u8], at: usize) -> io::Result<()> {
        let content = &self.inode(inode)?.cache;
        let shown = content.get(at..at.saturating_add(buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(shown);
        Ok(())
    }

    pub(super) fn len(&self, inode: usize) -> io::Result<u64> {
        Ok(self.inode(inode)?.cache.len() as u64)
    }

    pub(super) fn write(&mut self, inode: usize, bytes: &[u8], at: usize) -> io::Result<()> {
        self.operate(
            |state| {
                let growth = at.saturating_add(bytes.len()).saturating_sub(state.inode(inode)?.cache.len());
                if growth > 0 {
                    state.room_for(growth)?;
                }
                state.change(inode, |file| file.write(bytes, at))
            },
            |state| {
                // Kernels copy page by page, so what is cut short ends at a sector.
                let sectors = bytes.len().div_ceil(SECTOR).saturating_add(1);
                let part = state.chance.below(sectors).saturating_mul(SECTOR);
                let part = part.saturating_sub(at % SECTOR).min(bytes.len());
                let _ = state.change(inode, |file| file.write(bytes.get(..part).unwrap_or_default(), at));
            },
        )
    }

    pub(super) fn set_len(&mut self, inode: usize, bytes: usize) -> io::Result<()> {
        self.operate(
            |state| {
                let growth = bytes.saturating_sub(state.inode(inode)?.cache.len());
                if growth > 0 {
                    state.room_for(growth)?;
                }
                state.change(inode, |file| file.set_len(bytes))
            },
            |_| {},
        )
    }

    pub(super) fn sync(&mut self, inode: usize) -> io::Result<()> {
        self.operate(
            |state| state.change(inode, Inode::settle_all),
            |state| {
                let mut chance = state.chance.clone();
                let _ = state.change(inode, |file| file.settle(chance.chooser()));
                state.chance = chance;
            },
        )
    }
}
