//! The stored files of an earlier process in; the model to start with, and the snapshot of that process, out.

use std::path::Path;
use std::sync::Arc;

use crd::Valid;
use crd::contract::Rejected;
use crd::valid::ModelKind;

use super::args::RunArgs;
use super::error::RunError;
use crate::lifecycle::load::import_process::Importer;
use crate::lifecycle::load::{self, LoadError, Place, opening};
use crate::lifecycle::store::requirements::ModelRequirements;
use crate::lifecycle::store::snapshot::Snapshot;
use crate::lifecycle::store::{StateDirectory, training_end};
use crate::model::model::Model;

/// The model and the state that a run starts with.
pub(super) struct Start {
    /// The model that serves from the start; `None` where one must be trained or loaded.
    pub(super) model: Option<Arc<Model>>,
    /// The snapshot of the earlier process, if it is of the same sensors.
    pub(super) snapshot: Option<Snapshot>,
    /// The rejection, where the spec pins a model that is not there.
    pub(super) rejected: Option<Rejected>,
    /// The folder of `--state`, locked.
    pub(super) directory: Option<StateDirectory>,
    /// Sentences for the log: the files that cannot be used, and why.
    pub(super) notes: Vec<String>,
}

impl Start {
    /// Read the stored model and the state directory. Files that cannot be used are ignored, and noted.
    pub(super) fn new(args: &RunArgs, detector: &Valid, directory: Option<StateDirectory>) -> Self {
        let requirements = ModelRequirements::new(detector);
        let kept = directory.as_ref().map(StateDirectory::model);
        let mut notes = Vec::new();
        let files = args.stored_model.as_deref().into_iter().chain(kept.as_deref());
        let fitting: Vec<Arc<Model>> =
            files.filter_map(|file| fitted(file, &requirements, &mut notes)).collect();
        let (model, rejected) = requirements.choose(&fitting);
        let snapshot = match directory.as_ref().map(|directory| snapshot(directory, detector)) {
            Some(Err(note)) => {
                notes.push(note);
                None
            }
            Some(Ok(snapshot)) => snapshot,
            None => None,
        };
        Self { model, snapshot, rejected, directory, notes }
    }
}

/// Open and lock the folder of `--state`, where there is one.
pub(super) fn state_directory(args: &RunArgs) -> Result<Option<StateDirectory>, RunError> {
    let open = |path: &Path| {
        StateDirectory::open(path).map_err(|source| RunError::State { path: path.to_owned(), source })
    };
    args.state.as_deref().map(open).transpose()
}

/// Read the model in a file and fit it to the spec; `None` where there is no file, or where the model cannot
/// be used, with the reason added to `notes`.
pub(super) fn fitted(
    file: &Path,
    requirements: &ModelRequirements,
    notes: &mut Vec<String>,
) -> Option<Arc<Model>> {
    if !file.exists() {
        return None;
    }
    let opened = load::read(file).and_then(|bytes| Ok(Model::open(bytes)?));
    let opened = opened.map(|model| model.with_training_end(training_end::read(file)));
    let note = match opened.map(|model| requirements.fitted(model)) {
        Ok(Ok(model)) => return Some(model),
        Ok(Err(incompatible)) => format!("{} is not served: {incompatible}", file.display()),
        Err(LoadError::File { path, source }) => format!("{} is not served: {source}", path.display()),
        Err(error) => format!("{} is not served: {error}", file.display()),
    };
    notes.push(note);
    None
}

fn snapshot(directory: &StateDirectory, detector: &Valid) -> Result<Option<Snapshot>, String> {
    let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let snapshot = directory.read_snapshot();
    let snapshot = snapshot.and_then(|found| found.map(|snapshot| snapshot.of(&sensors)).transpose());
    snapshot.map_err(|error| format!("{} is not used: {error}", directory.snapshot().display()))
}

/// Load the model that `model.load` names.
pub(super) async fn load(args: &RunArgs, detector: &Valid) -> Result<Arc<Model>, LoadError> {
    let ModelKind::Load(spec) = detector.model() else {
        unreachable!("only a detector that trains nothing loads")
    };
    let bytes = match Place::new(spec, &args.mounts(), args.outgoing()?)? {
        Place::File(path) => load::read(&path)?,
        Place::Remote(remote) => remote.fetch().await?,
    };
    Ok(Arc::new(opening::model(bytes, spec.sha256.as_deref(), detector, &Importer::this_program())?.loaded()))
}
