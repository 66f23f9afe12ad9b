//! Servers that sources connect to, and a proxy between them, each a process of its own on free ports of this
//! machine. `tests/brokers` installs or builds them.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::running::{ask_with, free_port, wait_for};

/// Wait until a server listens at this address.
fn listening(what: &str, address: SocketAddr) {
    wait_for(&format!("{what} listens"), || TcpStream::connect(address).ok());
}

/// A process; killed, as by kill -9, when it is dropped.
pub struct Process(Child);

impl Process {
    /// Start the program with these arguments, and wait until it listens.
    pub fn start(program: &str, arguments: &[&str], address: SocketAddr) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}: see tests/brokers"));
        let process = Self(child);
        listening(program, address);
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Publish to a broker; each line is a message.
pub fn publish(address: SocketAddr, topic: &str, lines: &str, arguments: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &address.port().to_string(), "-t", topic, "-l"]);
    let mut child = command.args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Start mochi-mqtt, a broker in Go, without any access control.
pub fn mochi(address: SocketAddr) -> Process {
    let (tcp, web, info) = (address.to_string(), free_port().to_string(), free_port().to_string());
    Process::start("mochi-mqtt", &["-tcp", &tcp, "-ws", &web, "-info", &info], address)
}

/// toxiproxy between a client and a server: its toxics define what it does to their connections.
pub struct Toxiproxy {
    _process: Process,
    api: SocketAddr,
    /// Where the client connects to.
    pub address: SocketAddr,
}

impl Toxiproxy {
    pub fn before(server: SocketAddr) -> Self {
        let (api, address) = (free_port(), free_port());
        let port = api.port().to_string();
        let process = Process::start("toxiproxy-server", &["-host", "127.0.0.1", "-port", &port], api);
        let proxy = Self { _process: process, api, address };
        proxy.call("POST", "", &json!({"name": "server", "listen": address, "upstream": server}));
        proxy
    }

    /// Add a toxic, for example `timeout` with no data ever: a connection that is half open.
    pub fn add(&self, kind: &str, stream: &str, attributes: &Value) {
        let toxic = json!({"name": format!("{kind}-{stream}"), "type": kind, "stream": stream, "attributes": attributes});
        self.call("POST", "/server/toxics", &toxic);
    }

    pub fn remove(&self, kind: &str, stream: &str) {
        self.call("DELETE", &format!("/server/toxics/{kind}-{stream}"), &Value::Null);
    }

    /// Cut all connections and take no new ones, or take them again.
    pub fn enable(&self, enabled: bool) {
        self.call("POST", "/server", &json!({"enabled": enabled}));
    }

    fn call(&self, method: &str, path: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!("{method} /proxies{path}");
        let (code, answer) = ask_with(self.api, &request, "User-Agent: tests\r\n", &body).unwrap();
        assert!((200..300).contains(&code), "{request}: {code} {answer}");
    }
}

/// A broker with its folder; killed, as by kill -9, when it is dropped.
pub struct Mosquitto {
    folder: tempfile::TempDir,
    pub address: SocketAddr,
    child: Child,
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Mosquitto {
    /// Start it with these lines after the one of its listener; FOLDER in them is its folder.
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, config)
    }

    pub fn start_in(folder: tempfile::TempDir, config: &str) -> Self {
        let address = free_port();
        let config = config.replace("FOLDER", &folder.path().display().to_string());
        let config = format!(
            "user root\nlog_dest none\nper_listener_settings false\nlistener {} 127.0.0.1\n{config}\n",
            address.port()
        );
        fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let child = Self::spawn(folder.path(), address);
        Self { folder, address, child }
    }

    fn spawn(folder: &Path, address: SocketAddr) -> Child {
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(folder.join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("mosquitto is installed: tests/brokers does it");
        listening("mosquitto", address);
        child
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = Self::spawn(self.folder.path(), self.address);
    }

    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Publish to the broker; each line is a message.
    pub fn publish(&self, topic: &str, lines: &str, arguments: &[&str]) {
        publish(self.address, topic, lines, arguments);
    }
}
