//! Changes while a detector runs in: files, the time, the server of `model.load`; models that take over out.
//!
//! The manager runs on its own thread, beside the threads that answer requests and judge readings. When
//! something fails, the current model keeps serving.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use crd::contract::Rejected;
use crd::status::Reason;
use crd::valid::ModelKind;
use jiff::Timestamp;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::mpsc::UnboundedSender;

use super::args::RunArgs;
use super::error::RunError;
use super::start::{Start, fitted};
use crate::cli::manifest;
use crate::ingest::buffer::Buffer;
use crate::ingest::history::HistoryReader;
use crate::ingest::source::Clock;
use crate::ingest::sources::Sources;
use crate::lifecycle::backoff::Backoff;
use crate::lifecycle::load::loader::{Found, Loader};
use crate::lifecycle::monitor::{self, MonitorError};
use crate::lifecycle::retrain_schedule::RetrainSchedule;
use crate::lifecycle::store::StateDirectory;
use crate::lifecycle::store::requirements::ModelRequirements;
use crate::lifecycle::store::watched_file::WatchedFile;
use crate::model::model::Model;
use crate::serving::state::State;
use crate::wall_clock;

/// The interval at which files, servers and the schedule are checked.
const LOOK: Duration = Duration::from_secs(1);
/// The interval for a recording, whose own clock may run faster than the wall clock.
const LOOK_AT_RECORDING: Duration = Duration::from_millis(250);

/// A message from the manager: a model that takes over, or a note for the log.
pub(super) enum ModelUpdate {
    /// A model takes over.
    Model {
        /// The model.
        model: Arc<Model>,
        /// How long its training took; `None` where this process did not train it.
        took: Option<Duration>,
    },
    /// A sentence for the log.
    Note(String),
}

/// Chooses the model that serves: keeps the current one, and looks for models that take over from it.
pub(super) struct ModelManager {
    state: Data<State>,
    serving: Option<Arc<Model>>,
    updates: UnboundedSender<ModelUpdate>,
    requirements: ModelRequirements,
    manifest: WatchedFile,
    assignments: Vec<String>,
    stored: Option<WatchedFile>,
    directory: Option<StateDirectory>,
    loader: Option<Loader>,
    retrain_schedule: RetrainSchedule,
    /// The end of the training history that the manifest requests (`dataEndTime`).
    until: Option<Timestamp>,
    sources: Arc<Sources>,
    kept: Option<Arc<Buffer>>,
    past: Option<HistoryReader>,
    backoff: Backoff,
    /// The threads that train: half of the cores, so that the other half answers requests.
    pool: ThreadPool,
    pin_rejection: Option<Rejected>,
    load_rejection: Option<Rejected>,
    training_rejection: Option<Rejected>,
}

impl ModelManager {
    /// Create a manager that takes the present files as known: only later changes count as changes.
    pub(super) fn new(
        args: &RunArgs,
        state: &Data<State>,
        (sources, kept): (Arc<Sources>, Option<Arc<Buffer>>),
        updates: UnboundedSender<ModelUpdate>,
        start: &Start,
    ) -> Result<Self, RunError> {
        let detector = &state.detector;
        let loader = match detector.model() {
            ModelKind::Load(load) => Some(Loader::new(load, &args.mounts(), args.outgoing()?)?),
            ModelKind::Train(_) => None,
        };
        let seen = |path: &std::path::PathBuf| {
            let mut watched = WatchedFile::new(path.clone());
            watched.has_changed();
            watched
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads((cores / 2).max(1)).build();
        Ok(Self {
            serving: None,
            updates,
            requirements: ModelRequirements::new(detector),
            manifest: seen(&args.manifest),
            assignments: args.set.clone(),
            stored: args.stored_model.as_ref().map(seen),
            directory: start.directory.clone(),
            loader,
            retrain_schedule: RetrainSchedule::new(detector),
            until: detector.train().and_then(|train| train.data_end_time),
            sources,
            kept,
            past: None,
            backoff: Backoff::default(),
            pool: pool.map_err(|error| RunError::Start(io::Error::other(error)))?,
            pin_rejection: start.rejected.clone(),
            load_rejection: None,
            training_rejection: None,
            state: state.clone(),
        })
    }

    /// Start the thread that looks for models to take over from this one, until the receiver of the updates
    /// is dropped.
    pub(super) fn start(mut self, serving: Option<Arc<Model>>) -> Result<(), RunError> {
        if let Some(model) = &serving {
            self.keep(model);
        }
        self.serving = serving;
        let running = self.state.threads.runs("model_manager");
        let look = match self.sources.clock() {
            Clock::Own { .. } => LOOK_AT_RECORDING,
            Clock::Wall => LOOK,
        };
        let run = move || {
            let _running = running;
            while !self.updates.is_closed() {
                self.look_catching_panics();
                thread::sleep(look);
            }
        };
        let thread = thread::Builder::new().name("model_manager".to_owned());
        thread.spawn(run).map(|_| ()).map_err(RunError::Start)
    }

    /// Look once. A panic is logged, and the next look follows after a pause: a bug in rarely run code must
    /// not stop the detector.
    fn look_catching_panics(&mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.look())).is_err() {
            self.past = None;
            let pause = self.backoff.failed(Instant::now(), Duration::MAX);
            self.note(format!("the search for models panicked; it restarts in {}s", pause.as_secs()));
            thread::sleep(pause);
        }
    }

    fn look(&mut self) {
        let pin_moved = self.manifest.has_changed() && self.read_manifest();
        if self.stored.as_mut().is_some_and(WatchedFile::has_changed) || pin_moved {
            self.open_stored(pin_moved);
        }
        self.load();
        self.train();
        let rejected =
            self.pin_rejection.as_ref().or(self.load_rejection.as_ref()).or(self.training_rejection.as_ref());
        self.state.reject(rejected.cloned());
    }

    fn note(&self, note: String) {
        // Sending fails only if the receiver is gone: then the program is about to end.
        let _ = self.updates.send(ModelUpdate::Note(note));
    }

    /// Read the changed manifest. `dataEndTime` and `pinnedDigest` take effect at once; other changes need a
    /// new process. Returns whether the pin has changed.
    fn read_manifest(&mut self) -> bool {
        match manifest::detector(self.manifest.path(), &self.assignments) {
            Ok(detector) => {
                self.until = detector.train().and_then(|train| train.data_end_time);
                let pin = detector.spec().model.pinned_digest.clone();
                let moved = pin != self.requirements.pin;
                self.requirements.pin = pin;
                moved
            }
            Err(error) => {
                let why = error.to_string().replace('\n', "; ");
                self.note(format!("the changed manifest is invalid: {why}"));
                false
            }
        }
    }

    /// Let the stored model, or the one in the state directory, take over if it is pinned, is not older than
    /// the serving one, or the pin has changed.
    fn open_stored(&mut self, pin_moved: bool) {
        let mut notes = Vec::new();
        let kept = self.directory.as_ref().map(StateDirectory::model);
        let files = self.stored.iter().map(WatchedFile::path).chain(kept.as_deref());
        let fitting: Vec<Arc<Model>> =
            files.filter_map(|file| fitted(file, &self.requirements, &mut notes)).collect();
        for note in notes {
            self.state.metrics.rejection();
            self.note(note);
        }
        let (chosen, rejected) = self.requirements.choose(&fitting);
        self.pin_rejection = rejected;
        let Some(model) = chosen else { return };
        let newer =
            self.serving.as_ref().is_none_or(|serving| model.data_end_time() >= serving.data_end_time());
        if self.requirements.is_pinned(&model) {
            self.hand_over(model, None);
        } else if newer || pin_moved {
            self.adopt(model, None);
        }
    }

    fn load(&mut self) {
        let Some(loader) = &mut self.loader else { return };
        match loader.look(&self.state.detector) {
            Ok(Found::Nothing) => {}
            Ok(Found::Same) => self.load_rejection = None,
            Ok(Found::Model(model)) => {
                self.load_rejection = None;
                self.adopt(model, None);
            }
            Err(error) => {
                let rejected = error.rejected();
                if self.load_rejection.as_ref() != Some(&rejected) {
                    self.note(format!("model.load: {error}; trying again"));
                }
                self.load_rejection = Some(rejected);
            }
        }
    }

    fn train(&mut self) {
        let Some(serving) = self.serving.clone() else { return };
        let Some(now) = self.now() else { return };
        let next = self.retrain_schedule.next(now);
        self.state.next_training(next);
        if self.state.detector.train().is_none() || self.requirements.is_pinned(&serving) {
            return;
        }
        let Some(until) = self.due(&serving, now).filter(|_| self.backoff.is_due(Instant::now())) else {
            return;
        };
        let began = Instant::now();
        let trained = self.retrain(&serving, until, now);
        self.state.trained(trained.is_ok());
        match trained {
            Ok(model) => {
                self.backoff.succeeded();
                self.training_rejection = None;
                self.adopt(Arc::new(model), Some(began.elapsed()));
            }
            Err(error) => {
                self.past = None;
                let pause = self.backoff.failed(Instant::now(), Duration::MAX).as_secs();
                let message = format!("the training failed, the current model keeps serving: {error}");
                self.note(format!("{message}; trying again in {pause}s"));
                self.training_rejection = Some(Rejected { reason: Reason::TrainingFailed, message });
            }
        }
    }

    /// The newest time up to which a training is due; `None` where the serving model was trained up to that
    /// time or later.
    fn due(&mut self, serving: &Model, now: Timestamp) -> Option<Timestamp> {
        let requested = self.until.filter(|until| *until > serving.until());
        // In a recording, the requested end of the history may be in the future of the recording's clock:
        // then the newest reading counts.
        let since = if serving.until() <= now { serving.until() } else { serving.data_end_time() };
        requested.max(self.retrain_schedule.latest(since, now))
    }

    fn retrain(&mut self, serving: &Model, until: Timestamp, now: Timestamp) -> Result<Model, MonitorError> {
        let detector = &self.state.detector;
        let past = match &mut self.past {
            Some(past) => past,
            none => none.insert(HistoryReader::open(&self.sources, self.kept.as_ref())?),
        };
        // A training that a person requests by `dataEndTime` replaces all trees.
        let renewed_trees = detector.renewed_trees().filter(|_| self.until != Some(until));
        self.pool.install(|| monitor::retrain(detector, serving, past, until, now, renewed_trees))
    }

    /// The time by which trainings are due: the wall clock, or the newest judged readings' time in a
    /// recording.
    fn now(&self) -> Option<Timestamp> {
        match self.sources.clock() {
            Clock::Own { .. } => self.state.scorer()?.seen(),
            Clock::Wall => Some(wall_clock::now()),
        }
    }

    /// Store a model in the state directory, and let it serve unless the serving one is pinned.
    fn adopt(&mut self, model: Arc<Model>, took: Option<Duration>) {
        self.keep(&model);
        let pinned = self.serving.as_ref().is_some_and(|serving| self.requirements.is_pinned(serving));
        if !pinned {
            self.hand_over(model, took);
        }
    }

    fn hand_over(&mut self, model: Arc<Model>, took: Option<Duration>) {
        if self.serving.as_ref().is_none_or(|serving| serving.digest() != model.digest()) {
            self.serving = Some(model.clone());
            let _ = self.updates.send(ModelUpdate::Model { model, took });
        }
    }

    fn keep(&self, model: &Model) {
        let kept = self.directory.as_ref().map(|directory| directory.store_model(model));
        if let Some(Err(error)) = kept {
            self.note(format!("the model cannot be stored for the next start: {error}"));
        }
    }
}
