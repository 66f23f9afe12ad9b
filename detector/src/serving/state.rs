//! What the monitor and the API share: the model at work, the newest verdicts, how far the detector is.

/// Whether requests may come, and the report.
mod readiness;

use std::collections::VecDeque;
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
use crate::ingest::status::{Fate, SourceStatus};
use crate::scoring::scorer::{Outcome, Scorer};
use crate::scoring::verdict::Verdict;
use crate::serving::batches::Batches;
use crate::serving::budget::{Budget, usable_memory};
use crate::serving::history::{Chunk, History};
use crate::serving::metrics::Metrics;
use crate::serving::silence::Silence;
use crate::serving::threads::Threads;

/// How many verdicts `GET /verdicts` can look back on, where there is room for them.
pub const REMEMBERED: usize = 1000;
/// Requests may hold an eighth of the memory that there is, scrapes a sixteenth, verdicts another. In the default pod, the largest
/// request that is taken needs two thirds of that eighth.
const REQUESTS_SHARE: usize = 8;
const SCRAPES_SHARE: usize = 16;
const VERDICTS_SHARE: usize = 16;
/// The last 24 hours may take another of these shares.
const HISTORY_SHARE: usize = 32;
/// How many may follow the verdicts at once.
const MOST_STREAMS: usize = 64;
/// What a verdict holds at most for each sensor: a value, a share, a reason.
const VERDICT_BYTES: usize = 128;

/// How many verdicts on so many sensors there is room for.
fn remembered(bytes: usize, sensors: usize) -> usize {
    (bytes / (VERDICT_BYTES * sensors.max(1))).clamp(1, REMEMBERED)
}

/// Shared by reference between threads. The model and what it remembers are swapped as one: a request that has taken
/// them works with one model to its end.
pub struct State {
    /// The detector as the manifest describes it.
    pub detector: Valid,
    /// What Prometheus sees.
    pub metrics: Metrics,
    /// What requests on the predict port may hold.
    pub budget: Budget,
    /// What requests on the metrics port may hold: predictions leave it alone.
    pub scrapes: Budget,
    /// Where large requests are answered.
    pub batches: Batches,
    /// Places for those who follow the verdicts.
    pub streams: Arc<Semaphore>,
    /// What the detector is not alive without.
    pub threads: Threads,
    /// How long there has been no verdict.
    pub silence: Silence,
    began: Instant,
    scorer: ArcSwapOption<Scorer>,
    verdicts: Mutex<VecDeque<Arc<Verdict>>>,
    history: Mutex<History>,
    /// How many of them there is room for.
    remembered: usize,
    events: Mutex<Events>,
    sensor_events: Mutex<SensorEvents>,
    notifier: OnceLock<Notifier>,
    phase: Mutex<Phase>,
    sources: Vec<Arc<SourceStatus>>,
    inlet: OnceLock<Arc<Inlet>>,
    judged: broadcast::Sender<Judged>,
    draining: AtomicBool,
    /// Held while one instant's outcome and memory are taken or given.
    instant: Mutex<()>,
    trainings: AtomicU64,
    rejected: Mutex<Option<Rejected>>,
}

/// What became of an instant.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The instant.
    pub time: Timestamp,
    /// The verdict, if there is one.
    pub verdict: Option<Verdict>,
}

/// Instants that are judged without a wait between them. Counts and events follow each; what requests and a restart go by is
/// published once, so that thousands of readings a second do not copy it thousands of times.
pub struct Advance<'a> {
    state: &'a State,
    _both: MutexGuard<'a, ()>,
}

impl Advance<'_> {
    /// The next instant was judged. What became of the events.
    pub fn outcome(&self, aligned: &Aligned, outcome: &Outcome) -> Option<Change> {
        self.state.outcome(aligned, outcome)
    }

    /// What the scorer remembers after them.
    pub fn publish(self, scorer: &Scorer) {
        self.state.remember(scorer);
    }
}

/// How many instants a request may be behind that waits for its verdicts.
const WAITED_FOR: usize = 4096;

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
            judged: broadcast::Sender::new(WAITED_FOR),
            metrics,
            budget: Budget::new(memory / REQUESTS_SHARE),
            scrapes: Budget::new(memory / SCRAPES_SHARE),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            batches: Batches::start().expect("a process that runs has threads"),
            threads: Threads::default(),
            silence: Silence::new(detector.spec().interval.into()),
            began: Instant::now(),
            remembered: remembered(memory / VERDICTS_SHARE, detector.sensors().count()),
            scorer: ArcSwapOption::empty(),
            events: Mutex::new(Events::new(&detector)),
            sensor_events: Mutex::new(SensorEvents::new(&detector)),
            notifier: OnceLock::new(),
            verdicts: Mutex::new(VecDeque::new()),
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

    /// The model at work and what it remembers; none before the first training is done.
    pub fn scorer(&self) -> Option<Arc<Scorer>> {
        self.scorer.load_full()
    }

    /// The same for as long as a request takes to be read and judged: no count that threads share is touched.
    pub fn current_scorer(&self) -> Guard<Option<Arc<Scorer>>> {
        self.scorer.load()
    }

    /// From now on this model serves. `trained_in`: how long its training took, 0 where it was there.
    pub fn serve(&self, scorer: &Scorer, trained_in: Duration) {
        self.metrics.model(scorer.model(), trained_in, self.scorer().is_some());
        self.remember(scorer);
        self.silence.broken();
        *self.phase.lock() = Phase::Serving;
    }

    /// A training has ended; well, if `done`.
    pub fn trained(&self, done: bool) {
        self.trainings.fetch_add(u64::from(done), Ordering::Relaxed);
        self.metrics.training(done);
    }

    /// When the next training is due, if ever.
    pub fn next_training(&self, next: Option<Timestamp>) {
        self.metrics.next_training(next);
    }

    /// The memory of the model at work knows nothing of this long.
    pub fn restored(&self, gap: Duration) {
        self.metrics.restored(gap);
    }

    /// A model that is wanted does not serve, or (none) every one does.
    pub fn reject(&self, rejected: Option<Rejected>) {
        self.metrics.rejected(rejected.is_some());
        let mut known = self.rejected.lock();
        if rejected.is_some() && rejected != *known {
            self.metrics.rejection();
        }
        *known = rejected;
    }

    /// What the model at work remembers has moved on by a reading.
    pub fn remember(&self, scorer: &Scorer) {
        self.metrics.threshold(scorer.threshold(), scorer.calibration());
        self.metrics.alarm_rate(scorer.alarm_rate());
        self.scorer.store(Some(Arc::new(scorer.clone())));
    }

    /// So many of the samples to train on are there.
    pub fn gathered(&self, have: usize, need: usize) {
        *self.phase.lock() = Phase::WarmingUp { have, need, seconds_left: None };
    }

    /// So many of the samples to train on have arrived, and the others will have in so many seconds: they come one an
    /// interval. Requests may come meanwhile.
    pub fn collected(&self, have: usize, need: usize, seconds_left: u64) {
        *self.phase.lock() = Phase::WarmingUp { have, need, seconds_left: Some(seconds_left) };
    }

    /// The training on what was collected has failed; more is collected.
    pub fn training_failed(&self, message: String) {
        *self.phase.lock() = Phase::TrainingFailed { message };
    }

    /// The sources' states and counts, in the order of the spec.
    pub fn sources(&self) -> &[Arc<SourceStatus>] {
        &self.sources
    }

    /// Where requests put readings; none where the detector has no source that is pushed to, or has not started.
    pub fn inlet(&self) -> Option<&Arc<Inlet>> {
        self.inlet.get()
    }

    /// From now on requests put readings here. There is one in the life of a detector.
    pub fn take_in(&self, inlet: Arc<Inlet>) {
        let _ = self.inlet.set(inlet);
    }

    /// What becomes of each instant from now on.
    pub fn judged(&self) -> broadcast::Receiver<Judged> {
        self.judged.subscribe()
    }

    /// An instant's readings that no model was there to judge.
    pub fn unjudged(&self, aligned: &Aligned) {
        self.metrics.readings(&aligned.readings);
        self.follow_sensors(aligned);
        self.settle(aligned, false);
        self.announce(aligned.readings.time, None);
    }

    /// Instants that are due at once are being judged: [`Advance::publish`] ends it.
    pub fn advance(&self) -> Advance<'_> {
        Advance { state: self, _both: self.instant.lock() }
    }

    /// The scorer and the events, both of the same instant.
    pub fn memory(&self) -> (Option<Arc<Scorer>>, EventsState) {
        let _both = self.instant.lock();
        (self.scorer(), self.events.lock().state())
    }

    /// Go on with the events of another process.
    pub fn restore(&self, events: EventsState) {
        self.events.lock().restore(events);
    }

    /// An instant's readings, and what became of them and of the events.
    pub fn outcome(&self, aligned: &Aligned, outcome: &Outcome) -> Option<Change> {
        self.metrics.readings(&aligned.readings);
        self.follow_sensors(aligned);
        self.settle(aligned, matches!(outcome, Outcome::Verdict(_)));
        // A model that looks back has to wait for what it looks back on.
        if matches!(outcome, Outcome::Verdict(_) | Outcome::TooEarly) {
            self.silence.broken();
        }
        let verdict = if let Outcome::Verdict(verdict) = outcome { Some(verdict) } else { None };
        let change = verdict.and_then(|verdict| self.take_verdict(verdict));
        // After it is remembered: a stream that starts now finds it there, and those that run are sent it.
        self.announce(aligned.readings.time, verdict);
        change
    }

    fn take_verdict(&self, verdict: &Verdict) -> Option<Change> {
        self.metrics.verdict(verdict);
        let change = self.follow(verdict);
        self.history.lock().push(verdict);
        let mut verdicts = self.verdicts.lock();
        if verdicts.len() == self.remembered {
            verdicts.pop_front();
        }
        verdicts.push_back(Arc::new(verdict.clone()));
        change
    }

    fn announce(&self, time: Timestamp, verdict: Option<&Verdict>) {
        if self.judged.receiver_count() > 0 {
            let _ = self.judged.send(Judged { time, verdict: verdict.cloned() });
        }
    }

    /// Count what became of each reading that has arrived for an instant.
    fn settle(&self, aligned: &Aligned, scored: bool) {
        let widths = self.detector.sources().iter().map(|source| source.sensors().len());
        let sources = self.sources.iter().zip(widths);
        let sources = sources.flat_map(|(source, width)| std::iter::repeat_n(source, width));
        let mut carried = aligned.carried.iter().copied().peekable();
        for (sensor, (value, source)) in aligned.readings.values.iter().zip(sources).enumerate() {
            let fate = match value {
                None => Fate::Missing,
                // Counted when it was fresh.
                Some(_) if carried.peek() == Some(&sensor) => {
                    carried.next();
                    continue;
                }
                Some(value) if forest::cell(*value).is_none() => Fate::Refused,
                Some(_) if scored => Fate::Scored,
                Some(_) => Fate::Dropped,
            };
            carried.next_if_eq(&sensor);
            source.settle(fate);
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

    /// What the faults of an instant do to the sensors' events.
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

    /// The newest faults of sensors, at most `most`, newest first: those that go on, then those that have ended.
    pub fn sensor_events(&self, most: usize) -> Vec<SensorEventReport> {
        self.sensor_events.lock().newest(most)
    }

    /// From now on this one publishes events. There is one in the life of a detector.
    pub fn notify(&self, notifier: Notifier) {
        let _ = self.notifier.set(notifier);
    }

    /// What became of the newest messages to receivers of notifications, newest first.
    pub fn notifications(&self) -> Vec<Entry> {
        self.notifier.get().map_or(Vec::new(), |notifier| notifier.ledger().entries())
    }

    /// The event that goes on, if one does.
    pub fn ongoing_event(&self) -> Option<EventReport> {
        self.events.lock().ongoing()
    }

    /// The newest events, at most `most`, newest first.
    pub fn events(&self, most: usize) -> Vec<Arc<EventReport>> {
        self.events.lock().newest(most)
    }

    /// What was after `since`, of the last 24 hours, and how many seconds a slot of it lasts.
    pub fn history(&self, since: Timestamp) -> (f64, Vec<Arc<Chunk>>) {
        let history = self.history.lock();
        (history.width(), history.since(since))
    }

    /// The newest verdicts, at most `most`, and those after `since` alone, newest first.
    pub fn verdicts(&self, most: usize, since: Timestamp) -> Vec<Arc<Verdict>> {
        let verdicts = self.verdicts.lock();
        let newest = verdicts.iter().rev().take_while(|verdict| verdict.time > since);
        newest.take(most).cloned().collect()
    }
}
