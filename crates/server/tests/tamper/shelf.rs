//! Files in memory, read only: what an attacker made of a directory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use indelible::store::layout;
use indelible::store::media::{Media, MediaFile, SimMedia};

/// A directory's files, by path.
pub type Files = BTreeMap<String, Arc<Vec<u8>>>;

/// All files of a simulated disk, secrets aside.
pub fn files_of(media: &SimMedia) -> Files {
    let paths = media.files().into_iter().filter(|path| !path.starts_with(layout::KEYS));
    paths.map(|path| (path.clone(), Arc::new(media.read(&path).unwrap()))).collect()
}

pub struct Shelf(pub Files);

struct ShelfFile(Arc<Vec<u8>>);

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Media for Shelf {
    fn create(&self, _: &str) -> io::Result<Box<dyn MediaFile>> {
        read_only()
    }

    fn open(&self, _: &str) -> io::Result<Box<dyn MediaFile>> {
        read_only()
    }

    fn open_read(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        match self.0.get(path) {
            Some(bytes) => Ok(Box::new(ShelfFile(Arc::clone(bytes)))),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create_dir(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.contains_key(path))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let within = self.0.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let mut names: Vec<String> = within.map(|(path, _)| path[prefix.len()..].split('/').next().unwrap().to_owned()).collect();
        if dir.is_empty() {
            names.extend(layout::DIRECTORIES.iter().map(|dir| (*dir).to_owned()));
        } else if names.is_empty() && !layout::DIRECTORIES.contains(&dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn rename_new(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn remove_dir(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        read_only()
    }
}

impl MediaFile for ShelfFile {
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        read_only()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let bytes = self.0.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn sync_data(&self) -> io::Result<()> {
        read_only()
    }
}
