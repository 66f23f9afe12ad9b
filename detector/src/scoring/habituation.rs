//! Alarms in, one after another; the bar that the next one must exceed out.
//!
//! A series that alarms often has a threshold that does not fit its readings, or a problem that people
//! already know. So each alarm raises the bar for the next one, and time lowers it: the step of adaptive
//! conformal inference (Gibbs and Candès, NeurIPS 2021), taken by alarms instead of readings, and forgotten
//! exponentially. With steps of s and a half-life of h, events of severity 1 + x alarm about x / s times at
//! once, and then no more often than x ln 2 / (s h) times in a unit of time.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The rule by which alarms raise the bar and time lowers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habituation {
    step: f64,
    half_life: Duration,
}

/// The height of the bar when it was last raised (0 or more, in severity), and the time of that.
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
    /// The height of a bar at the time `now`; 0 if there is no bar.
    pub fn height(self, bar: Option<Bar>, now: Timestamp) -> f64 {
        bar.map_or(0.0, |bar| {
            let since = Duration::try_from(now.duration_since(bar.raised)).unwrap_or_default();
            bar.height * libm::exp2(-since.as_secs_f64() / self.half_life.as_secs_f64())
        })
    }

    /// The bar after an alarm, given its height before.
    pub fn raised(self, height: f64, now: Timestamp) -> Bar {
        Bar { height: height + self.step, raised: now }
    }
}
