//! A directory in memory that behaves as one on disk: names lead to inodes, an open file outlives
//! its name, and a freed inode is given to the next file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::door::files::folder::{Folder, OpenFile, Seen};
use crate::intake::FileId;

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Default)]
struct Inode {
    content: Content,
    modified_ms: u64,
    born_ns: u64,
}

impl Inode {
    /// Nobody has it open.
    fn is_closed(&self) -> bool {
        Arc::strong_count(&self.content) == 1
    }
}

#[derive(Default)]
struct State {
    names: BTreeMap<String, u64>,
    inodes: BTreeMap<u64, Inode>,
    now_ms: u64,
    births: u64,
}

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

struct Open(FileId, Content);

impl Fake {
    pub fn now_ms(&self) -> u64 {
        self.0.lock().unwrap().now_ms
    }

    pub fn wait(&self, ms: u64) {
        self.0.lock().unwrap().now_ms += ms;
    }

    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    pub fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let state = &mut *self.0.lock().unwrap();
        let named = |number: &u64| state.names.values().any(|used| used == number);
        let free = (1..).find(|number| !named(number) && state.inodes.get(number).is_none_or(Inode::is_closed)).unwrap();
        if !state.names.contains_key(name) {
            state.births += 1;
            state.names.insert(name.to_owned(), free);
            state.inodes.insert(free, Inode { born_ns: state.births, ..Inode::default() });
        }
        let inode = state.inodes.get_mut(&state.names[name]).unwrap();
        inode.content.lock().unwrap().extend_from_slice(bytes.as_ref());
        inode.modified_ms = state.now_ms;
    }

    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        state.inodes[&state.names[name]].content.lock().unwrap().clone()
    }

    pub fn rename(&self, from: &str, to: &str) {
        let mut state = self.0.lock().unwrap();
        let inode = state.names.remove(from).unwrap();
        assert_eq!(state.names.insert(to.to_owned(), inode), None);
    }

    pub fn truncate(&self, name: &str) {
        let state = &mut *self.0.lock().unwrap();
        let inode = state.inodes.get_mut(&state.names[name]).unwrap();
        inode.content.lock().unwrap().clear();
        inode.modified_ms = state.now_ms;
    }

    pub fn delete(&self, name: &str) {
        self.0.lock().unwrap().names.remove(name).unwrap();
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn id(number: u64, inode: &Inode) -> FileId {
    FileId { dev: 1, inode: number, born_ns: inode.born_ns }
}

impl Folder for Fake {
    fn list(&self) -> io::Result<Vec<Seen>> {
        let state = self.0.lock().unwrap();
        let seen = |(name, number): (&String, &u64)| {
            let inode = &state.inodes[number];
            let size = inode.content.lock().unwrap().len() as u64;
            Seen { path: PathBuf::from(name), id: id(*number, inode), size, modified_ms: inode.modified_ms }
        };
        Ok(state.names.iter().map(seen).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let state = self.0.lock().unwrap();
        let number = state.names.get(path.to_str().unwrap()).ok_or(io::ErrorKind::NotFound)?;
        let inode = &state.inodes[number];
        Ok(Box::new(Open(id(*number, inode), Arc::clone(&inode.content))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.delete(path.to_str().unwrap());
        Ok(())
    }
}

impl OpenFile for Open {
    fn id(&self) -> io::Result<FileId> {
        Ok(self.0)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let content = self.1.lock().unwrap();
        let rest = content.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}
