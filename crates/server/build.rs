//! Puts the folders of `sources/` into the binary: adding a kind of source takes a folder and no Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// From the package's directory, where Cargo runs this. Nothing here may hold an absolute path: clones in
/// different places share a target directory, and with it this program and what it wrote.
const SOURCES: &str = "../../sources";

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
