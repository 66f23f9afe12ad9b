//! Verdicts in; a report of them, one page that works offline, out.

/// What is kept of a run: readings, severities, truth, events.
pub mod recording;
/// Numbers as the page holds them.
mod series;
/// What a model is, for people.
pub mod model_card;
/// The page.
pub mod page;
