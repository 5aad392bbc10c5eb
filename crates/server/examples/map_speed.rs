//! How fast one core maps records of a known kind, the JSON parse included, beside the parse alone and
//! beside a JSON library that makes a document of the same records.
//!
//! `cargo run --release -p indelible --example map_speed -- FILE [ROUNDS [SOURCES]]`: FILE has one record a line.

#![allow(clippy::print_stdout, reason = "its answer")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use indelible::intake::tape::Tape;
use indelible::source::{Catalog, Scratch};

const ROUNDS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("which file? one record a line")?;
    let rounds = args.next().map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut catalog = Catalog::built_in();
    if let Some(dir) = args.next() {
        catalog = catalog.with_directory(Path::new(&dir))?;
    }
    let text = std::fs::read_to_string(&file)?;
    let records: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let first = records.first().ok_or("the file has no record")?;
    let kind = catalog.recognise(first.as_bytes()).ok_or("no kind recognises the first record")?.kind;
    let bytes: usize = records.iter().map(|record| record.len()).sum();
    let per_second = |elapsed: std::time::Duration| (records.len() * rounds) as f64 / elapsed.as_secs_f64();

    let mut tape = Tape::default();
    let start = Instant::now();
    let mut nodes = 0;
    for _ in 0..rounds {
        for record in &records {
            tape.read(record)?;
            nodes += tape.len();
        }
    }
    let parse = start.elapsed();

    let start = Instant::now();
    let mut members = 0;
    for _ in 0..rounds {
        for record in &records {
            members += serde_json::from_str::<serde_json::Value>(record)?.as_object().map_or(0, serde_json::Map::len);
        }
    }
    let document = start.elapsed();

    let mut scratch = Scratch::default();
    let start = Instant::now();
    let mut written = 0;
    for _ in 0..rounds {
        for record in &records {
            written += catalog.map(record.as_bytes(), Some(&kind.name), 0, &mut scratch).ocsf.len();
        }
    }
    let map = start.elapsed();
    println!("{} records of {}, {} bytes each on average", records.len(), kind.name, bytes / records.len());
    println!(
        "parse alone      {:>9.0} records/s, {:.0} MB/s, {} nodes each",
        per_second(parse),
        (bytes * rounds) as f64 / parse.as_secs_f64() / 1e6,
        nodes / records.len() / rounds
    );
    println!("a document of it {:>9.0} records/s, {} members each", per_second(document), members / records.len() / rounds);
    println!("parse and map    {:>9.0} records/s, {} bytes of OCSF each", per_second(map), written / records.len() / rounds);
    Ok(())
}
