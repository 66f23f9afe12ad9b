//! What browsers load in, from `assets`; the same, gzipped, out: so it takes a third of the room in the program.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    pack(Path::new("assets"), &PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")))
}

/// Each file of a folder and those below it, under its name with `.gz`.
fn pack(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let packed = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            pack(&path, &packed)?;
        } else {
            let mut encoder =
                GzEncoder::new(File::create(packed.with_added_extension("gz"))?, Compression::best());
            encoder.write_all(&fs::read(path)?)?;
            encoder.finish()?;
        }
    }
    Ok(())
}
