//! A schema and, after a zero byte, one array, put into a valid zip archive: in damaged archives, checksums
//! would stop the reader before it sees the damage.

#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The array of the columns that a tree sees: the first column only.
const FIRST_COLUMN: &[u8] =
    b"\x93NUMPY\x01\0\x3c\0{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }  \n\0\0\0\0\0\0\0\0";

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut content = || parts.next().unwrap_or_default();
    for (name, content) in [("schema.json", content()), ("0.npy", content()), ("1.npy", FIRST_COLUMN)] {
        let plain = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, plain).expect("a vector takes any file");
        zip.write_all(content).expect("a vector takes any file");
    }
    detector_fuzz::check(zip.finish().expect("a vector takes any file").get_ref());
});
