//! Another system's file in, our artifact of it out: read by a process of its own.
//!
//! A foreign file passes through five decompressors, a zip reader, a JSON and a protobuf parser before the budget of
//! [`interchange`] has counted its last node. That budget bounds what we know of; what a library allocates inside it, or how
//! long it loops, is a promise of somebody else. So the file is not opened where requests are answered: this program starts
//! itself again, under limits that the kernel keeps (`RLIMIT_DATA` for memory, `RLIMIT_CPU` for time), hands it the bytes and
//! takes an artifact or a sentence back. Whatever the file does to that process, the one that serves has lost nothing but
//! the few pages of a pipe. A thread could not be bounded so, and a budget alone would have to be proved again with each
//! release of each library.
//!
//! The memory limit is three quarters of what the control group leaves at that moment: a pod's kernel counts both processes,
//! and kills both where it counts too much. Our own artifacts are opened in place: flat arrays whose lengths are
//! compared with the file and with the memory before anything is allocated.

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

/// The hidden subcommand that reads a file so.
pub const COMMAND: &str = "import-apart";
/// How long the process may compute.
const CPU: Duration = Duration::from_secs(5);
/// Its memory where nobody says how much there is.
const USUAL_MEMORY: u64 = 512 << 20;
/// The least that the program itself needs to start and to say what is wrong.
const LEAST_MEMORY: u64 = 24 << 20;
/// The longest sentence that is taken from it, in bytes.
const SENTENCE: u64 = 4 << 10;
/// The signal that the kernel sends for the time.
const SIGXCPU: i32 = 24;

/// Why a foreign file is no model.
#[derive(Debug, Error)]
pub enum ApartError {
    /// It is no forest, in the sentence of the process that has read it.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("the file must take at most {} s of processor time to open, it takes more", CPU.as_secs())]
    Time,
    /// It took too much memory.
    #[error("the file must take at most {0} bytes of memory to open, it takes more")]
    Memory(u64),
    /// There is too little memory to try.
    #[error("there must be {LEAST_MEMORY} bytes of memory to open the file, got {0}")]
    NoMemory(u64),
    /// The process cannot be started.
    #[error("the file cannot be opened by a process of its own: {0}")]
    Start(#[from] io::Error),
    /// The artifact is larger than what is read.
    #[error("the model must be at most {0} bytes, got more")]
    TooLarge(u64),
}

/// The program that foreign files are read by.
#[derive(Clone, Debug)]
pub struct Importer(Option<PathBuf>);

impl Importer {
    /// This program.
    pub fn this_program() -> Self {
        Self(None)
    }

    /// Another file of it.
    pub fn program(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// The artifact of a foreign file, of at most `most` bytes. Columns that have no names get `names`, in order, where
    /// they are as many.
    ///
    /// # Errors
    /// The file is no forest, or takes too much.
    pub fn artifact(&self, bytes: Vec<u8>, names: &[String], most: u64) -> Result<Vec<u8>, ApartError> {
        let memory = memory()?;
        let mut child = self.start(memory, names)?;
        let answer = exchange(&mut child, bytes, most);
        let _ = child.kill(); // it has ended, unless its answer is of no interest any more
        let status = child.wait()?;
        let (artifact, sentence) = answer?;
        if status.success() {
            return if artifact.len() as u64 > most { Err(ApartError::TooLarge(most)) } else { Ok(artifact) };
        }
        Err(failure(status, &sentence, memory))
    }

    fn start(&self, memory: u64, names: &[String]) -> io::Result<Child> {
        let program = self.0.clone().map_or_else(env::current_exe, Ok)?;
        let limits = ["--memory".to_owned(), memory.to_string(), "--".to_owned()];
        // Nothing of the environment is its business: keys stand there.
        let mut command = Command::new(program);
        command.arg(COMMAND).args(limits).args(names).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// What the process may take.
fn memory() -> Result<u64, ApartError> {
    let left = available_memory().map_or(USUAL_MEMORY, |available| available / 4 * 3);
    if left < LEAST_MEMORY { Err(ApartError::NoMemory(left)) } else { Ok(left) }
}

/// The file in, what the process says out. It reads to the end before it answers, so neither waits for the other; and a file
/// that it does not want to read to the end is no error here.
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

/// Why it has ended: by a signal of the kernel, by the allocator, or with a sentence.
fn failure(status: ExitStatus, sentence: &str, memory: u64) -> ApartError {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(SIGXCPU), _) => ApartError::Time,
        (_, Some(1)) => {
            let sentence = sentence.trim().trim_start_matches("error: ");
            ApartError::Refused(
                sentence.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect(),
            )
        }
        _ => ApartError::Memory(memory),
    }
}

/// Why the process has no artifact to give.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The limits cannot be set, or the bytes not be read.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is no forest.
    #[error(transparent)]
    Import(#[from] interchange::Error),
    /// It makes no model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Bound this process, for good. It is the first that a full group kills, and leaves no core behind.
///
/// # Errors
/// The kernel refuses.
pub fn limit(memory: u64) -> io::Result<()> {
    let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Data, both(memory))?;
    setrlimit(Resource::Cpu, Rlimit { current: Some(CPU.as_secs()), maximum: Some(CPU.as_secs() + 1) })?;
    let _ = fs::write("/proc/self/oom_score_adj", "1000"); // not everywhere, and not needed
    Ok(())
}

/// The artifact of a foreign file, in this process.
///
/// # Errors
/// It is no forest.
pub fn import(bytes: Vec<u8>, names: &[String]) -> Result<Vec<u8>, ImportError> {
    let imported = interchange::read(&bytes)?;
    drop(bytes);
    let columns = columns(&imported, names);
    Ok(Model::imported(imported, columns)?.into_bytes())
}

/// The file's names, else those given, where they are as many; else `x0`, `x1` and so on, which say how many there are.
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
