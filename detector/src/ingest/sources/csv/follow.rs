//! A CSV file that grows in; its rows, first the existing ones and then those that are appended, out.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use crd::source::Csv;
use tokio::sync::mpsc::{self, Sender};

use super::order::Dropped;
use super::recording::{Recording, dropped};
use crate::ingest::reading::Readings;
use crate::ingest::source::{Batch, Feed, Reading, Rows, Source, SourceError, Span};
use crate::ingest::sources::data_directory::{DataDirectory, Input};
use crate::ingest::status::SourceStatus;

/// How often a file is looked at for new rows.
const PAUSE: Duration = Duration::from_millis(100);
/// How many rows are read ahead.
const AHEAD: usize = 1024;

/// A file that is followed, as a source.
pub(super) struct Followed {
    spec: Csv,
    dropped: Arc<Dropped>,
}

impl Followed {
    pub(super) fn new(spec: &Csv, status: Arc<SourceStatus>) -> Self {
        Self { spec: spec.clone(), dropped: Arc::new(dropped(spec, Some(status))) }
    }
}

/// A message from the thread that reads the file.
enum Step {
    Opened,
    Row(Readings),
}

#[async_trait]
impl Source for Followed {
    /// The existing rows arrive as live readings when the file is opened.
    fn has_history(&self) -> bool {
        false
    }

    fn history(&self, _: Span) -> Result<Rows, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        let stop = Stop::default();
        let (steps, mut coming) = mpsc::channel(AHEAD);
        let (spec, dropped, stopped) = (self.spec.clone(), self.dropped.clone(), stop.0.clone());
        thread::Builder::new()
            .name("follow".to_owned())
            .spawn(move || {
                if let Err(error) = read(&spec, dropped, stopped, &steps) {
                    let _ = steps.blocking_send(Err(error)); // the source is disconnected
                }
            })
            .map_err(|error| SourceError::Server(format!("{}: {error}", self.spec.path)))?;
        while let Some(step) = coming.recv().await {
            match step? {
                Step::Opened => feed.connected(),
                Step::Row(Readings { time, values, truth }) => {
                    let reading = |(sensor, value)| Reading { sensor, time, value };
                    let readings = values.into_iter().enumerate().map(reading).collect();
                    feed.send(Batch { readings, complete_to: Some(time), truth }).await;
                }
            }
        }
        Ok(())
    }
}

fn read(
    spec: &Csv,
    dropped: Arc<Dropped>,
    stop: Arc<AtomicBool>,
    steps: &Sender<Result<Step, SourceError>>,
) -> Result<(), SourceError> {
    let input: Box<dyn Read + Send> = match DataDirectory::here().open(&spec.path)? {
        Input::File { file, path } => Box::new(Growing { file, path, position: 0, stop }),
        Input::Pipe(pipe) => Box::new(pipe),
    };
    let recording = Recording::new(spec, input, dropped)?;
    let _ = steps.blocking_send(Ok(Step::Opened));
    for row in recording {
        if steps.blocking_send(row.map(Step::Row)).is_err() {
            break; // the source is disconnected
        }
    }
    Ok(())
}

/// Stops the thread that reads when this value is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A reader that waits for more at the end of the file, until it is stopped.
struct Growing {
    file: File,
    path: PathBuf,
    position: u64,
    stop: Arc<AtomicBool>,
}

impl Growing {
    /// Whether the path now leads to another file, or the file is shorter than what was read of it.
    fn is_replaced(&self) -> io::Result<bool> {
        let (opened, named) = (self.file.metadata()?, self.path.metadata()?);
        Ok((opened.dev(), opened.ino()) != (named.dev(), named.ino()) || opened.len() < self.position)
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.stop.load(Ordering::Relaxed) {
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.position += read as u64;
                return Ok(read);
            }
            if self.is_replaced()? {
                return Err(io::Error::other(
                    "the file was replaced or truncated: it is read again from its start",
                ));
            }
            thread::sleep(PAUSE);
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_read_on_where_it_grows_and_given_up_where_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut writer = File::create(&path).unwrap();
        writer.write_all(b"one").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut growing = Growing { file: File::open(&path).unwrap(), path: path.clone(), position: 0, stop };
        let mut buffer = [0; 8];
        assert_eq!(growing.read(&mut buffer).unwrap(), 3);
        let appending = thread::spawn(move || writer.write_all(b"four").unwrap());
        assert_eq!((growing.read(&mut buffer).unwrap(), &buffer[..4]), (4, &b"four"[..]));
        appending.join().unwrap();
        std::fs::write(folder.path().join("other"), "x").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        let error = growing.read(&mut buffer).unwrap_err();
        assert_eq!(error.to_string(), "the file was replaced or truncated: it is read again from its start");
        growing.stop.store(true, Ordering::Relaxed);
        assert_eq!(growing.read(&mut buffer).unwrap(), 0);
    }
}
