//! The binary `indelible`: nothing but the command line of the library, and what gives it memory.

use std::process::ExitCode;

/// Mapping, indexing and answering make many small values that live for a moment: docs/BENCHMARKS.md.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    indelible::cli::main()
}
