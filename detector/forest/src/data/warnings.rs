//! Training rows in, warnings out: the reasons why a forest of them may not be trusted.

use super::samples::Samples;

impl Samples {
    /// The reasons why a forest that is trained on these rows may not be trusted, a sentence each; usually
    /// there are none. `name` returns the name of a column, counted from 0; columns of the same name are
    /// listed once.
    ///
    /// ```
    /// let samples = forest::Samples::new(2, (0..200).flat_map(|row| [f64::from(row), 7.0]).collect())?;
    /// let warnings = samples.warnings(|column| ["speed", "load"][column].to_owned());
    /// assert_eq!(warnings, ["constant in the training set: load; any other value will look anomalous"]);
    /// # Ok::<(), forest::SamplesError>(())
    /// ```
    pub fn warnings(&self, name: impl Fn(usize) -> String) -> Vec<String> {
        const MIN_ROWS: usize = 64;
        let mut warnings = Vec::new();
        if self.len() < MIN_ROWS {
            warnings.push(format!("{} rows are few to train on: {MIN_ROWS} or more are better", self.len()));
        }
        if self.columns() > self.len() {
            warnings.push(format!("there are more columns ({}) than rows ({})", self.columns(), self.len()));
        }
        let of = |column: usize| self.rows().map(move |row| row[column]).filter(|cell| !cell.is_nan());
        let constant = (0..self.columns()).filter(|column| {
            let first = of(*column).next();
            of(*column).all(|cell| Some(cell) == first)
        });
        if let Some(names) = listed(constant.map(&name)) {
            warnings
                .push(format!("constant in the training set: {names}; any other value will look anomalous"));
        }
        let sparse = (0..self.columns()).filter(|column| 2 * of(*column).count() < self.len());
        if let Some(names) = listed(sparse.map(&name)) {
            warnings.push(format!("more than half of the values of {names} are missing"));
        }
        warnings
    }
}

/// The first few different names, and the number of further ones; `None` if there is no name.
fn listed(names: impl Iterator<Item = String>) -> Option<String> {
    const MAX_NAMES: usize = 5;
    let mut different: Vec<String> = Vec::new();
    for name in names {
        if !different.contains(&name) {
            different.push(name);
        }
    }
    let more = different.len().saturating_sub(MAX_NAMES);
    let first = different[..different.len() - more].join(", ");
    match (different.len(), more) {
        (0, _) => None,
        (_, 0) => Some(first),
        _ => Some(format!("{first} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_give_no_trustworthy_forest_are_warned_of_and_ordinary_ones_are_not() {
        let ordinary = (0..200).map(f64::from).collect();
        let name = |column| format!("x{column}");
        assert!(Samples::new(2, ordinary).unwrap().warnings(name).is_empty());
        let nan = f64::NAN;
        let poor = Samples::with_missing(3, vec![1.0, 7.0, nan, 2.0, 7.0, nan]).unwrap();
        assert_eq!(
            poor.warnings(name),
            [
                "2 rows are few to train on: 64 or more are better",
                "there are more columns (3) than rows (2)",
                "constant in the training set: x1, x2; any other value will look anomalous",
                "more than half of the values of x2 are missing",
            ]
        );
        let wide = Samples::new(400, vec![7.0; 40_000]).unwrap();
        let one_of_fifty = |column| format!("x{}", column % 50);
        let still = "constant in the training set: x0, x1, x2, x3, x4 and 45 more; any other value will look anomalous";
        assert!(wide.warnings(one_of_fifty).contains(&still.to_owned()));
    }
}
