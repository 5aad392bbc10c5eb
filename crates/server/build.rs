//! Puts the folders of `sources/` into the binary: adding a kind of source takes a folder and no Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources");
    println!("cargo::rerun-if-changed={}", sources.display());
    let mut folders: Vec<PathBuf> = Vec::new();
    if sources.is_dir() {
        for entry in std::fs::read_dir(&sources)? {
            let folder = entry?.path();
            if folder.join("map.toml").is_file() {
                folders.push(folder);
            }
        }
    }
    folders.sort();
    let mut code = String::from("/// Every folder of `sources/`.\npub const BUILT_IN: &[BuiltIn] = &[\n");
    for folder in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        let file = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { format!("include_str!({:?})", path.display().to_string()) } else { "\"\"".to_owned() }
        };
        let kind = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (map, samples, expected) = (file("map.toml"), file("samples.ndjson"), file("expected.ndjson"));
        writeln!(code, "    BuiltIn {{ kind: {kind:?}, map: {map}, samples: {samples}, expected: {expected} }},")?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("built_in_sources.rs"), code)?;
    Ok(())
}
