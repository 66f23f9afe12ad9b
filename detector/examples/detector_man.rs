//! Man pages of `detector` and its commands, into a folder: `cargo run --example detector_man -- FOLDER`.

use clap::CommandFactory;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("usage: detector_man FOLDER");
    clap_mangen::generate_to(detector::cli::arguments::Cli::command(), folder)
}
