//! The files that browsers load, from `assets`, in; the same files gzipped out, so that they take a third of
//! the space in the program. Also passes `layout.ld` to the linker, which places the functions that a
//! prediction calls side by side.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=layout.ld");
    // mold and wild do not support linker scripts.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let takes_scripts = !flags.contains("mold") && !flags.contains("wild");
    if var("PROFILE") == "release" && var("CARGO_CFG_TARGET_OS") == "linux" && takes_scripts {
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/layout.ld", var("CARGO_MANIFEST_DIR"));
    }
    pack(Path::new("assets"), Path::new(&var("OUT_DIR")))
}

fn var(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}

/// Gzip each file of a folder and its subfolders into `to`, under the same name with `.gz` appended.
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
