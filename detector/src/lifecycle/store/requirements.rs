//! Models that were kept in; the one that the spec wants out.

use std::sync::Arc;

use crd::contract::Rejected;
use crd::status::Reason;
use crd::valid::Cut;
use crd::{Valid, valid::ModelKind};
use thiserror::Error;

use crate::model::model::{Model, ModelError, Rethreshold};
use crate::model::names::list;

/// What a spec wants of a model that was kept.
#[derive(Clone, Debug)]
pub struct ModelRequirements {
    sensors: Vec<String>,
    /// What it must have been trained by; any, where the spec loads.
    recipe: Option<String>,
    cut: Cut,
    /// The only one that is to serve.
    pub pin: Option<String>,
}

/// Why a model that was kept does not serve.
#[derive(Debug, Error)]
pub enum Incompatible {
    /// Other sensors.
    #[error("its columns must be the sensors {}, got {}", list(sensors), list(columns))]
    Columns {
        /// The spec's.
        sensors: Vec<String>,
        /// The model's.
        columns: Vec<String>,
    },
    /// Trained by another spec.
    #[error("it was trained by another recipe: sources, interval or model.train have changed since")]
    Recipe,
    /// The new threshold cannot be found without the training data.
    #[error("it keeps too few of its training scores to be cut for this threshold")]
    Cut,
    /// Its scores are none.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ModelRequirements {
    /// What this spec wants.
    pub fn new(detector: &Valid) -> Self {
        Self {
            sensors: detector.sensors().map(|sensor| sensor.name.to_owned()).collect(),
            recipe: match detector.model() {
                ModelKind::Train(_) => detector.recipe_digest(),
                ModelKind::Load(_) => None,
            },
            cut: detector.cut(),
            pin: detector.spec().model.pinned_digest.clone(),
        }
    }

    /// The model as it is to serve: by the spec's threshold. The pinned one serves as it is.
    ///
    /// # Errors
    /// It is of other sensors, or was trained by another recipe, and is not pinned.
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
        match model.rethreshold(self.cut)? {
            Rethreshold::Same => Ok(Arc::new(model)),
            Rethreshold::Other(model) => Ok(Arc::new(*model)),
            Rethreshold::Unknown => Err(Incompatible::Cut),
        }
    }

    /// Whether this is the one that the spec pins.
    pub fn is_pinned(&self, model: &Model) -> bool {
        self.pin.as_deref() == Some(&**model.digest())
    }

    /// The one that serves, of models that fit: the pinned one, else the newest; of equally new ones the first. Beside
    /// it, whether a pin asks for one that is not there.
    pub fn choose(&self, fitting: &[Arc<Model>]) -> (Option<Arc<Model>>, Option<Rejected>) {
        if let Some(pinned) = fitting.iter().find(|model| self.is_pinned(model)) {
            return (Some(pinned.clone()), None);
        }
        let newest = fitting.iter().rev().max_by_key(|model| model.data_end_time()).cloned();
        (newest, self.pin.as_deref().map(pin_not_found))
    }
}

fn pin_not_found(pin: &str) -> Rejected {
    let message = format!(
        "no model of the history has the digest that model.pinnedDigest asks for, {pin}; the newest serves"
    );
    Rejected { reason: Reason::PinNotFound, message }
}

#[cfg(test)]
mod tests;
