//! The readings of all sensors in; the newest ones out, kept in memory and optionally in a file, which a
//! restart reads again. They are the training data where the sources have no history.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use super::reading::Readings;
use crate::files::atomic_write::{self, Sync};
use crate::files::bounded;

/// The newest readings, oldest first, up to a maximum number of instants.
#[derive(Debug)]
pub struct Buffer(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    width: usize,
    most: usize,
    times: VecDeque<i64>,
    /// Row after row; a missing value is NaN.
    cells: VecDeque<f64>,
    complete: usize,
    file: Option<Log>,
}

/// A file of rows of one length: a header line with the sensors' names, then for each instant its time, in
/// nanoseconds since the Unix epoch, and the values, eight bytes each, little-endian. A row that was cut
/// short is ignored when the file is read.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    header: Vec<u8>,
    file: File,
    rows: usize,
}

impl Buffer {
    /// An empty buffer in memory, for the newest `most` instants; at least one.
    pub fn new(sensors: usize, most: usize) -> Self {
        Self(Mutex::new(Kept {
            width: sensors,
            most: most.max(1),
            times: VecDeque::new(),
            cells: VecDeque::new(),
            complete: 0,
            file: None,
        }))
    }

    /// Restore the readings from a file, and append further ones to it. A file with other sensors is
    /// replaced.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path, sensors: &[String], most: usize) -> io::Result<Self> {
        let buffer = Self::new(sensors.len(), most);
        {
            let mut kept = buffer.kept();
            let header = format!("readings 1 {}\n", sensors.join(" ")).into_bytes();
            for row in read(path, &header, sensors.len(), most)? {
                kept.push(row.0, row.1.into_iter());
            }
            kept.file = Some(kept.rewrite(path, header)?);
        }
        Ok(buffer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock()
    }

    /// Keep the readings of an instant.
    ///
    /// # Errors
    /// The file cannot be written; the readings are kept in memory.
    pub fn push(&self, readings: &Readings) -> io::Result<()> {
        let time = i64::try_from(readings.time.as_nanosecond()).unwrap_or(i64::MAX);
        let values = readings.values.iter().map(|value| value.unwrap_or(f64::NAN));
        let mut kept = self.kept();
        kept.push(time, values.clone());
        kept.append(time, values)
    }

    /// The number of instants in the buffer at which every sensor had a reading.
    pub fn complete(&self) -> usize {
        self.kept().complete
    }

    /// The most instants that the buffer keeps.
    pub fn most(&self) -> usize {
        self.kept().most
    }

    /// The time of the newest readings; none where the buffer is empty.
    pub fn newest(&self) -> Option<Timestamp> {
        self.kept().times.back().map(|time| timestamp(*time))
    }

    /// The last `most` readings before a moment, oldest first.
    pub fn before(&self, until: Timestamp, most: usize) -> Vec<Readings> {
        let kept = self.kept();
        let until = i64::try_from(until.as_nanosecond()).unwrap_or(i64::MAX);
        let end = kept.times.partition_point(|time| *time < until);
        (end.saturating_sub(most)..end).map(|row| kept.row(row)).collect()
    }

    /// All readings in the buffer, oldest first.
    pub fn all(&self) -> Vec<Readings> {
        self.before(Timestamp::MAX, usize::MAX)
    }
}

impl Kept {
    fn push(&mut self, time: i64, values: impl Iterator<Item = f64>) {
        if self.times.len() == self.most {
            self.times.pop_front();
            let oldest_is_complete = self.cells.drain(..self.width).all(|cell| !cell.is_nan());
            self.complete -= usize::from(oldest_is_complete);
        }
        let before = self.cells.len();
        self.cells.extend(values);
        self.complete += usize::from(self.cells.range(before..).all(|cell| !cell.is_nan()));
        self.times.push_back(time);
    }

    fn row(&self, row: usize) -> Readings {
        let cells = self.cells.range(row * self.width..(row + 1) * self.width);
        let values = cells.map(|cell| Some(*cell).filter(|cell| !cell.is_nan())).collect();
        Readings { time: timestamp(self.times[row]), values, truth: None }
    }

    /// Add a row to the file, which is rewritten when half of it is obsolete.
    fn append(&mut self, time: i64, values: impl Iterator<Item = f64>) -> io::Result<()> {
        let Some(log) = &mut self.file else { return Ok(()) };
        if log.rows >= 2 * self.most {
            let Log { path, header, .. } = self.file.take().expect("it is there");
            self.file = Some(self.rewrite(&path, header)?);
            return Ok(());
        }
        log.rows += 1;
        log.file.write_all(&bytes(time, values))
    }

    /// Replace the file by a new one with the readings in the buffer.
    fn rewrite(&self, path: &Path, header: Vec<u8>) -> io::Result<Log> {
        let mut text = header.clone();
        for (row, time) in self.times.iter().enumerate() {
            let cells = self.cells.range(row * self.width..(row + 1) * self.width).copied();
            text.extend(bytes(*time, cells));
        }
        let file = atomic_write::write(path, &text, Sync::Later)?;
        Ok(Log { path: path.to_owned(), header, file, rows: self.times.len() })
    }
}

fn bytes(time: i64, values: impl Iterator<Item = f64>) -> Vec<u8> {
    time.to_le_bytes().into_iter().chain(values.flat_map(f64::to_le_bytes)).collect()
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::MAX)
}

/// The newest whole rows of a file, at most `most`; none where there is no file or its header differs.
fn read(path: &Path, header: &[u8], width: usize, most: usize) -> io::Result<Vec<(i64, Vec<f64>)>> {
    let mut file = match bounded::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let (start, row_bytes) = (header.len() as u64, 8 * (width as u64 + 1));
    let mut found = Vec::new();
    Read::by_ref(&mut file).take(start).read_to_end(&mut found)?;
    if found != header {
        return Ok(Vec::new());
    }
    let there = file.metadata()?.len().saturating_sub(start) / row_bytes;
    let kept = there.min(most as u64);
    file.seek(SeekFrom::Start(start + (there - kept) * row_bytes))?;
    let mut rows = Vec::new();
    file.take(kept * row_bytes).read_to_end(&mut rows)?;
    let number = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).expect("chunks of 8");
    let row = |row: &[u8]| {
        let cells = row[8..].chunks_exact(8).map(|cell| f64::from_le_bytes(number(cell)));
        (i64::from_le_bytes(number(&row[..8])), cells.collect())
    };
    Ok(rows.chunks_exact(8 * (width + 1)).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(second: i64, values: &[Option<f64>]) -> Readings {
        Readings { time: Timestamp::from_second(second).unwrap(), values: values.to_vec(), truth: None }
    }

    fn seconds(rows: &[Readings]) -> Vec<i64> {
        rows.iter().map(|row| row.time.as_second()).collect()
    }

    #[test]
    fn the_newest_are_kept_and_complete_ones_counted() {
        let buffer = Buffer::new(2, 3);
        for second in 0..5 {
            let second_sensor = (second != 3).then_some(1.0);
            buffer.push(&readings(second, &[Some(second as f64), second_sensor])).unwrap();
        }
        assert_eq!(seconds(&buffer.all()), [2, 3, 4]);
        assert_eq!(buffer.complete(), 2);
        assert_eq!(seconds(&buffer.before(Timestamp::from_second(4).unwrap(), 1)), [3]);
        assert_eq!(buffer.all()[1].values, [Some(3.0), None]);
    }

    #[test]
    fn a_restart_finds_what_was_kept_but_for_a_row_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let (path, sensors) = (folder.path().join("readings"), ["a".to_owned(), "b".to_owned()]);
        let buffer = Buffer::open(&path, &sensors, 3).unwrap();
        for second in 0..20 {
            buffer.push(&readings(second, &[Some(0.1 + 0.2), None])).unwrap();
        }
        File::options().append(true).open(&path).unwrap().write_all(b"cut").unwrap();
        let again = Buffer::open(&path, &sensors, 3).unwrap();
        assert_eq!(again.all(), buffer.all());
        assert_eq!(seconds(&again.all()), [17, 18, 19]);
        let fewer = Buffer::open(&path, &sensors, 2).unwrap();
        assert_eq!(seconds(&fewer.all()), [18, 19]);
        assert!(Buffer::open(&path, &["c".to_owned(), "d".to_owned()], 3).unwrap().all().is_empty());
    }
}
