//! Small files that would take much memory or time to read. Each is refused with a sentence, within the
//! memory that a file of its length may take.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Cursor, Write};

use allocation_counter::measure;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The memory that a refusal may take beside the file, in bytes: 64 MiB plus twice the file's length.
fn bound(bytes: &[u8]) -> u64 {
    (64 << 20) + 2 * bytes.len() as u64
}

/// Read a file that must be refused, and return the error message.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let mut refusal = String::new();
    let allocations = measure(|| refusal = interchange::read(bytes).unwrap_err().to_string());
    assert!(allocations.bytes_max < bound(bytes), "{name}: {} bytes", allocations.bytes_max);
    refusal
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn zeros_are_refused_before_they_are_unpacked() {
    // Half a gigabyte of zeros: a bzip2 or gzip file may hold several streams one after another.
    let eight = vec![0; 8 << 20];
    let bombs = [
        ("bzip2", bzip2(&eight).repeat(64)),
        ("gzip", gzip(&eight).repeat(64)),
        ("zlib", zlib(&vec![0; 64 << 20])),
        ("lz4", lz4(&vec![0; 128 << 20])),
    ];
    for (name, bomb) in bombs {
        let refusal = refusal(name, &bomb);
        assert!(
            refusal.starts_with(&format!("the {name} stream decompresses to too much: a file of ")),
            "{refusal}"
        );
    }
}

#[test]
fn a_compressed_pickle_of_objects_is_refused() {
    for opcode in [b"N", b"]", b"}", b"(", b")"] {
        let bomb = zlib(&[&b"\x80\x04"[..], &opcode.repeat(3_900_000)].concat());
        assert!(bomb.len() < 10_000);
        assert!(refusal("pickle", &bomb).ends_with("bytes of memory to read, this one takes more"));
    }
}

#[test]
fn a_plain_pickle_of_objects_is_refused() {
    let bomb = [&b"\x80\x04"[..], &b"]\x94".repeat(1_950_000)].concat();
    assert!(refusal("pickle", &bomb).ends_with("bytes of memory to read, this one takes more"));
}

#[test]
fn a_schema_of_small_things_is_refused() {
    for (name, unit) in
        [("dicts", &b"{\"\":0},"[..]), ("lists", b"[],"), ("numbers", b"0,"), ("texts", b"\"\",")]
    {
        let schema = [&b"["[..], &unit.repeat((24 << 20) / unit.len()), b"0]"].concat();
        let bomb = zip(&[("schema.json", &schema)]);
        let refusal = refusal(name, &bomb);
        assert!(refusal.starts_with("a file of ") || refusal.starts_with("schema.json"), "{name}: {refusal}");
    }
}

#[test]
fn a_plain_value_of_the_schema_is_no_place_for_a_bomb() {
    let content = format!("[{}0]", "{},".repeat(1 << 20));
    let schema = serde_json::json!({ "__loader__": "JsonNode", "__class__": "str", "__module__": "builtins", "content": content });
    let refusal = refusal("json in json", &zip(&[("schema.json", schema.to_string().as_bytes())]));
    assert!(refusal.starts_with("a file of "), "{refusal}");
}

#[test]
fn an_array_and_a_directory_of_a_zip_are_refused_before_they_are_read() {
    let node = serde_json::json!({ "__loader__": "NdArrayNode", "__class__": "ndarray", "__module__": "numpy",
        "type": "numpy", "file": "0.npy" });
    let array = vec![0; 64 << 20];
    let bomb = zip(&[("schema.json", node.to_string().as_bytes()), ("0.npy", &array)]);
    let refused = refusal("array", &bomb);
    assert!(refused.starts_with("a file of "), "{refused}");
    let mut directory = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in 0..65_000 {
        directory.start_file(entry.to_string(), SimpleFileOptions::default()).unwrap();
    }
    let bomb = directory.finish().unwrap().into_inner();
    let refused = refusal("directory", &bomb);
    assert!(refused.starts_with("a file of ") || refused == "the zip archive is damaged", "{refused}");
}

#[test]
fn a_graph_of_empty_messages_is_refused() {
    // Models whose graph is a list of empty nodes, of empty constants, or of empty inputs.
    for tag in [0x0a, 0x2a, 0x5a] {
        let graph = [tag, 0].repeat(8 << 20);
        let model = [&b"\x08\x08\x3a\x80\x80\x80\x08"[..], &graph].concat();
        let bomb = gzip(&model);
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        let refusal = refusal("onnx", &bomb);
        assert!(refusal.starts_with("a file of "), "{refusal}");
    }
}

#[test]
fn transformers_of_transformers_are_refused() {
    // Nested transformers that would make 200 to the power of 8 columns, or none at all.
    for name in ["grown", "empty"] {
        let path = format!("{}/tests/fixtures/bombs/{name}.pkl.zlib", env!("CARGO_MANIFEST_DIR"));
        let bomb = std::fs::read(path).unwrap();
        let refused = refusal(name, &bomb);
        assert!(refused.contains("must have ") || refused.starts_with("a file of "), "{refused}");
    }
}

#[test]
fn names_of_one_object_cost_something_too() {
    // A list that names one object two million times, in two and a half kilobytes.
    let body = [&b"\x80\x04]\x94("[..], &b"h\0".repeat(1_900_000), b"e."].concat();
    let bomb = zlib(&body);
    assert!(bomb.len() < 10_000);
    assert!(refusal("references", &bomb).ends_with("bytes of memory to read, this one takes more"));
}
