//! An input that can be read only once, such as a pipe, in; any number of readers of it out.
//!
//! A recording is read several times: for its columns, for training, for the replay. The content of a pipe is
//! kept in a file without a name, which is deleted when the process ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

/// The spools of this process, one per pipe.
static SPOOLS: Mutex<Vec<(PathBuf, Arc<Spool>)>> = Mutex::new(Vec::new());
/// How much is read at once.
const BLOCK: usize = 64 << 10;

#[derive(Debug)]
struct Spool {
    file: File,
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    length: u64,
    /// Set when the input has ended, or why it cannot be read further.
    end: Option<Result<(), String>>,
}

/// A reader of the content of a pipe, which waits for more until the pipe ends.
#[derive(Debug)]
pub struct PipeReader {
    spool: Arc<Spool>,
    position: u64,
}

/// A reader of the pipe at this path, from its first byte.
///
/// # Errors
/// The pipe cannot be opened, or there is no temporary file for its content.
pub fn reader(path: &Path) -> io::Result<PipeReader> {
    let mut spools = SPOOLS.lock();
    let known = spools.iter().find(|(known, _)| known == path).map(|(_, spool)| spool.clone());
    let spool = if let Some(spool) = known {
        spool
    } else {
        let spool = Spool::fill(File::open(path)?)?;
        spools.push((path.to_owned(), spool.clone()));
        spool
    };
    Ok(PipeReader { spool, position: 0 })
}

impl Spool {
    /// Copy the input into a temporary file, on a separate thread.
    fn fill(mut input: impl Read + Send + 'static) -> io::Result<Arc<Self>> {
        let spool =
            Arc::new(Self { file: tempfile::tempfile()?, state: Mutex::default(), grown: Condvar::new() });
        let kept = spool.clone();
        thread::Builder::new().name("spool".to_owned()).spawn(move || {
            let end = kept.copy(&mut input).map_err(|error| error.to_string());
            kept.state.lock().end = Some(end);
            kept.grown.notify_all();
        })?;
        Ok(spool)
    }

    fn copy(&self, input: &mut impl Read) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        loop {
            let read = match input.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let length = self.state.lock().length;
            self.file.write_all_at(&block[..read], length)?;
            self.state.lock().length += read as u64;
            self.grown.notify_all();
        }
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.spool.state.lock();
        while state.length <= self.position {
            match &state.end {
                Some(Ok(())) => return Ok(0),
                Some(Err(why)) => return Err(io::Error::other(why.clone())),
                None => self.spool.grown.wait(&mut state),
            }
        }
        let most = usize::try_from(state.length - self.position).unwrap_or(usize::MAX).min(buffer.len());
        drop(state);
        let read = self.spool.file.read_at(&mut buffer[..most], self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_gets_all_of_it_also_what_comes_later() {
        let (input, mut output) = io::pipe().unwrap();
        let spool = Spool::fill(input).unwrap();
        let reader = || PipeReader { spool: spool.clone(), position: 0 };
        io::Write::write_all(&mut output, b"one ").unwrap();
        let mut first = [0; 4];
        reader().read_exact(&mut first).unwrap();
        let writing = thread::spawn(move || io::Write::write_all(&mut output, b"two").unwrap());
        for _ in 0..2 {
            let mut all = String::new();
            reader().read_to_string(&mut all).unwrap();
            assert_eq!(all, "one two");
        }
        writing.join().unwrap();
        assert_eq!(&first, b"one ");
    }
}
