//! Verdicts in; the newest of them out, in bounded memory.

use std::sync::Arc;

use jiff::Timestamp;

use crate::newest::Newest;
use crate::scoring::verdict::Verdict;

/// The most verdicts that are kept for `GET /verdicts`; fewer if memory is short.
pub const MAX_VERDICTS: usize = 1000;
/// The most bytes that a kept verdict takes for each sensor: a value, a contribution, a reason.
const VERDICT_BYTES: usize = 128;

/// The newest verdicts. They are shared with the requests that read them.
#[derive(Clone, Debug)]
pub struct NewestVerdicts(Newest<Arc<Verdict>>);

impl NewestVerdicts {
    /// No verdicts yet. As many are kept as fit into `bytes` for this number of sensors: at least 1, at most
    /// [`MAX_VERDICTS`].
    pub fn new(bytes: usize, sensors: usize) -> Self {
        let most = (bytes / (VERDICT_BYTES * sensors.max(1))).clamp(1, MAX_VERDICTS);
        Self(Newest::new(most))
    }

    /// Add a verdict. If there are too many then, the oldest is removed.
    pub fn push(&mut self, verdict: &Verdict) {
        self.0.push(Arc::new(verdict.clone()));
    }

    /// The newest verdicts after `since`, at most `most`, newest first.
    pub fn after(&self, since: Timestamp, most: usize) -> Vec<Arc<Verdict>> {
        let newest = self.0.iter().rev().take_while(|verdict| verdict.time > since);
        newest.take(most).cloned().collect()
    }
}
