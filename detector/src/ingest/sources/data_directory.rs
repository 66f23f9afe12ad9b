//! The path of a csv source in, the opened input out: in a pod only a file of the folder where recordings are mounted.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::delimited::{self, CsvError, Problem};
use super::spool::{self, PipeReader};

/// The environment variable with the folder in a pod; the operator sets it.
const VARIABLE: &str = "DETECTOR_DATA";
/// What `-` means.
const STANDARD_INPUT: &str = "/dev/stdin";

/// The folder in which recordings are looked for. The author of a spec must not be able to make a pod read
/// its Secrets, so in a pod no path may lead out of the folder. Outside of pods every path is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataDirectory(Option<PathBuf>);

/// The opened input of a path.
#[derive(Debug)]
pub enum Input {
    /// A file and its path.
    File {
        /// The file, at its start.
        file: File,
        /// The path by which it was opened.
        path: PathBuf,
    },
    /// An input that can be read only once, such as a pipe; read from its first byte.
    Pipe(PipeReader),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File { file, .. } => file.read(buffer),
            Self::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

impl DataDirectory {
    /// The folder of the pod; outside of pods none, so that paths are relative to the working directory.
    pub fn here() -> Self {
        Self(std::env::var_os(VARIABLE).map(PathBuf::from))
    }

    /// Whether paths must not lead out of it.
    pub fn is_confined(&self) -> bool {
        self.0.is_some()
    }

    /// Open a file, or outside of pods a pipe, or by `-` the standard input.
    ///
    /// # Errors
    /// There is no such file, it is a directory, it cannot be opened, or it lies outside of the folder, by `..`, from `/` on,
    /// or by a link.
    pub fn open(&self, path: &str) -> Result<Input, CsvError> {
        let Some(folder) = &self.0 else {
            return open(Path::new(if path == "-" { STANDARD_INPUT } else { path }));
        };
        let refused = |problem| CsvError { file: path.to_owned(), line: None, problem };
        let resolve = |path: &Path| path.canonicalize().map_err(|error| refused(Problem::of(error)));
        let (folder, file) = (resolve(folder)?, resolve(&folder.join(path))?);
        if !file.starts_with(&folder) {
            return Err(refused(Problem::Outside(folder)));
        }
        open(&file)
    }
}

/// Open a path. A pipe is not opened twice, because its writer would see it closed.
fn open(path: &Path) -> Result<Input, CsvError> {
    let can_be_read_again = path.metadata().is_ok_and(|metadata| metadata.is_file() || metadata.is_dir());
    if can_be_read_again || !path.exists() {
        return Ok(Input::File { file: delimited::open(path)?, path: path.to_owned() });
    }
    let refused =
        |error| CsvError { file: path.display().to_string(), line: None, problem: Problem::of(error) };
    spool::reader(path).map(Input::Pipe).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_of_the_folder_is_opened_and_no_path_leads_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("data/..v1")).unwrap();
        fs::write(at("data/..v1/pump.csv"), "timestamp,value\n").unwrap();
        fs::write(at("key"), "secret").unwrap();
        // As a kubelet mounts a ConfigMap.
        symlink("..v1", at("data/..data")).unwrap();
        symlink("..data/pump.csv", at("data/pump.csv")).unwrap();
        symlink("../key", at("data/link.csv")).unwrap();
        let data = DataDirectory(Some(at("data")));
        assert!(data.open("pump.csv").is_ok());
        let folder = at("data").canonicalize().unwrap();
        for path in ["../key", "link.csv", at("key").to_str().unwrap()] {
            let refused = data.open(path).unwrap_err().to_string();
            assert_eq!(refused, format!("{path}: must be a file in {}", folder.display()));
        }
        assert_eq!(data.open("none.csv").unwrap_err().to_string(), "none.csv: no such file");
    }
}
