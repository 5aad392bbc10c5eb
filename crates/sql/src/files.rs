//! The lake files of one query, opened before it begins: what happens to the directory meanwhile changes nothing.
//!
//! To DataFusion they are an object store that holds nothing else and takes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use indelible::cli::failure::Failure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A file that is to be opened.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its name in the lake.
    pub name: &'a str,
    /// Where it stands.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Open files by their names.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<Path, Opened>);

#[derive(Debug)]
struct Opened {
    file: Arc<File>,
    bytes: u64,
}

impl Files {
    /// Opens them.
    ///
    /// # Errors
    /// One cannot be opened, or has another length by now.
    pub fn open<'a>(wanted: impl Iterator<Item = Wanted<'a>>) -> Result<Self, Failure> {
        allow_many_files();
        let mut files = BTreeMap::new();
        for Wanted { name, path, bytes } in wanted {
            let file = File::open(&path).map_err(Failure::at(path.display()))?;
            if file.metadata().map_err(Failure::at(path.display()))?.len() != bytes {
                return Err(Failure::new(format!("{} was made again while it was being opened: ask once more", path.display())));
            }
            files.insert(Path::from(name), Opened { file: Arc::new(file), bytes });
        }
        Ok(Self(files))
    }

    fn metas(&self, prefix: Option<&Path>) -> Vec<ObjectMeta> {
        let within = |path: &&Path| prefix.is_none_or(|prefix| path.prefix_matches(prefix));
        self.0.iter().filter(|(path, _)| within(path)).map(|(path, opened)| opened.meta(path)).collect()
    }
}

impl Opened {
    fn meta(&self, location: &Path) -> ObjectMeta {
        // A file that is open does not change: nobody has to compare versions of it.
        ObjectMeta { location: location.clone(), last_modified: Default::default(), size: self.bytes, e_tag: None, version: None }
    }
}

/// A lake has a file for 65,536 entries, and systems let a process open 1,024 files unless it asks for more.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, a file that is one too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "lake", source: why.into() }
}

fn read_only() -> Error {
    Error::NotSupported { source: "the lake is only read".into() }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lake")
    }
}

#[async_trait]
impl ObjectStore for Files {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let unknown = || Error::NotFound { path: location.to_string(), source: "it is not in the lake".into() };
        let opened = self.0.get(location).ok_or_else(unknown)?;
        let meta = opened.meta(location);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(failed)?,
            None => 0..meta.size,
        };
        let bytes = if options.head {
            Bytes::new()
        } else {
            let (file, at, length) = (Arc::clone(&opened.file), range.start, usize::try_from(range.end - range.start).map_err(failed)?);
            let read = move || {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, at).map(|()| Bytes::from(bytes))
            };
            tokio::task::spawn_blocking(read).await.map_err(failed)?.map_err(failed)?
        };
        let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(self.metas(prefix).into_iter().map(Ok)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Ok(ListResult { common_prefixes: Vec::new(), objects: self.metas(prefix) })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only())
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(read_only()) }).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use datafusion::object_store::ObjectStoreExt as _;

    #[test]
    fn a_file_that_is_open_is_read_as_it_was_and_nothing_else_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (path, beside) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"));
        std::fs::write(&path, b"0123456789").unwrap();
        std::fs::write(&beside, b"other").unwrap();
        let wanted = |bytes| [Wanted { name: "a.parquet", path: path.clone(), bytes }].into_iter();
        assert!(Files::open(wanted(9)).is_err());
        let files = Files::open(wanted(10)).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let name = Path::from("a.parquet");
            assert_eq!(files.get_range(&name, 2..5).await.unwrap(), "234");
            assert_eq!(files.get(&name).await.unwrap().bytes().await.unwrap(), "0123456789");
            assert!(files.get_range(&name, 10..12).await.is_err());
            assert_eq!(files.head(&name).await.unwrap().size, 10);
            assert!(files.get(&Path::from("b.parquet")).await.is_err());
            assert_eq!(files.list(None).count().await, 1);
            assert!(files.put(&name, PutPayload::from_static(b"x")).await.is_err());
            assert!(files.delete(&name).await.is_err());
            assert!(files.copy(&name, &Path::from("c")).await.is_err());
        });
    }
}
