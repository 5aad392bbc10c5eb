//! Puts the folders of `sources/` into the binary: adding a kind of source takes a folder and no Rust. And a
//! checksum of the code that maps, so that what other code derived is known to be stale.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// From the package's directory, where Cargo runs this. Nothing here may hold an absolute path: clones in
/// different places share a target directory, and with it this program and what it wrote.
const SOURCES: &str = "../../sources";

/// Whatever decides what is derived of a record: our code, whole directories of it rather than a list that somebody
/// forgets to lengthen, and the versions of all that it calls.
const MAPPING_CODE: [&str; 8] = [
    "src/intake",
    "src/ocsf",
    "src/source",
    "src/search/document.rs",
    "src/search/field.rs",
    "src/search/lake",
    "../evidence/src",
    "../../Cargo.lock",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={SOURCES}");
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(SOURCES).map_err(|why| format!("{SOURCES}: {why}"))? {
        let folder = entry?.path();
        if folder.join("map.toml").is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    let mut code = String::from("/// Every folder of `sources/`.\npub const BUILT_IN: &[BuiltIn] = &[\n");
    for folder in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        let kind = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (map, samples, expected) = (text(&folder, "map.toml")?, text(&folder, "samples.ndjson")?, text(&folder, "expected.ndjson")?);
        writeln!(code, "    BuiltIn {{ kind: {kind:?}, map: {map:?}, samples: {samples:?}, expected: {expected:?} }},")?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("built_in_sources.rs"), code)?;
    let mut code = DefaultHasher::new();
    for path in MAPPING_CODE {
        println!("cargo::rerun-if-changed={path}");
        hash(Path::new(path), &mut code)?;
    }
    println!("cargo::rustc-env=INDELIBLE_MAPPING_CODE={:016x}", code.finish());
    Ok(())
}

/// Takes in a file, or all files of a directory, with their names.
fn hash(path: &Path, into: &mut DefaultHasher) -> Result<(), Box<dyn std::error::Error>> {
    let failed = |why| format!("{}: {why}", path.display());
    if path.is_dir() {
        let mut inside: Vec<_> = std::fs::read_dir(path).map_err(failed)?.collect::<Result<_, _>>()?;
        inside.sort_by_key(std::fs::DirEntry::path);
        return inside.iter().try_for_each(|entry| hash(&entry.path(), into));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    for part in [path.to_string_lossy().as_bytes(), &bytes] {
        into.write_usize(part.len());
        into.write(part);
    }
    Ok(())
}

/// A file of the folder; empty when there is none.
fn text(folder: &Path, name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(String::new());
    }
    Ok(std::fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?)
}
