//! Stored models in; the one that the spec requires out.

use std::sync::Arc;

use crd::contract::Rejected;
use crd::status::Reason;
use crd::valid::ThresholdRule;
use crd::{Valid, valid::ModelKind};
use thiserror::Error;

use crate::model::model::{Model, ModelError, Rethreshold};
use crate::model::names::list;

/// The requirements of a spec for a stored model.
#[derive(Clone, Debug)]
pub struct ModelRequirements {
    sensors: Vec<String>,
    /// The digest of the recipe that it must have been trained by. None if the spec loads a model: any recipe
    /// is accepted.
    recipe: Option<String>,
    threshold_rule: ThresholdRule,
    /// The digest of the model that the spec pins, if it pins one.
    pub pin: Option<String>,
}

/// Why a stored model cannot serve.
#[derive(Debug, Error)]
pub enum Incompatible {
    /// The model has other sensors than the spec.
    #[error("its columns must be the sensors {}, got {}", list(sensors), list(columns))]
    Columns {
        /// The sensors of the spec.
        sensors: Vec<String>,
        /// The columns of the model.
        columns: Vec<String>,
    },
    /// The model was trained by another recipe.
    #[error("it was trained with other settings: sources, interval or model.train have changed since")]
    Recipe,
    /// The new threshold cannot be found without the training data.
    #[error("it stores too few of its training scores to choose this threshold from")]
    Threshold,
    /// No threshold can be made of its training scores.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ModelRequirements {
    /// The requirements of this spec.
    pub fn new(detector: &Valid) -> Self {
        Self {
            sensors: detector.sensors().map(|sensor| sensor.name.to_owned()).collect(),
            recipe: match detector.model() {
                ModelKind::Train(_) => detector.recipe_digest(),
                ModelKind::Load(_) => None,
            },
            threshold_rule: detector.threshold_rule(),
            pin: detector.spec().model.pinned_digest.clone(),
        }
    }

    /// The model as it is to serve: a trained one with the spec's threshold, a pinned or loaded one
    /// unchanged.
    ///
    /// # Errors
    /// The model has other sensors; or it is not pinned, and has another recipe or cannot get the threshold.
    pub fn fitted(&self, model: Model) -> Result<Arc<Model>, Incompatible> {
        if model.sensors() != self.sensors {
            let (sensors, columns) = (self.sensors.clone(), model.sensors().to_vec());
            return Err(Incompatible::Columns { sensors, columns });
        }
        if self.is_pinned(&model) {
            return Ok(Arc::new(model));
        }
        let Some(recipe) = &self.recipe else { return Ok(Arc::new(model.loaded())) };
        if model.metadata().recipe.as_ref() != Some(recipe) {
            return Err(Incompatible::Recipe);
        }
        match model.rethreshold(self.threshold_rule)? {
            Rethreshold::Same => Ok(Arc::new(model)),
            Rethreshold::Other(model) => Ok(Arc::new(*model)),
            Rethreshold::Unknown => Err(Incompatible::Threshold),
        }
    }

    /// Whether this model is the one that the spec pins.
    pub fn is_pinned(&self, model: &Model) -> bool {
        self.pin.as_deref() == Some(&**model.digest())
    }

    /// Choose the model that serves, among models that fit: the pinned one, else the newest; of equally new
    /// ones the first. Also return a rejection if the pinned model is missing.
    pub fn choose(&self, fitting: &[Arc<Model>]) -> (Option<Arc<Model>>, Option<Rejected>) {
        if let Some(pinned) = fitting.iter().find(|model| self.is_pinned(model)) {
            return (Some(pinned.clone()), None);
        }
        let newest = fitting.iter().rev().max_by_key(|model| model.data_end_time()).cloned();
        (newest, self.pin.as_deref().map(pin_not_found))
    }
}

fn pin_not_found(pin: &str) -> Rejected {
    let message = format!("no stored model has the digest of model.pinnedDigest, {pin}; the newest serves");
    Rejected { reason: Reason::PinNotFound, message }
}

#[cfg(test)]
mod tests;
