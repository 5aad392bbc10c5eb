//! The binary `indelible`: nothing but the command line of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    indelible::cli::main()
}
