//! Opens a file whatever it is compressed with. The bytes decide, not the name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;

use crate::cli::failure::Failure;
use crate::cli::import::file_list::Input;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER_BYTES: usize = 256 << 10;

/// The decompressed bytes of `input`. Moves `bar` by the bytes read before decompression.
///
/// # Errors
/// The file cannot be opened or read.
pub fn open(input: &Input, bar: ProgressBar) -> Result<Box<dyn Read>, Failure> {
    let bytes: Box<dyn Read> = match input {
        Input::File { path, .. } => Box::new(File::open(path)?),
        Input::Standard => Box::new(io::stdin().lock()),
    };
    let mut counted = BufReader::with_capacity(BUFFER_BYTES, Counted { bytes, bar });
    let begin = first_bytes(&mut counted)?;
    Ok(if begin.starts_with(&GZIP) {
        // Rotated logs are often several gzip members end to end.
        Box::new(MultiGzDecoder::new(counted))
    } else if begin.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(counted)?)
    } else {
        Box::new(counted)
    })
}

/// The first bytes, still to be read. A pipe may bring fewer than asked for at once; one whose first
/// write is shorter than a magic number is not compressed.
fn first_bytes(counted: &mut BufReader<Counted>) -> io::Result<Vec<u8>> {
    Ok(counted.fill_buf()?.iter().take(ZSTD.len()).copied().collect())
}

struct Counted {
    bytes: Box<dyn Read>,
    bar: ProgressBar,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_same_bytes_come_out_however_they_were_compressed() {
        let dir = tempfile::tempdir().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"one\n").unwrap();
        let mut two_members = gzip.finish().unwrap();
        let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        second.write_all(b"two\n").unwrap();
        two_members.extend(second.finish().unwrap());
        let zstd = zstd::encode_all(&b"one\ntwo\n"[..], 1).unwrap();
        for (name, bytes) in [("plain", b"one\ntwo\n".to_vec()), ("gzip", two_members), ("zstd", zstd)] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let input = Input::File { path, bytes: bytes.len() as u64 };
            let mut read = String::new();
            open(&input, ProgressBar::hidden()).unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(read, "one\ntwo\n", "{name}");
        }
    }
}
