//! What the model takes: what the JSON of a prediction is read by.

/// What a question is read by.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The model's sensors.
    pub(super) sensors: &'a [String],
    /// How many numbers a row has.
    pub(super) columns: usize,
    /// How many rows there may be.
    pub(super) most_rows: usize,
}

impl Expected<'_> {
    /// The sensors, for people.
    pub(super) fn names(self) -> String {
        self.sensors.join(", ")
    }
}
