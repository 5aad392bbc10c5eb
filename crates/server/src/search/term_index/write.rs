//! Makes the index of a payload file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use evidence::act::PayloadFile;
use serde_json::Value;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::SingleSegmentIndexWriter;
use tantivy::store::Compressor;
use tantivy::{Index, IndexSettings, TantivyDocument, TantivyError};

use super::{ABOUT, About, Fields, VERSION, id_hash};
use crate::search::compare::fold;
use crate::search::document::Document;
use crate::search::field::{Field, Name};
use crate::search::spelling::Spellings;

/// Bytes of memory that tantivy may fill before it wants to write a second segment, which it does not here:
/// the terms of 65,536 entries take a third of it.
const MEMORY_BYTES: usize = 256 << 20;

/// An index that grows, in a directory of its own beside its place.
pub struct Builder {
    fields: Fields,
    writer: SingleSegmentIndexWriter,
    about: About,
    /// The terms that an entry has of a field.
    terms: Distinct,
    temporary: PathBuf,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("temporary", &self.temporary).finish_non_exhaustive()
    }
}

/// Texts, each once. One that is filled again and again takes no new memory.
#[derive(Debug, Default)]
struct Distinct {
    text: String,
    spans: Vec<Range<usize>>,
}

impl Distinct {
    fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Takes one in; false when it is there already.
    fn insert(&mut self, new: &str) -> bool {
        if self.spans.iter().any(|span| self.text.get(span.clone()) == Some(new)) {
            return false;
        }
        let start = self.text.len();
        self.text.push_str(new);
        self.spans.push(start..self.text.len());
        true
    }
}

/// What tantivy says, as what the system says.
fn failed(why: TantivyError) -> io::Error {
    match why {
        TantivyError::IoError(why) => io::Error::new(why.kind(), why.to_string()),
        other => io::Error::other(other.to_string()),
    }
}

/// Tantivy's list of what an index has.
const META: &str = "meta.json";
/// What every segment is called, in place of the random UUID that tantivy gives: what is derived of the same
/// file is then the same, byte for byte.
const SEGMENT: &str = "00000000-0000-0000-0000-000000000001";

/// Gives a file of the index its lasting name; what it is called then, and its bytes.
fn named_alike(path: &Path, name: String) -> io::Result<(String, Vec<u8>)> {
    let bytes = fs::read(path)?;
    if name == META {
        let mut meta: Value = serde_json::from_slice(&bytes)?;
        if let Some(id) = meta.pointer_mut("/segments/0/segment_id") {
            *id = SEGMENT.into();
        }
        let bytes = serde_json::to_vec(&meta)?;
        fs::write(path, &bytes)?;
        return Ok((name, bytes));
    }
    let Some((_, ending)) = name.split_once('.') else { return Ok((name, bytes)) };
    let name = format!("{}.{ending}", SEGMENT.replace('-', ""));
    fs::rename(path, path.with_file_name(&name))?;
    Ok((name, bytes))
}

impl Builder {
    /// Begins an index that is to stand at `path`.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("tmp");
        if temporary.exists() {
            fs::remove_dir_all(&temporary)?;
        }
        fs::create_dir_all(&temporary)?;
        let fields = Fields::new();
        let settings =
            IndexSettings { docstore_compression: Compressor::None, docstore_compress_dedicated_thread: false, ..Default::default() };
        let directory = MmapDirectory::open(&temporary).map_err(|why| io::Error::other(why.to_string()))?;
        let builder = Index::builder().schema(fields.schema.clone()).settings(settings);
        let writer = builder.single_segment_index_writer(directory, MEMORY_BYTES).map_err(failed)?;
        Ok(Self { fields, writer, about: About::default(), terms: Distinct::default(), temporary })
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::search) fn add(&mut self, document: &Document<'_>, spellings: &mut Spellings) -> io::Result<()> {
        // In the order of the schema, so that tantivy, which sorts them, has nothing to move.
        let mut row = TantivyDocument::new();
        for (name, field) in &self.fields.terms {
            let (respelled, known) = (&mut self.about.respelled, &mut self.terms);
            known.clear();
            document.values(&Field::Named(*name), &mut |value| {
                spellings.with(value, |spelling| {
                    let (own, canonical) = spelling.terms(value);
                    *respelled |= canonical.is_some();
                    for term in std::iter::once(own).chain(canonical) {
                        if known.insert(term) {
                            row.add_text(*field, term);
                        }
                    }
                });
                false
            });
        }
        for (name, field) in &self.fields.firsts {
            document.values(&Field::Named(*name), &mut |value| {
                row.add_text(*field, value);
                true
            });
        }
        row.add_u64(self.fields.index, document.index());
        row.add_i64(self.fields.time, document.time_ms());
        row.add_i64(self.fields.received, document.received_ms());
        row.add_u64(self.fields.entry, document.kind().byte().into());
        row.add_u64(self.fields.source, document.source().into());
        document.values(&Field::Named(Name::Id), &mut |id| {
            row.add_u64(self.fields.id, id_hash(&fold(id)));
            false
        });
        self.writer.add_document(row).map_err(failed)
    }

    /// Writes it and puts it in its place. It is derived, so it need not outlive a power cut: what is
    /// half there fails its checksums and is made again.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self, path: &Path, of: &PayloadFile, maps: &str) -> io::Result<()> {
        let Self { writer, mut about, temporary, .. } = self;
        writer.finalize().map_err(failed)?;
        for entry in fs::read_dir(&temporary)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Locks and the list of files are tantivy's own, for writers that come back; none does.
            if name.starts_with('.') {
                fs::remove_file(entry.path())?;
                continue;
            }
            let (name, bytes) = named_alike(&entry.path(), name)?;
            about.sums.insert(name, crc32c::crc32c(&bytes));
        }
        about.version = VERSION;
        about.file = tlog::canonical::hex(&of.sha256);
        maps.clone_into(&mut about.maps);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(temporary.join(ABOUT))?;
        file.write_all(&serde_json::to_vec(&about)?)?;
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        fs::rename(&temporary, path)
    }
}
