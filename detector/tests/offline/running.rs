//! A detector that runs as a separate process: started on free ports, queried over HTTP, killed at the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for a condition.
const PATIENCE: Duration = Duration::from_secs(30);

/// Wait until a condition gives a value, and return it.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, condition)
}

/// The same with another time limit.
pub fn wait_within<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        pause();
    }
}

/// The pause between two checks of a condition. These tests have no other pause.
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A free port of loopback below 32768: the system gives clients the ports above, so no other program gets it
/// by chance. Each call gives another port.
pub fn free_port() -> SocketAddr {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(256).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from(([127, 0, 0, 1], 16_384 + (number % 16_384) as u16));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Send a request without further headers. Return the answer's body, if there is one.
pub fn ask(address: SocketAddr, request: &str, body: &str) -> Option<String> {
    ask_with(address, request, "", body).map(|(_, body)| body)
}

/// Send a request such as `POST /predict` with headers, each ending in CR LF. Return the answer's code and
/// body.
pub fn ask_with(address: SocketAddr, request: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_in_chunks = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_in_chunks { unchunked(body)? } else { body.to_owned() };
    Some((head.split(' ').nth(1)?.parse().ok()?, body))
}

/// Decode a body that was sent in chunks (RFC 9112, section 7.1).
fn unchunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, chunk) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(chunk.get(..size)?);
        rest = chunk.get(size..)?.strip_prefix("\r\n")?;
    }
}

/// A detector; killed, as by kill -9, when it is dropped.
pub struct Running {
    child: Child,
    pub predict: SocketAddr,
    pub metrics: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Running {
    /// `detector run MANIFEST ARGUMENTS` in a folder, on free ports.
    pub fn start(folder: &Path, manifest: &Path, arguments: &[&str]) -> Self {
        Self::start_at([free_port(), free_port()], folder, manifest, arguments)
    }

    /// The same with its log in a file of the folder, `log`.
    pub fn start_logged(folder: &Path, manifest: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("run").arg(manifest).args(arguments).current_dir(folder);
        command.stderr(std::fs::File::create(folder.join("log")).unwrap());
        Self::spawn(command, [free_port(), free_port()])
    }

    /// The same at two addresses: for predictions, and for metrics.
    pub fn start_at(
        [predict, metrics]: [SocketAddr; 2],
        folder: &Path,
        manifest: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("run").arg(manifest).args(arguments).current_dir(folder);
        Self::spawn(command, [predict, metrics])
    }

    /// `detector serve FILE ARGUMENTS`, on free ports.
    pub fn serve(file: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
        command.arg("serve").arg(file).args(arguments);
        Self::spawn(command, [free_port(), free_port()])
    }

    fn spawn(mut command: Command, [predict, metrics]: [SocketAddr; 2]) -> Self {
        command.args(["--predict-address", &predict.to_string(), "--metrics-address", &metrics.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        Self { child, predict, metrics }
    }

    /// What it reports to the operator; null while it does not answer.
    pub fn report(&self) -> Value {
        ask(self.metrics, "GET /status", "")
            .and_then(|body| serde_json::from_str(&body).ok())
            .unwrap_or_default()
    }

    /// The first report for which the condition holds.
    pub fn until(&self, condition: impl Fn(&Value) -> bool) -> Value {
        self.until_within(PATIENCE, condition)
    }

    /// The same with another time limit.
    pub fn until_within(&self, patience: Duration, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let report = self.report();
            if condition(&report) {
                return report;
            }
            assert!(Instant::now() < deadline, "the condition never held: {report}");
            pause();
        }
    }

    pub fn until_serving(&self) -> Value {
        self.until(|report| report["phase"]["name"] == "serving")
    }

    /// The value of the first series that begins with `series`; NaN, for which no condition holds, while
    /// there is none.
    pub fn metric(&self, series: &str) -> f64 {
        let text = ask(self.metrics, "GET /metrics", "").unwrap();
        let line = text.lines().find(|line| line.starts_with(series));
        line.map_or(f64::NAN, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
    }

    /// (arrived, scored + missing + refused + dropped), of the first source.
    pub fn accounts(&self) -> (f64, f64) {
        let outcome = |outcome| self.metric(&format!("anomaly_readings_total{{outcome=\"{outcome}\""));
        let arrived = self.metric("anomaly_readings_arrived_total");
        (arrived, ["scored", "missing", "refused", "dropped"].map(outcome).iter().sum())
    }

    /// Whether at least `least` readings have arrived, and each of them has an outcome.
    pub fn is_accounted(&self, least: usize) -> bool {
        let (arrived, accounted) = self.accounts();
        arrived >= least as f64 && (arrived - accounted).abs() < 0.5
    }

    /// Its resident memory, KiB.
    pub fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
