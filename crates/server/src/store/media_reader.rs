//! Lets the Parquet reader read from any medium.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::store::media::{Media, MediaFile};

/// One file, read by position; cheap to clone.
#[derive(Clone)]
pub struct MediaReader {
    file: Arc<dyn MediaFile>,
    bytes: u64,
}

impl MediaReader {
    /// Opens `path` for reading only.
    ///
    /// # Errors
    /// What the medium says.
    pub fn open(media: &dyn Media, path: &str) -> io::Result<Self> {
        let file: Arc<dyn MediaFile> = media.open_read(path)?.into();
        let bytes = file.len()?;
        Ok(Self { file, bytes })
    }
}

impl Length for MediaReader {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for MediaReader {
    type T = BufReader<ReadOn>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let read_on = ReadOn { file: Arc::clone(&self.file), at: start, end: self.bytes };
        Ok(BufReader::new(read_on))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.bytes) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} lie beyond the end of the file")));
        }
        let mut buffer = vec![0; length];
        self.file.read_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}

/// Reads on from a position.
pub struct ReadOn {
    file: Arc<dyn MediaFile>,
    at: u64,
    end: u64,
}

impl Read for ReadOn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = rest.min(buffer.len());
        let Some(window) = buffer.get_mut(..count) else { return Ok(0) };
        self.file.read_at(window, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
