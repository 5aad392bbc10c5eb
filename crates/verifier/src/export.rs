//! Checking an export: its manifest, and every line of it, however many there are.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use evidence::event_file::EventFile;
use evidence::export::{ExportCheck, ExportFile, ExportLine, ExportManifest, LINE_BYTES_MAX, VerifiedExport};
use sha2::{Digest as _, Sha256};
use tlog::{VerifiedCheckpoint, VerifierKey};

use crate::check::Fault;

/// How a manifest begins, as every program that writes one begins it.
const MANIFEST: &[u8] = b"{\"format\":\"indelible-export/";
/// How a line begins.
const LINE: &[u8] = b"{\"index\":";

/// The line that every entry answers, as a search line is written in a manifest.
const EVERYTHING: &str = "entry:*";

/// What a file is, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Manifest,
    Lines,
}

/// What holds of an export.
pub struct Statement {
    pub query: String,
    pub encoding: String,
    pub checkpoint: VerifiedCheckpoint,
    pub pinned: VerifierKey,
    pub rotations: usize,
    pub count: u64,
    /// First and last index; none of an export whose lines cannot be checked.
    pub lines: Option<VerifiedExport>,
    pub complete: bool,
    pub files: Vec<String>,
}

/// Why there is no statement.
pub enum No {
    Wrong(Fault),
    Unreadable(String),
}

fn wrong(place: impl Into<String>, reason: impl ToString) -> No {
    No::Wrong(Fault { place: place.into(), reason: reason.to_string() })
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> No {
    move |error| No::Unreadable(format!("cannot read {}: {error}", path.display()))
}

/// Whether a file is of an export. Standard input is not: it is read once, and an export is read twice.
pub fn kind(path: &Path) -> Option<Kind> {
    let mut head = [0; MANIFEST.len()];
    let read = File::open(path).ok()?.take(head.len() as u64).read(&mut head).ok()?;
    let head = head.get(..read)?;
    if head.is_empty() {
        // Lines of a search that found nothing; any other empty file is not of an export.
        return manifest_beside(path).exists().then_some(Kind::Lines);
    }
    if head == MANIFEST { Some(Kind::Manifest) } else { head.starts_with(LINE).then_some(Kind::Lines) }
}

/// Checks an export, given its manifest or its lines.
pub fn check(path: &Path, kind: Kind, pinned: &VerifierKey, keys: &[EventFile]) -> Result<Statement, No> {
    let (manifest, lines) = match kind {
        Kind::Manifest => (read_manifest(path)?, None),
        Kind::Lines => {
            let (manifest, end) = find_manifest(path)?;
            (manifest, Some((path.to_owned(), end)))
        }
    };
    if !manifest.finished {
        return Err(wrong("manifest", "the export was not finished: go on with it by --resume"));
    }
    let (checkpoint, rotations) = manifest.open(pinned, keys).map_err(|why| wrong(why.place().to_string(), why))?;
    let beside = |file: &ExportFile| place_of(path, file);
    let lines = match lines {
        Some(lines) => Some(lines),
        None if manifest.encoding == "ndjson" => manifest.files.first().map(|file| (beside(file), None)),
        None => None,
    };
    let verified = match lines {
        Some((data, end)) => Some(check_lines(&data, end, checkpoint.clone(), &manifest)?),
        None if manifest.encoding == "ndjson" || (manifest.files.is_empty() && manifest.count > 0) => {
            return Err(wrong("manifest", format!("it names no file in which the {} entries would be", manifest.count)));
        }
        None => {
            for file in &manifest.files {
                check_file(&beside(file), file)?;
            }
            None
        }
    };
    let size = checkpoint.checkpoint.size.0;
    if manifest.query == EVERYTHING && manifest.complete && manifest.count < size {
        let missing = size - manifest.count;
        return Err(wrong(
            "lines",
            format!("it is said to be everything, and {missing} of the {size} entries of the log are not there: they were dropped"),
        ));
    }
    Ok(Statement {
        query: manifest.query,
        encoding: manifest.encoding,
        checkpoint,
        pinned: pinned.clone(),
        rotations,
        count: manifest.count,
        lines: verified,
        complete: manifest.complete,
        files: manifest.files.into_iter().map(|file| file.name).collect(),
    })
}

/// A file lies beside its manifest; a part of a table, in the directory that has the manifest's name.
fn place_of(manifest: &Path, file: &ExportFile) -> PathBuf {
    let name = manifest.file_name().and_then(|name| name.to_str());
    let parts = name.and_then(|name| name.strip_suffix(".manifest.json")).map(|name| manifest.with_file_name(name));
    parts.filter(|parts| parts.is_dir()).map_or_else(|| manifest.with_file_name(&file.name), |parts| parts.join(&file.name))
}

fn read_manifest(path: &Path) -> Result<ExportManifest, No> {
    let mut bytes = Vec::new();
    let limit = LINE_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable(path))?;
    ExportManifest::parse(&bytes).map_err(|why| wrong("manifest", why))
}

/// Where the manifest of a file of lines lies, if it is not in it.
fn manifest_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".manifest.json");
    PathBuf::from(beside)
}

/// The manifest of a file of lines: its own last line, whose place is given too, or the file beside it.
fn find_manifest(path: &Path) -> Result<(ExportManifest, Option<u64>), No> {
    let failed = unreadable(path);
    let mut file = File::open(path).map_err(&failed)?;
    let length = file.metadata().map_err(&failed)?.len();
    let from = length.saturating_sub(LINE_BYTES_MAX as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut tail)).map_err(&failed)?;
    let text = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let begin = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = text.get(begin..).unwrap_or_default();
    if last.starts_with(MANIFEST) {
        let manifest = ExportManifest::parse(last).map_err(|why| wrong("manifest", why))?;
        return Ok((manifest, Some(from + begin as u64)));
    }
    let beside = manifest_beside(path);
    if !beside.exists() {
        let why = format!("its last line is no manifest, and {} is not there: what was exported may not be all of it", beside.display());
        return Err(wrong("file", why));
    }
    Ok((read_manifest(&beside)?, None))
}

/// Checks the lines up to `end`, and the file they stand in if the manifest names it.
fn check_lines(path: &Path, end: Option<u64>, checkpoint: VerifiedCheckpoint, manifest: &ExportManifest) -> Result<VerifiedExport, No> {
    let failed = unreadable(path);
    let file = File::open(path).map_err(&failed)?;
    let mut lines = BufReader::with_capacity(1 << 20, file).take(end.unwrap_or(u64::MAX));
    let (mut check, mut hash, mut bytes, mut number) = (ExportCheck::begin(checkpoint), Sha256::new(), 0_u64, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line).map_err(&failed)?;
        if read == 0 {
            break;
        }
        hash.update(&line);
        bytes += read as u64;
        number += 1;
        let place = |number: u64| format!("line {number}");
        let text = line.strip_suffix(b"\n").ok_or_else(|| wrong(place(number), "it has no end, or is too long"))?;
        let read = ExportLine::parse(text).map_err(|why| wrong(place(number), why))?;
        check.take(&read).map_err(|why| wrong(format!("{}, entry {}", place(number), read.index), why))?;
    }
    let verified = check.finish(manifest).map_err(|why| wrong("lines", why))?;
    if end.is_none()
        && let Some(file) = manifest.files.first()
    {
        compare(file, bytes, hash)?;
    }
    Ok(verified)
}

fn check_file(path: &Path, file: &ExportFile) -> Result<(), No> {
    let failed = unreadable(path);
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut data = BufReader::with_capacity(1 << 20, File::open(path).map_err(&failed)?);
    loop {
        let read = data.fill_buf().map_err(&failed)?;
        if read.is_empty() {
            return compare(file, bytes, hash);
        }
        hash.update(read);
        let length = read.len();
        bytes += length as u64;
        data.consume(length);
    }
}

fn compare(file: &ExportFile, bytes: u64, hash: Sha256) -> Result<(), No> {
    let hash: [u8; 32] = hash.finalize().into();
    if bytes != file.bytes || hash != file.sha256 {
        return Err(wrong(&file.name, format!("it has not the {} bytes with the SHA-256 that the manifest says", file.bytes)));
    }
    Ok(())
}
