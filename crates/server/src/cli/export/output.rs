//! The files of an export, and the manifest that vouches for them.
//!
//! INVARIANT: the manifest on disk describes bytes that are durable. So after an interruption everything
//! behind them is cut off, and the export goes on as if it had never been there. Until there is a manifest, lines grow
//! under a name of their own: what is interrupted before is begun anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::cli::failure::Failure;
use crate::export::manifest::File as Listed;
use crate::export::{Encoder, Encoding, Manifest, Page};

/// A part of a Parquet export ends when it has so many bytes, or entries: a part that is interrupted is
/// written again.
const PART_BYTES: u64 = 128 << 20;
/// See [`PART_BYTES`].
const PART_LINES: u64 = 1_000_000;

/// See the module.
pub struct Output {
    path: PathBuf,
    manifest_path: PathBuf,
    encoding: Encoding,
    /// What was added, sealed or not.
    manifest: Option<Manifest>,
    /// Files that are whole; of one that grows, what is durable.
    sealed: Vec<Listed>,
    open: Option<Open>,
}

/// The file that is being written.
struct Open {
    file: File,
    at: PathBuf,
    name: String,
    encoder: Encoder,
    hash: Context,
    bytes: u64,
    count: u64,
}

fn name_of(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| Failure::new(format!("--output {} has no name that is text", path.display())))
}

fn part_name(nth: usize) -> String {
    format!("part-{nth:05}.parquet")
}

fn hexadecimal(hash: &Context) -> String {
    hash.clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Output {
    /// A new export; nothing that is there is touched.
    ///
    /// # Errors
    /// There is something, or it cannot be made.
    pub fn begin(path: &Path, encoding: Encoding) -> Result<Self, Failure> {
        let output = Self::at(path, encoding)?;
        for there in [path, &output.manifest_path, &output.unfinished()?] {
            if there.exists() {
                return Err(Failure::new(format!("{} is there already: go on with it by --resume, or remove it", there.display())));
            }
        }
        Ok(output)
    }

    /// Takes up an export that was interrupted.
    ///
    /// # Errors
    /// It is another one, it was changed, or it cannot be read.
    pub fn resume(path: &Path, encoding: Encoding, query: &str) -> Result<Self, Failure> {
        let mut output = Self::at(path, encoding)?;
        let at = output.manifest_path.display().to_string();
        let text = match fs::read(&output.manifest_path) {
            Ok(text) => text,
            // It was interrupted before anything was vouched for; or it never was an export.
            Err(why) if why.kind() == io::ErrorKind::NotFound && !path.is_file() => return Ok(output),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let message =
                    format!("{} is there, and no manifest that would say how far it came: remove it to begin anew", path.display());
                return Err(Failure::new(message));
            }
            Err(why) => return Err(Failure::new(format!("{at}: {why}"))),
        };
        let mut manifest: Manifest = serde_json::from_slice(&text).map_err(Failure::at(&at))?;
        if manifest.query != query || manifest.encoding != encoding.word() {
            return Err(Failure::new(format!(
                "{at} is of the export of {:?} as {}: give that line and that format, or another --output",
                manifest.query, manifest.encoding
            )));
        }
        output.sealed = std::mem::take(&mut manifest.files);
        output.manifest = Some(manifest);
        if encoding != Encoding::Parquet
            && let Some(listed) = output.sealed.first().cloned()
        {
            output.open = Some(output.reopen(&listed)?);
        }
        Ok(output)
    }

    fn at(path: &Path, encoding: Encoding) -> Result<Self, Failure> {
        let name = name_of(path)?;
        let manifest_path = path.with_file_name(format!("{name}.manifest.json"));
        Ok(Self { path: path.to_owned(), manifest_path, encoding, manifest: None, sealed: Vec::new(), open: None })
    }

    /// What was exported so far.
    pub const fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Where the manifest lies.
    pub fn manifest_path(&self) -> &Path {
        &self.manifest_path
    }

    /// Adds a page.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, page: Page) -> Result<(), Failure> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_next()?,
        };
        let bytes = open.encoder.write(&page.lines)?;
        open.append(&bytes)?;
        open.count += page.manifest.count;
        match &mut self.manifest {
            Some(manifest) => manifest.join(page.manifest),
            None => self.manifest = Some(Manifest { encoding: self.encoding.word().to_owned(), ..page.manifest }),
        }
        let ends = self.manifest.as_ref().is_some_and(|manifest| manifest.next.is_none());
        if self.encoding != Encoding::Parquet {
            return self.vouch(open, ends);
        }
        if ends || open.bytes >= PART_BYTES || open.count >= PART_LINES {
            return self.seal_part(open);
        }
        self.open = Some(open);
        Ok(())
    }

    /// A file that grows: what is in it now is durable.
    fn vouch(&mut self, mut open: Open, ends: bool) -> Result<(), Failure> {
        if ends {
            let encoder = std::mem::replace(&mut open.encoder, Encoder::Ndjson);
            let bytes = encoder.end()?;
            open.append(&bytes)?;
        }
        open.file.sync_data().map_err(Failure::at(open.at.display()))?;
        self.sealed = vec![open.listed()];
        self.save()?;
        self.take_its_place(&open.at)?;
        open.at.clone_from(&self.path);
        self.open = Some(open);
        Ok(())
    }

    /// Gives lines that are vouched for their own name, if they have another.
    fn take_its_place(&self, at: &Path) -> Result<(), Failure> {
        if at == self.path {
            return Ok(());
        }
        fs::rename(at, &self.path).map_err(Failure::at(self.path.display()))?;
        sync_dir(self.path.parent().unwrap_or(Path::new(".")))
    }

    /// The name of lines that nothing vouches for yet.
    fn unfinished(&self) -> Result<PathBuf, Failure> {
        Ok(self.path.with_file_name(format!("{}.tmp", name_of(&self.path)?)))
    }

    fn seal_part(&mut self, mut open: Open) -> Result<(), Failure> {
        let encoder = std::mem::replace(&mut open.encoder, Encoder::Ndjson);
        let bytes = encoder.end()?;
        open.append(&bytes)?;
        open.file.sync_data().map_err(Failure::at(open.at.display()))?;
        fs::rename(&open.at, self.path.join(&open.name)).map_err(Failure::at(open.at.display()))?;
        sync_dir(&self.path)?;
        self.sealed.push(open.listed());
        self.save()
    }

    fn save(&mut self) -> Result<(), Failure> {
        let Some(manifest) = &mut self.manifest else { return Ok(()) };
        manifest.files.clone_from(&self.sealed);
        let mut text = serde_json::to_vec(manifest)?;
        text.push(b'\n');
        let temporary = self.manifest_path.with_extension("json.tmp");
        let written = File::create(&temporary).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
        written.and_then(|()| fs::rename(&temporary, &self.manifest_path)).map_err(Failure::at(self.manifest_path.display()))?;
        sync_dir(self.manifest_path.parent().unwrap_or(Path::new(".")))
    }

    fn open_next(&self) -> Result<Open, Failure> {
        let (at, name) = if self.encoding == Encoding::Parquet {
            fs::create_dir_all(&self.path).map_err(Failure::at(self.path.display()))?;
            let name = part_name(self.sealed.len());
            (self.path.join(format!("{name}.tmp")), name)
        } else {
            (self.unfinished()?, name_of(&self.path)?)
        };
        let file = File::create(&at).map_err(Failure::at(at.display()))?;
        Ok(Open { file, at, name, encoder: Encoder::begin(self.encoding)?, hash: Context::new(&SHA256), bytes: 0, count: 0 })
    }

    /// Opens a file where its manifest ends.
    fn reopen(&self, listed: &Listed) -> Result<Open, Failure> {
        // Interrupted between the manifest and the file's own name.
        let unfinished = self.unfinished()?;
        let at = if !self.path.exists() && unfinished.exists() { unfinished } else { self.path.clone() };
        let failed = || Failure::at(at.display());
        let changed = |why: &str| Failure::new(format!("{} {why}: it was changed since; export to another file", self.path.display()));
        let mut file = OpenOptions::new().read(true).append(true).open(&at).map_err(failed())?;
        let mut hash = Context::new(&SHA256);
        let read = io::copy(&mut Read::by_ref(&mut file).take(listed.bytes), &mut Hashing(&mut hash)).map_err(failed())?;
        if read != listed.bytes {
            return Err(changed("is shorter than its manifest says"));
        }
        if hexadecimal(&hash) != listed.sha256 {
            return Err(changed("has not the SHA-256 that its manifest says"));
        }
        file.set_len(listed.bytes).map_err(failed())?;
        self.take_its_place(&at)?;
        let encoder = match Encoder::go_on(self.encoding).filter(|_| listed.bytes > 0) {
            Some(encoder) => encoder,
            None => Encoder::begin(self.encoding)?,
        };
        Ok(Open { file, name: listed.name.clone(), encoder, hash, bytes: listed.bytes, count: listed.count, at: self.path.clone() })
    }
}

impl Open {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(Failure::at(self.at.display()))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn listed(&self) -> Listed {
        Listed { name: self.name.clone(), bytes: self.bytes, sha256: hexadecimal(&self.hash), count: self.count }
    }
}

/// fsync the directory: a rename alone may roll back.
fn sync_dir(dir: &Path) -> Result<(), Failure> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Failure::at(dir.display()))
}

/// Takes bytes into a hash.
struct Hashing<'a>(&'a mut Context);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
