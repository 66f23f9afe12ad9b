//! Verdicts in; a report of them, one page that works offline, out.

/// The recording of a run: readings, severities, truth, events.
pub mod recording;
/// Numbers as the page encodes them.
mod series;
/// The properties of a model, for people.
pub mod model_card;
/// The HTML page.
pub mod page;
