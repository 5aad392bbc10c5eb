//! Prints what a commitment and a cut cost for the events of a file (one a line):
//! `cargo run --release -p evidence --example commit_speed -- FILE`.

use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: commit_speed FILE")?;
    let file = std::fs::read(path)?;
    let facts = evidence::Facts::new("aws-prod", "http").to_bytes();
    for raw in file.split(|b| *b == b'\n').filter(|raw| !raw.is_empty()).take(8) {
        let mut cuts = Vec::new();
        let cut_ns = nanoseconds(|| evidence::cut(black_box(raw), &mut cuts));
        let mut salt = [7; 16];
        let commit_ns = nanoseconds(|| {
            let commitment = evidence::commit(&salt, black_box(&facts), br#"{"id":"e-0"}"#, raw, &cuts);
            salt.copy_from_slice(commitment.split_at(16).0);
        });
        println!(
            "{} bytes in {} parts: cut {cut_ns:.0} ns ({:.2} GB/s), commit {commit_ns:.0} ns",
            raw.len(),
            cuts.len() + 2,
            raw.len() as f64 / cut_ns
        );
    }
    Ok(())
}

/// The best of five rounds: the one least disturbed by neighbours.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    const ROUNDS: u32 = 20_000;
    (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min)
}
