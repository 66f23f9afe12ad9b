//! Man pages of `kubectl anomaly` and its commands, into a folder: `cargo run --example kubectl_anomaly_man -- FOLDER`.

use clap::CommandFactory;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("usage: kubectl_anomaly_man FOLDER");
    clap_mangen::generate_to(kubectl_anomaly::arguments::Cli::command(), folder)
}
