//! A pod on this machine's loopback: it returns a report and a model as a detector does, or wrong ones.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use crd::contract::{ARTIFACT_METADATA, METRICS_PORT};
use operator::models::artifact::digest;
use serde_json::{Value, json};

/// The last loopback address in use: every test has a pod with an address of its own.
static LAST: AtomicU8 = AtomicU8::new(0);

/// The answers of the pod.
#[derive(Default)]
struct Answers {
    report: Value,
    model: Option<Vec<u8>>,
    asked_for_model: usize,
}

/// A pod that runs.
pub struct Pod {
    address: Ipv4Addr,
    answers: Arc<Mutex<Answers>>,
}

impl Pod {
    /// Start a pod on an address of its own. It has no model yet.
    pub fn start() -> Self {
        let address = Ipv4Addr::new(127, 0, 88, 1 + LAST.fetch_add(1, Ordering::Relaxed));
        let listener = TcpListener::bind((address, METRICS_PORT)).unwrap();
        let answers = Arc::new(Mutex::new(Answers { report: report(&Value::Null), ..Answers::default() }));
        let shared = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&shared, &stream.unwrap());
            }
        });
        Self { address, answers }
    }

    /// The pod's object on the API server.
    pub fn object(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "pump-7d9f-x", "namespace": "plant",
                "labels": {
                    "app.kubernetes.io/managed-by": "anomaly-operator", "app.kubernetes.io/instance": "pump",
                    "pod-template-hash": "7d9f",
                },
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "pump-7d9f", "uid": "1", "controller": true}],
            },
            "status": {"phase": "Running", "podIP": self.address.to_string()},
        })
    }

    /// Make the pod serve the model of these bytes, of that recipe, trained up to that minute. Return the
    /// digest.
    pub fn serve(&self, bytes: &[u8], recipe: &str, minute: u8) -> String {
        let model = json!({
            "digest": digest(bytes), "trainedAt": "2026-11-22T12:59:00Z", "dataEndTime": format!("2026-11-22T12:{minute:02}:00Z"), "samples": 4096,
            "threshold": 0.61, "origin": "Trained", "recipe": recipe, "columns": ["temperature"], "bytes": bytes.len(),
        });
        let mut answers = self.answers.lock().unwrap();
        answers.report = report(&model);
        answers.model = Some(bytes.to_vec());
        digest(bytes)
    }

    /// Make the pod return these bytes as its model, or none, without a change of its report.
    pub fn give(&self, bytes: Option<&[u8]>) {
        self.answers.lock().unwrap().model = bytes.map(<[u8]>::to_vec);
    }

    /// How often the pod was asked for its model since the last call.
    pub fn asked_for_model(&self) -> usize {
        std::mem::take(&mut self.answers.lock().unwrap().asked_for_model)
    }
}

/// A model file of that recipe: a safetensors header, and trees that the operator does not read.
pub fn artifact(recipe: &str, trees: &str) -> Vec<u8> {
    let metadata = json!({"format": 1, "metadata": {"recipe": recipe}}).to_string();
    let header = json!({"__metadata__": {ARTIFACT_METADATA: metadata}}).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), trees.as_bytes()].concat()
}

fn report(model: &Value) -> Value {
    let phase = if model.is_null() {
        json!({"name": "warmingUp", "have": 1, "need": 4096})
    } else {
        json!({"name": "serving"})
    };
    json!({"detector": "pump", "version": "1", "phase": phase, "model": model, "sources": []})
}

fn answer(answers: &Mutex<Answers>, stream: &TcpStream) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let mut answers = answers.lock().unwrap();
    let body = match request.split(' ').nth(1) {
        Some("/status") => Some(answers.report.to_string().into_bytes()),
        Some("/model") => {
            answers.asked_for_model += 1;
            answers.model.clone()
        }
        _ => None,
    };
    let status = if body.is_some() { "200 OK" } else { "503 Service Unavailable" };
    let body = body.unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let mut stream = stream;
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()); // the operator may have hung up: too much for it
}
