//! A model in; its properties, one line with a name and a value for each, out.

use crd::valid::ThresholdRule;

use crate::model::model::Model;

/// The lines, if the threshold is chosen by `by`.
pub fn lines(model: &Model, by: Option<ThresholdRule>) -> Vec<(String, String)> {
    let metadata = model.metadata();
    let recipe = model.recipe();
    let mut lines = vec![
        ("columns", model.sensors().join(", ")),
        (
            "features",
            recipe.features.iter().map(|feature| format!("{feature:?}")).collect::<Vec<_>>().join(", "),
        ),
        ("samples", model.samples().to_string()),
        (
            "trees",
            format!("{} of {} samples each", model.trees(), model.ensemble().members()[0].sample_size()),
        ),
        ("threshold", threshold(model, by)),
        ("digest", model.digest().to_string()),
        ("origin", metadata.training.origin.clone()),
    ];
    if recipe.lags > 0 {
        lines.insert(2, ("lags", recipe.lags.to_string()));
    }
    if model.data_end_time().as_second() != 0 {
        lines.insert(2, ("newest training reading", model.data_end_time().to_string()));
    }
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn threshold(model: &Model, by: Option<ThresholdRule>) -> String {
    let chosen = match by {
        Some(ThresholdRule::Contamination(share)) => format!(", by contamination {share}"),
        Some(ThresholdRule::AlertsPerDay { alerts, .. }) => format!(", by alertsPerDay {alerts}"),
        Some(ThresholdRule::Score(_)) | None => String::new(),
    };
    let follows = if model.follows() { "; it follows the scores" } else { "" };
    format!("score {:.4}{chosen}{follows}", model.threshold())
}
