//! Another system's file in, our artifact of it out: read by a separate process.
//!
//! A foreign file passes through five decompressors, a zip reader, a JSON and a protobuf parser before the
//! budget of [`interchange`] has counted its last node. That budget limits only what our own code counts; the
//! memory and the time that a library takes are not under our control. So the file is not opened in the
//! process that answers requests: this program starts itself again, under limits that the kernel enforces
//! (`RLIMIT_DATA` for memory, `RLIMIT_CPU` for time), passes the bytes to it, and receives an artifact or an
//! error message. Whatever the file does to that process, the serving process has lost only the few pages of
//! a pipe. A thread could not be limited like that, and a budget alone would have to be verified again with
//! each release of each library.
//!
//! The memory limit is three quarters of what the control group has left at that moment: the kernel counts
//! both processes of a pod together, and kills both if they use too much. Our own artifacts are opened in the
//! serving process: they are flat arrays whose lengths are compared with the file and with the memory before
//! anything is allocated.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, fs};

use forest::available_memory;
use interchange::Imported;
use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;

use crate::model::model::{Model, ModelError};

/// The hidden subcommand that reads a file in the separate process.
pub const COMMAND: &str = "import-apart";
/// The longest CPU time of the process.
const CPU: Duration = Duration::from_secs(5);
/// The memory limit of the process if the available memory is unknown, bytes.
const USUAL_MEMORY: u64 = 512 << 20;
/// The least memory that the program needs to start and to report an error, bytes.
const MIN_MEMORY: u64 = 24 << 20;
/// The longest error message that is read from the process, bytes.
const SENTENCE: u64 = 4 << 10;
/// The signal that the kernel sends when the CPU time is used up.
const SIGXCPU: i32 = 24;

/// Why a foreign file is no model.
#[derive(Debug, Error)]
pub enum ImportProcessError {
    /// The file is not a forest: the error message of the process that has read it.
    #[error("{0}")]
    Refused(String),
    /// The process needed too much CPU time.
    #[error("the file must take at most {} s of processor time to open, it takes more", CPU.as_secs())]
    Time,
    /// The process needed more memory than this limit in bytes.
    #[error("the file must take at most {0} bytes of memory to open, it takes more")]
    Memory(u64),
    /// There is too little memory to try: this many bytes.
    #[error("there must be {MIN_MEMORY} bytes of memory to open the file, got {0}")]
    NoMemory(u64),
    /// The process cannot be started.
    #[error("the file cannot be opened by a process of its own: {0}")]
    Start(#[from] io::Error),
    /// The artifact is larger than this limit in bytes.
    #[error("the model must be at most {0} bytes, got more")]
    TooLarge(u64),
}

/// The program that reads foreign files.
#[derive(Clone, Debug)]
pub struct Importer(Option<PathBuf>);

impl Importer {
    /// The program that is running.
    pub fn this_program() -> Self {
        Self(None)
    }

    /// The same program at another path.
    pub fn program(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// Convert a foreign file into an artifact of at most `most` bytes. Columns without names get `names`, in
    /// order, if there are as many.
    ///
    /// # Errors
    /// The file is not a forest, or needs too much time or memory; or the process cannot be started.
    pub fn artifact(
        &self,
        bytes: Vec<u8>,
        names: &[String],
        most: u64,
    ) -> Result<Vec<u8>, ImportProcessError> {
        let memory = memory()?;
        let mut child = self.start(memory, names)?;
        let answer = exchange(&mut child, bytes, most);
        let _ = child.kill(); // it has already ended, unless its answer is not needed
        let status = child.wait()?;
        let (artifact, sentence) = answer?;
        if status.success() {
            return if artifact.len() as u64 > most {
                Err(ImportProcessError::TooLarge(most))
            } else {
                Ok(artifact)
            };
        }
        Err(failure(status, &sentence, memory))
    }

    fn start(&self, memory: u64, names: &[String]) -> io::Result<Child> {
        let program = self.0.clone().map_or_else(env::current_exe, Ok)?;
        let limits = ["--memory".to_owned(), memory.to_string(), "--".to_owned()];
        // The process gets no environment: there may be secret keys in it.
        let mut command = Command::new(program);
        command.arg(COMMAND).args(limits).args(names).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// The memory limit of the process, bytes.
fn memory() -> Result<u64, ImportProcessError> {
    let left = available_memory().map_or(USUAL_MEMORY, |available| available / 4 * 3);
    if left < MIN_MEMORY { Err(ImportProcessError::NoMemory(left)) } else { Ok(left) }
}

/// Send the file to the process, and read its answer. It reads to the end before it answers, so neither
/// blocks the other. A process that stops reading early is no error here.
fn exchange(child: &mut Child, bytes: Vec<u8>, most: u64) -> io::Result<(Vec<u8>, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let missing = || io::Error::other("a pipe is missing");
    let _ = stdin.ok_or_else(missing)?.write_all(&bytes);
    drop(bytes); // two copies are enough
    let (mut artifact, mut sentence) = (Vec::new(), Vec::new());
    stdout.ok_or_else(missing)?.take(most.saturating_add(1)).read_to_end(&mut artifact)?;
    if artifact.len() as u64 <= most {
        stderr.ok_or_else(missing)?.take(SENTENCE).read_to_end(&mut sentence)?;
    }
    Ok((artifact, String::from_utf8_lossy(&sentence).into_owned()))
}

/// Why the process has failed: ended by a signal of the kernel, by the allocator, or with an error message.
fn failure(status: ExitStatus, sentence: &str, memory: u64) -> ImportProcessError {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(SIGXCPU), _) => ImportProcessError::Time,
        (_, Some(1)) => {
            let sentence = sentence.trim().trim_start_matches("error: ");
            ImportProcessError::Refused(
                sentence.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect(),
            )
        }
        _ => ImportProcessError::Memory(memory),
    }
}

/// Why the separate process cannot produce an artifact.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The limits cannot be set, or the bytes cannot be read.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The file is not a forest.
    #[error(transparent)]
    Import(#[from] interchange::Error),
    /// The forest does not make a valid model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Limit the memory and the CPU time of this process, for good. It leaves no core dump, and is the first to
/// be killed when its control group runs out of memory.
///
/// # Errors
/// The kernel refuses.
pub fn limit(memory: u64) -> io::Result<()> {
    let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Data, both(memory))?;
    setrlimit(Resource::Cpu, Rlimit { current: Some(CPU.as_secs()), maximum: Some(CPU.as_secs() + 1) })?;
    let _ = fs::write("/proc/self/oom_score_adj", "1000"); // not possible on every system, and not needed
    Ok(())
}

/// Convert a foreign file into an artifact, in this process.
///
/// # Errors
/// The file is not a forest, or does not make a valid model.
pub fn import(bytes: Vec<u8>, names: &[String]) -> Result<Vec<u8>, ImportError> {
    let imported = interchange::read(&bytes)?;
    drop(bytes);
    let columns = columns(&imported, names);
    Ok(Model::imported(imported, columns)?.into_bytes())
}

/// The column names: the file's own; else `names`, if there are as many; else `x0`, `x1` and so on, which
/// show how many columns there are.
fn columns(imported: &Imported, names: &[String]) -> Vec<String> {
    let count = imported.inputs();
    let given = || Some(names.to_vec()).filter(|names| names.len() == count);
    imported.columns.clone().or_else(given).unwrap_or_else(|| (0..count).map(|at| format!("x{at}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn each_end_of_the_process_has_its_sentence() {
        let sentence = |status, said| failure(ExitStatus::from_raw(status), said, 1 << 20).to_string();
        assert_eq!(
            sentence(SIGXCPU, ""),
            "the file must take at most 5 s of processor time to open, it takes more"
        );
        assert_eq!(
            sentence(6, "memory allocation failed"),
            "the file must take at most 1048576 bytes of memory to open, it takes more"
        );
        assert_eq!(sentence(1 << 8, "error: not a\x1b forest\n"), "not a  forest");
    }
}
