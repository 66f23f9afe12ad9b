//! The sources of a spec in; opened sources, as `Source` objects, out. Each kind has a file; only this file
//! knows all kinds.

/// The environment that sources need: credentials and network access.
pub mod access;
/// JSON values as they were sent, read part by part.
mod raw_json;
/// Random numbers that are found by an index.
mod random;
/// The clean signal of a simulated sensor: baseline, waves, trend.
mod signal;
/// The noise of a simulated sensor.
mod noise;
/// The faults of a simulated sensor.
mod fault;
/// Simulated sensors.
pub mod simulated;
/// Files of delimited text, row by row.
pub mod delimited;
/// The time formats of recordings.
pub mod timestamp;
/// The content of a pipe, kept in a temporary file.
mod spool;
/// The folder of CSV files.
mod data_directory;
/// A CSV file, replayed or followed.
pub mod csv;
/// Queries of a Prometheus server.
pub mod prometheus;
/// Messages of an MQTT broker.
pub mod mqtt;
/// Readings that other programs push.
pub mod http;

use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use crd::source::SourceKind;
use jiff::{SignedDuration, Timestamp};

use self::access::Access;
use self::http::inlet::Inlet;
use super::alignment::SourceTiming;
use super::reading::{ActiveFault, Readings};
use super::sensor_check::SensorChecks;
use super::source::{Clock, Rows, Source, SourceError, Span};
use super::status::SourceStatus;

/// A source, and its inlet if it is pushed to.
type SourceAndInlet = (Arc<dyn Source>, Option<Arc<Inlet>>);

/// Open a source.
///
/// # Errors
/// A file cannot be opened, or lacks a column that the spec names.
fn open(
    spec: &crd::valid::ValidSource,
    access: &Access,
    interval: SignedDuration,
    status: &Arc<SourceStatus>,
) -> Result<SourceAndInlet, SourceError> {
    let source: Arc<dyn Source> = match &spec.kind {
        SourceKind::Simulated(spec) => Arc::new(simulated::SimulatedSource::new(spec)),
        SourceKind::Csv(csv) => csv::open(csv, status.clone())?,
        SourceKind::Prometheus(spec) => Arc::new(prometheus::Queries::new(spec, access, interval)),
        SourceKind::Mqtt(mqtt) => Arc::new(mqtt::Subscription::new(mqtt, access)),
        SourceKind::Http(http) => {
            let pushed = http::Pushed::new(http, &access.credentials, spec.staleness.into());
            let inlet = pushed.inlet();
            return Ok((Arc::new(pushed), Some(inlet)));
        }
    };
    Ok((source, None))
}

/// The sources of one detector, in the order of the spec. The sensors of all, in this order, are what the model sees.
pub struct Sources {
    all: Vec<Opened>,
    interval: SignedDuration,
    checks: SensorChecks,
}

/// A source, and its alignment settings.
pub struct Opened {
    /// The source.
    pub source: Arc<dyn Source>,
    /// Its inlet, if it is pushed to.
    inlet: Option<Arc<Inlet>>,
    /// Its state and counts.
    pub status: Arc<SourceStatus>,
    /// How many sensors it has.
    pub sensors: usize,
    staleness: Duration,
    lateness: Duration,
}

impl Sources {
    /// Open all sources of a detector. `statuses` are in the order of the spec.
    ///
    /// # Errors
    /// A file cannot be opened, or lacks a column that the spec names.
    pub fn open(
        detector: &Valid,
        access: &Access,
        statuses: &[Arc<SourceStatus>],
    ) -> Result<Self, SourceError> {
        let interval = Duration::from(detector.spec().interval);
        let interval = SignedDuration::try_from(interval).expect("intervals are at most 24h");
        let opened = |(spec, status): (&crd::valid::ValidSource, &Arc<SourceStatus>)| {
            let credentials = access.credentials.join(&spec.name);
            let access = Access { credentials, outgoing: access.outgoing.clone() };
            let (source, inlet) = open(spec, &access, interval, status)?;
            Ok(Opened {
                lateness: Duration::from(spec.lateness).max(source.max_response_delay()),
                source,
                inlet,
                status: status.clone(),
                sensors: spec.sensors().len(),
                staleness: spec.staleness.into(),
            })
        };
        let all = detector.sources().iter().zip(statuses).map(opened).collect::<Result<_, SourceError>>()?;
        Ok(Self { all, interval, checks: SensorChecks::new(detector) })
    }

    /// Open all sources of a detector with statuses that are not reported: for a replay.
    ///
    /// # Errors
    /// As [`Sources::open`].
    pub fn unreported(detector: &Valid, access: &Access) -> Result<Self, SourceError> {
        let statuses: Vec<_> = detector
            .sources()
            .iter()
            .map(|source| Arc::new(SourceStatus::unexported(&source.name)))
            .collect();
        Self::open(detector, access, &statuses)
    }

    /// The time from one instant to the next.
    pub fn interval(&self) -> SignedDuration {
        self.interval
    }

    /// The clock of the sources. A source with its own clock is the only source of a detector.
    pub fn clock(&self) -> Clock {
        self.all.first().map_or(Clock::Wall, |first| first.source.clock())
    }

    /// Whether there is a history of all sensors.
    pub fn all_have_history(&self) -> bool {
        self.all.iter().all(|each| each.source.has_history())
    }

    /// Whether the history of all sensors reaches into the future.
    pub fn history_covers_future(&self) -> bool {
        self.all.iter().all(|each| each.source.history_covers_future())
    }

    /// The name of the first source whose history does not reach into the future.
    pub fn first_live(&self) -> Option<&str> {
        self.all.iter().find(|each| !each.source.history_covers_future()).map(|each| each.status.name())
    }

    /// The name of the first source that has no history.
    pub fn first_without_history(&self) -> Option<&str> {
        self.all.iter().find(|each| !each.source.has_history()).map(|each| each.status.name())
    }

    /// The readings of all sensors at the instants of a span.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn history(&self, span: Span) -> Result<Rows, SourceError> {
        let rows = |each: &Opened| each.source.history(span);
        if let [only] = &*self.all {
            return rows(only);
        }
        let parts = self
            .all
            .iter()
            .map(|each| Ok(Part { rows: rows(each)?, next: None, sensors: each.sensors, ended: false }));
        Ok(Box::new(Merged { parts: parts.collect::<Result<_, SourceError>>()? }))
    }

    /// As [`Sources::history`], with readings that a sensor cannot give set to missing.
    ///
    /// # Errors
    /// As [`Sources::history`].
    pub fn checked_history(&self, span: Span) -> Result<Rows, SourceError> {
        let mut checks = self.checks.clone();
        let rows = self.history(span)?;
        Ok(Box::new(rows.map(move |row| {
            row.map(|mut readings| {
                checks.apply(&mut readings, &[]);
                readings
            })
        })))
    }

    /// The sensor checks, before the first reading.
    pub fn checks(&self) -> &SensorChecks {
        &self.checks
    }

    /// The sources one by one.
    pub fn each(&self) -> impl Iterator<Item = &Opened> {
        self.all.iter()
    }

    /// The inlets of the sources that are pushed to.
    pub fn inlets(&self) -> Vec<Arc<Inlet>> {
        self.all.iter().filter_map(|each| each.inlet.clone()).collect()
    }

    /// The alignment settings of each source.
    pub fn timings(&self) -> Vec<SourceTiming> {
        let timing = |each: &Opened| SourceTiming {
            status: each.status.clone(),
            sensors: each.sensors,
            staleness: each.staleness,
            lateness: each.lateness,
        };
        self.all.iter().map(timing).collect()
    }

    /// Count one reading of each sensor as arrived: an instant was taken from the history.
    pub fn all_arrived(&self) {
        self.all.iter().for_each(|each| each.status.arrived(each.sensors));
    }

    /// Set all sources to connected, or to disconnected with a reason.
    pub fn set_connected(&self, why_not: Option<&str>) {
        for each in &self.all {
            match why_not {
                None => each.status.connected(),
                Some(why) => each.status.disconnected(why),
            };
        }
    }
}

/// The histories of several sources, instant after instant.
struct Merged {
    parts: Vec<Part>,
}

struct Part {
    rows: Rows,
    next: Option<Readings>,
    sensors: usize,
    ended: bool,
}

impl Part {
    /// The time of the next row.
    fn peek(&mut self) -> Result<Option<Timestamp>, SourceError> {
        if self.next.is_none() && !self.ended {
            self.next = self.rows.next().transpose()?;
            self.ended = self.next.is_none();
        }
        Ok(self.next.as_ref().map(|row| row.time))
    }
}

impl Merged {
    fn row(&mut self) -> Result<Option<Readings>, SourceError> {
        let mut earliest: Option<Timestamp> = None;
        for part in &mut self.parts {
            let time = part.peek()?;
            earliest = earliest.into_iter().chain(time).min();
        }
        let Some(time) = earliest else { return Ok(None) };
        let (mut values, mut truth) = (Vec::new(), Some(Vec::new()));
        for part in &mut self.parts {
            let first = values.len();
            let row = part.next.take_if(|row| row.time == time);
            let known = row.as_ref().and_then(|row| row.truth.as_deref());
            truth = truth.zip(known).map(|(mut truth, known)| {
                let of_all =
                    |fault: &ActiveFault| ActiveFault { sensor: fault.sensor.map(|s| s + first), ..*fault };
                truth.extend(known.iter().map(of_all));
                truth
            });
            values.extend(row.map_or_else(|| vec![None; part.sensors], |row| row.values));
        }
        Ok(Some(Readings { time, values, truth }))
    }
}

impl Iterator for Merged {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}
