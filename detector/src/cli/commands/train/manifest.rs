//! A manifest in, the model that `detector run` would start with out.

use std::path::Path;
use std::sync::Arc;

use super::args::TrainArgs;
use super::bar::Bar;
use super::error::TrainError;
use super::trained::Trained;
use crate::cli::manifest::{Document, shown};
use crate::cli::stdout::note;
use crate::ingest::sources::Sources;
use crate::ingest::sources::access::Access;
use crate::lifecycle::monitor::{self, MonitorError};
use crate::model::judge::Explain;
use crate::outgoing::Outgoing;
use crate::wall_clock;

/// Train on the history of the manifest's sources, as `detector run` does when it starts. The same readings
/// give the same file.
///
/// # Errors
/// The manifest is invalid or loads its model, or a source fails or has no history.
pub(super) fn trained(args: &TrainArgs, manifest: &Path) -> Result<Trained, TrainError> {
    let document = Document::read(manifest, &args.set)?;
    document.notes.iter().for_each(note);
    let detector = document.detector()?;
    let Some(train) = detector.train() else { return Err(TrainError::Loads(shown(manifest))) };
    let outgoing = Outgoing::new(&[], args.ca_bundle.as_deref())?;
    let access = Access { credentials: args.source_credentials.clone(), outgoing };
    let sources = Arc::new(Sources::unreported(&detector, &access).map_err(MonitorError::from)?);
    if let Some(source) = sources.first_without_history() {
        return Err(TrainError::NoHistory(source.to_owned()));
    }
    let now = train.data_end_time.unwrap_or_else(wall_clock::now);
    let started = monitor::train(&detector, &sources, now, Explain::Never, &Bar::new())?;
    if !started.note.is_empty() {
        note(&started.note);
    }
    let model = started.scorer.model().clone();
    Ok(Trained { warnings: model.warnings(detector.threshold_rule()), model, labelled: None })
}
