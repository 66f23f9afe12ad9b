//! Two replicas as separate processes, and a receiver that both could call: only one of them does.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::running::{Running, ask, free_port};

/// Longer than a replica waits for the one before it.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that accepts all requests, and the `webhook-id` of each of them.
fn receiver() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, ids) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let id = taken(stream.unwrap());
            if id.is_some_and(|id| sender.send(id).is_err()) {
                return;
            }
        }
    });
    (url, ids)
}

/// Read a request, answer it, and return its `webhook-id`.
fn taken(mut stream: TcpStream) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap();
    let mut body = vec![0; header("content-length:").parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    Some(header("webhook-id:").to_owned())
}

/// Wait until a replica counts a message with this outcome.
fn until(replica: &Running, outcome: &str) {
    let series = format!("outcome=\"{outcome}\",");
    let counts = |text: String| {
        let line = text
            .lines()
            .find(|line| line.starts_with("anomaly_notifications_total") && line.contains(&series));
        line.is_some_and(|line| !line.ends_with(" 0"))
    };
    let deadline = Instant::now() + PATIENCE;
    while !ask(replica.metrics, "GET /metrics", "").is_some_and(counts) {
        assert!(Instant::now() < deadline, "no message is {outcome}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn of_two_replicas_one_notifies_and_when_it_is_gone_the_other_one_does() {
    let (url, ids) = receiver();
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("pump.yaml");
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: pump, namespace: plant}}\nspec:\n  interval: 100ms\n  \
         sources: [{{name: s, simulated: {{sensors: [{{name: heat, noise: {{gaussian: {{standardDeviation: 1}}}}, \
         faults: [{{type: Spike, meanInterval: 4s, duration: 500ms, magnitude: 50}}]}}]}}}}]\n  \
         model: {{train: {{samples: 500, trees: 20, dataEndTime: 2026-01-01T00:00:00Z}}}}\n  \
         threshold: {{contamination: 0.1}}\n  adaptation: {{policy: Fixed}}\n  alarm: {{minimumDuration: 0s, coolDown: 0s}}\n  \
         notifications: [{{name: chat, webhook: {{url: '{url}'}}}}]\n"
    );
    std::fs::write(&manifest, text).unwrap();
    let mut addresses = [free_port(), free_port()];
    addresses.sort();
    let peers = addresses.map(|address| address.to_string()).join(",");
    let [first, second] = addresses.map(|address| {
        let arguments = ["--peers", &peers, "--pod-ip", "127.0.0.1"];
        Running::start_at([free_port(), address], folder.path(), &manifest, &arguments)
    });

    until(&second, "delivered_by_peer");
    until(&first, "delivered");
    let sent: Vec<String> = ids.try_iter().collect();
    assert_eq!(sent.iter().collect::<HashSet<_>>().len(), sent.len(), "each message is sent once: {sent:?}");
    drop(first);
    until(&second, "delivered");
}
