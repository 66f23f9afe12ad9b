//! The state that the monitor and the API share: the serving model, the newest verdicts, the detector's
//! phase.

/// Readiness for requests, and the report to the operator.
mod readiness;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};
use crd::Valid;
use crd::contract::{EventReport, Phase, Rejected, SensorEventReport};
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, broadcast};

use crate::alerting::event::{Change, Events, EventsState};
use crate::alerting::notify::ledger::Entry;
use crate::alerting::notify::{self, Notifier};
use crate::alerting::sensor_event::{SensorChange, SensorEvents};
use crate::ingest::alignment::Aligned;
use crate::ingest::sources::http::inlet::Inlet;
use crate::ingest::status::{ReadingOutcome, SourceStatus};
use crate::scoring::scorer::{Outcome, Scorer};
use crate::scoring::verdict::Verdict;
use crate::serving::batches::Batches;
use crate::serving::budget::{Budget, usable_memory};
use crate::serving::history::{Chunk, History};
use crate::serving::metrics::Metrics;
use crate::serving::newest_verdicts::NewestVerdicts;
use crate::serving::silence::Silence;
use crate::serving::threads::Threads;

/// The memory limits, as parts of the usable memory: requests may hold 1/8, scrapes 1/16, the newest verdicts
/// 1/16. In the default pod, the largest accepted request needs two thirds of that 1/8.
const REQUESTS_SHARE: usize = 8;
const SCRAPES_SHARE: usize = 16;
const VERDICTS_SHARE: usize = 16;
/// The readings of the last 24 hours may hold 1/32 of the usable memory.
const HISTORY_SHARE: usize = 32;
/// The most clients that may follow the verdicts at once.
const MAX_STREAMS: usize = 64;

/// The state of a detector, shared by reference between threads. The model and its memory of readings are
/// replaced together: a request that has taken them works with one model to its end.
pub struct State {
    /// The detector as the manifest describes it.
    pub detector: Valid,
    /// The metrics that Prometheus scrapes.
    pub metrics: Metrics,
    /// The memory that requests on the predict port may hold.
    pub budget: Budget,
    /// The memory that requests on the metrics port may hold. Predictions cannot use it up.
    pub scrapes: Budget,
    /// The thread pool that answers large requests.
    pub batches: Batches,
    /// A place for each client that may follow the verdicts.
    pub streams: Arc<Semaphore>,
    /// The threads that must run for the detector to be alive.
    pub threads: Threads,
    /// The time since the last verdict.
    pub silence: Silence,
    began: Instant,
    scorer: ArcSwapOption<Scorer>,
    verdicts: Mutex<NewestVerdicts>,
    history: Mutex<History>,
    events: Mutex<Events>,
    sensor_events: Mutex<SensorEvents>,
    notifier: OnceLock<Notifier>,
    phase: Mutex<Phase>,
    sources: Vec<Arc<SourceStatus>>,
    inlet: OnceLock<Arc<Inlet>>,
    judged: broadcast::Sender<Judged>,
    draining: AtomicBool,
    /// Locked while the scorer and the events are updated or read together, so that both are of one instant.
    instant: Mutex<()>,
    trainings: AtomicU64,
    rejected: Mutex<Option<Rejected>>,
}

/// The outcome of an instant.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The instant.
    pub time: Timestamp,
    /// The verdict, if there is one.
    pub verdict: Option<Verdict>,
}

/// A run of instants that are judged without a pause. Counts and events are updated after each instant. The
/// scorer, which requests and snapshots use, is published once at the end, so that thousands of readings a
/// second do not copy it thousands of times.
pub struct Advance<'a> {
    state: &'a State,
    _both: MutexGuard<'a, ()>,
}

impl Advance<'_> {
    /// Record the outcome of the next instant. Return the change of an event, if there is one.
    pub fn outcome(&self, aligned: &Aligned, outcome: &Outcome) -> Option<Change> {
        self.state.outcome(aligned, outcome)
    }

    /// Publish the scorer as it is after these instants.
    pub fn publish(self, scorer: &Scorer) {
        self.state.remember(scorer);
    }
}

/// How many instants a receiver of outcomes may fall behind before it misses some.
const OUTCOME_CHANNEL_CAPACITY: usize = 4096;

impl State {
    /// A detector that has not started.
    ///
    /// # Panics
    /// When the system refuses threads.
    pub fn new(detector: Valid) -> Self {
        let metrics = Metrics::new(&detector);
        let memory = usable_memory();
        let status = |name: &str| Arc::new(SourceStatus::new(name, metrics.counters(name)));
        Self {
            sources: detector.sources().iter().map(|each| status(&each.name)).collect(),
            inlet: OnceLock::new(),
            judged: broadcast::Sender::new(OUTCOME_CHANNEL_CAPACITY),
            metrics,
            budget: Budget::new(memory / REQUESTS_SHARE),
            scrapes: Budget::new(memory / SCRAPES_SHARE),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            batches: Batches::start().expect("a process that runs has threads"),
            threads: Threads::default(),
            silence: Silence::new(detector.spec().interval.into()),
            began: Instant::now(),
            scorer: ArcSwapOption::empty(),
            events: Mutex::new(Events::new(&detector)),
            sensor_events: Mutex::new(SensorEvents::new(&detector)),
            notifier: OnceLock::new(),
            verdicts: Mutex::new(NewestVerdicts::new(memory / VERDICTS_SHARE, detector.sensors().count())),
            history: Mutex::new(History::new(
                memory / HISTORY_SHARE,
                detector.sensors().count(),
                detector.spec().interval.into(),
            )),
            phase: Mutex::new(Phase::WarmingUp {
                have: 0,
                need: detector.train().map_or(0, |train| train.samples),
                seconds_left: None,
            }),
            draining: AtomicBool::new(false),
            instant: Mutex::new(()),
            trainings: AtomicU64::new(0),
            rejected: Mutex::new(None),
            detector,
        }
    }

    /// The serving model with its memory of readings; none before the first model serves.
    pub fn scorer(&self) -> Option<Arc<Scorer>> {
        self.scorer.load_full()
    }

    /// The same by a guard that does not touch the reference count that threads share. Hold it only while a
    /// request is read and judged.
    pub fn current_scorer(&self) -> Guard<Option<Arc<Scorer>>> {
        self.scorer.load()
    }

    /// Make this model serve from now on. `trained_in` is the duration of its training, 0 if it was not
    /// trained now.
    pub fn serve(&self, scorer: &Scorer, trained_in: Duration) {
        self.metrics.model(scorer.model(), trained_in, self.scorer().is_some());
        self.remember(scorer);
        self.silence.record_verdict();
        *self.phase.lock() = Phase::Serving;
    }

    /// Record the end of a training: a success if `done`, else a failure.
    pub fn trained(&self, done: bool) {
        self.trainings.fetch_add(u64::from(done), Ordering::Relaxed);
        self.metrics.training(done);
    }

    /// Publish when the next training is due; none if never.
    pub fn next_training(&self, next: Option<Timestamp>) {
        self.metrics.next_training(next);
    }

    /// Publish the length of the gap in the serving model's memory of readings after a restart.
    pub fn restored(&self, gap: Duration) {
        self.metrics.restored(gap);
    }

    /// Set why a requested model cannot serve; none if no requested model is rejected.
    pub fn reject(&self, rejected: Option<Rejected>) {
        self.metrics.rejected(rejected.is_some());
        let mut known = self.rejected.lock();
        if rejected.is_some() && rejected != *known {
            self.metrics.rejection();
        }
        *known = rejected;
    }

    /// Publish the scorer after new readings, with its threshold and alarm rate.
    pub fn remember(&self, scorer: &Scorer) {
        self.metrics.threshold(scorer.threshold(), scorer.calibration());
        self.metrics.alarm_rate(scorer.alarm_rate());
        self.scorer.store(Some(Arc::new(scorer.clone())));
    }

    /// Set the phase: `have` of the `need` samples to train on have been read.
    pub fn gathered(&self, have: usize, need: usize) {
        *self.phase.lock() = Phase::WarmingUp { have, need, seconds_left: None };
    }

    /// Set the phase: `have` of the `need` samples to train on have arrived. The rest will take
    /// `seconds_left`, at one sample per interval. Requests are accepted meanwhile.
    pub fn collected(&self, have: usize, need: usize, seconds_left: u64) {
        *self.phase.lock() = Phase::WarmingUp { have, need, seconds_left: Some(seconds_left) };
    }

    /// Set the phase: the training on the collected readings has failed, and more readings are being
    /// collected.
    pub fn training_failed(&self, message: String) {
        *self.phase.lock() = Phase::TrainingFailed { message };
    }

    /// The sources' states and counts, in the order of the spec.
    pub fn sources(&self) -> &[Arc<SourceStatus>] {
        &self.sources
    }

    /// The inlet for pushed readings; none if the detector has no source that is pushed to, or has not
    /// started.
    pub fn inlet(&self) -> Option<&Arc<Inlet>> {
        self.inlet.get()
    }

    /// Set the inlet for pushed readings. Only the first call has an effect.
    pub fn set_inlet(&self, inlet: Arc<Inlet>) {
        let _ = self.inlet.set(inlet);
    }

    /// Subscribe to the outcomes of all later instants.
    pub fn judged(&self) -> broadcast::Receiver<Judged> {
        self.judged.subscribe()
    }

    /// Record an instant's readings that were not judged because there is no model yet.
    pub fn unjudged(&self, aligned: &Aligned) {
        self.metrics.readings(&aligned.readings);
        self.follow_sensors(aligned);
        self.settle(aligned, false);
        self.announce(aligned.readings.time, None);
    }

    /// Start to judge a run of instants that are due at once. [`Advance::publish`] ends the run.
    pub fn advance(&self) -> Advance<'_> {
        Advance { state: self, _both: self.instant.lock() }
    }

    /// Return the scorer and the events, both of the same instant.
    pub fn memory(&self) -> (Option<Arc<Scorer>>, EventsState) {
        let _both = self.instant.lock();
        (self.scorer(), self.events.lock().state())
    }

    /// Restore the events that an earlier process saved.
    pub fn restore(&self, events: EventsState) {
        self.events.lock().restore(events);
    }

    /// Record an instant's readings and their outcome. Return the change of an event, if there is one.
    pub fn outcome(&self, aligned: &Aligned, outcome: &Outcome) -> Option<Change> {
        self.metrics.readings(&aligned.readings);
        self.follow_sensors(aligned);
        self.settle(aligned, matches!(outcome, Outcome::Verdict(_)));
        // A model that looks back needs some readings before its first verdict: this is not silence.
        if matches!(outcome, Outcome::Verdict(_) | Outcome::TooEarly) {
            self.silence.record_verdict();
        }
        let verdict = if let Outcome::Verdict(verdict) = outcome { Some(verdict) } else { None };
        let change = verdict.and_then(|verdict| self.take_verdict(verdict));
        // Announce only after the verdict is stored: a new stream finds it there, and running streams receive
        // it.
        self.announce(aligned.readings.time, verdict);
        change
    }

    fn take_verdict(&self, verdict: &Verdict) -> Option<Change> {
        self.metrics.verdict(verdict);
        let change = self.follow(verdict);
        self.history.lock().push(verdict);
        self.verdicts.lock().push(verdict);
        change
    }

    fn announce(&self, time: Timestamp, verdict: Option<&Verdict>) {
        if self.judged.receiver_count() > 0 {
            let _ = self.judged.send(Judged { time, verdict: verdict.cloned() });
        }
    }

    /// Count the outcome of each reading that has arrived for an instant.
    fn settle(&self, aligned: &Aligned, scored: bool) {
        let widths = self.detector.sources().iter().map(|source| source.sensors().len());
        let sources = self.sources.iter().zip(widths);
        let sources = sources.flat_map(|(source, width)| std::iter::repeat_n(source, width));
        let mut carried = aligned.carried.iter().copied().peekable();
        for (sensor, (value, source)) in aligned.readings.values.iter().zip(sources).enumerate() {
            let outcome = match value {
                None => ReadingOutcome::Missing,
                // A carried value was counted when it arrived.
                Some(_) if carried.peek() == Some(&sensor) => {
                    carried.next();
                    continue;
                }
                Some(value) if forest::cell(*value).is_none() => ReadingOutcome::Refused,
                Some(_) if scored => ReadingOutcome::Scored,
                Some(_) => ReadingOutcome::Dropped,
            };
            carried.next_if_eq(&sensor);
            source.record_outcome(outcome);
        }
    }

    fn follow(&self, verdict: &Verdict) -> Option<Change> {
        let mut events = self.events.lock();
        let change = events.follow(verdict);
        self.metrics.event(change.as_ref(), events.alarm());
        if let (Some(change), Some(notifier)) = (&change, self.notifier.get()) {
            for name in notifier.notify(change) {
                self.metrics.notification(name, notify::DeliveryOutcome::Dropped, 1);
            }
        }
        change
    }

    /// Update the sensors' events with the faults of an instant, and log what has changed.
    fn follow_sensors(&self, aligned: &Aligned) {
        for change in self.sensor_events.lock().follow(aligned) {
            self.metrics.sensor_event(&change);
            match change {
                SensorChange::Began(.., event) => tracing::warn!("sensor fault: {}", event.message),
                SensorChange::Ended(.., event) => {
                    tracing::info!("the fault of sensor {} has ended", event.sensor);
                }
            }
        }
    }

    /// The newest faults of sensors, at most `most`: the ongoing ones, then those that have ended, newest
    /// first.
    pub fn sensor_events(&self, most: usize) -> Vec<SensorEventReport> {
        self.sensor_events.lock().newest(most)
    }

    /// Set the notifier that publishes events. Only the first call has an effect.
    pub fn notify(&self, notifier: Notifier) {
        let _ = self.notifier.set(notifier);
    }

    /// The delivery states of the newest notification messages, newest first.
    pub fn notifications(&self) -> Vec<Entry> {
        self.notifier.get().map_or(Vec::new(), |notifier| notifier.ledger().entries())
    }

    /// The ongoing event, if there is one.
    pub fn ongoing_event(&self) -> Option<EventReport> {
        self.events.lock().ongoing()
    }

    /// The newest events, at most `most`, newest first.
    pub fn events(&self, most: usize) -> Vec<Arc<EventReport>> {
        self.events.lock().newest(most)
    }

    /// The history of the last 24 hours after `since`, and how long its slots last, seconds.
    pub fn history(&self, since: Timestamp) -> (f64, Vec<Arc<Chunk>>) {
        let history = self.history.lock();
        (history.width(), history.since(since))
    }

    /// The newest verdicts after `since`, at most `most`, newest first.
    pub fn verdicts(&self, most: usize, since: Timestamp) -> Vec<Arc<Verdict>> {
        self.verdicts.lock().after(since, most)
    }
}
