//! `kubectl anomaly open NAME`: the page of a detector in a browser, through a port of this machine.

use std::process::{Command, Stdio};

use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;

use crate::cluster::Place;
use crate::detector::{Detector, Named};
use crate::error::CommandError;
use crate::output::print;
use crate::request::DetectorRequest;

/// Open the detector's page in a browser, until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct OpenArgs {
    #[command(flatten)]
    named: Named,
    /// The local port of the page; 0 for any free port
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print the address without opening a browser
    #[arg(long)]
    no_browser: bool,
}

/// Run the command.
///
/// # Errors
/// The detector cannot be reached, or the port is taken.
pub async fn run(args: &OpenArgs, place: &Place) -> Result<(), CommandError> {
    let detector = Detector::find(&args.named, place).await?;
    detector.request(DetectorRequest::get("/")).await?; // fail here, not with an empty page in the browser
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    let address = format!("http://{}/", listener.local_addr()?);
    print(&address)?;
    if !args.no_browser {
        browse(&address);
    }
    loop {
        let (mut browser, _) = listener.accept().await?;
        let detector = detector.clone();
        tokio::spawn(async move {
            match detector.stream().await {
                // The browser retries where a connection breaks.
                Ok(mut stream) => drop(copy_bidirectional(&mut browser, &mut stream).await),
                Err(error) => eprintln!("error: {error}"),
            }
        });
    }
}

/// Open the address in this machine's browser. Where there is none, nothing happens: the address is printed
/// anyway.
fn browse(address: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    tokio::task::spawn_blocking(move || command.status());
}
