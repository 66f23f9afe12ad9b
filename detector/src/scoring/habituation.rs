//! Alarms in, one after another; the bar that the next one takes out.
//!
//! A series that alarms often is one whose readings the threshold does not fit, or one that people know by now. So each alarm raises
//! what the next one takes, and time lowers it: the step of adaptive conformal inference (Gibbs and Candès, NeurIPS 2021), taken by
//! alarms in place of readings, and forgotten exponentially. With steps of s and a half-life of h, events of severity 1 + x
//! alarm about x / s times at once, and then no more often than x ln 2 / (s h) times in a unit of time.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How alarms raise the bar, and how it falls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habituation {
    step: f64,
    half_life: Duration,
}

/// How high the bar was when it was last raised: 0 and more, in severity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    height: f64,
    raised: Timestamp,
}

impl From<crd::alarm::Habituation> for Habituation {
    fn from(spec: crd::alarm::Habituation) -> Self {
        Self { step: spec.step, half_life: spec.half_life.into() }
    }
}

impl Habituation {
    /// The height now of a bar that was raised at some time before.
    pub fn height(self, bar: Option<Bar>, now: Timestamp) -> f64 {
        bar.map_or(0.0, |bar| {
            let since = Duration::try_from(now.duration_since(bar.raised)).unwrap_or_default();
            bar.height * libm::exp2(-since.as_secs_f64() / self.half_life.as_secs_f64())
        })
    }

    /// The bar after an alarm, which found it at this height.
    pub fn raised(self, height: f64, now: Timestamp) -> Bar {
        Bar { height: height + self.step, raised: now }
    }
}
