//! A rule that a manifest breaks, and where.

use std::fmt;

/// A rule that a manifest breaks: the field, and one sentence with the rule and the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Violation {
    /// The field, as users of `kubectl` know it: `spec.sources[0].name`. Empty for the document itself.
    pub path: String,
    /// What was expected, and what the manifest has instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl Violation {
    /// A violation at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}
