//! The columns that a model learns from in, a warning about each that is probably not a measurement out.

/// The usual names of columns with labels, in lower case.
const LABELS: [&str; 14] = [
    "anomaly",
    "is_anomaly",
    "class",
    "fault",
    "ground_truth",
    "is_outlier",
    "label",
    "labels",
    "outlier",
    "target",
    "truth",
    "y",
    "attack",
    "failure",
];

/// A warning about each column that is a label or counts the rows, and one where the header line is a row of
/// numbers. `cells`: the cells in row-major order.
pub(super) fn of(names: &[String], cells: &[f64]) -> Vec<String> {
    let column = |at: usize| cells.iter().skip(at).step_by(names.len()).copied();
    let mut warnings: Vec<String> = header(names).into_iter().collect();
    for (at, name) in names.iter().enumerate() {
        if is_label(name) && column(at).all(|cell| [-1.0, 0.0, 1.0].contains(&cell) || cell.is_nan()) {
            warnings.push(format!(
                "column {name} looks like a label and is used for training: --exclude {name} leaves it out"
            ));
        }
        if counts(column(at)) {
            warnings.push(format!(
                "column {name} counts the rows and is used for training: --exclude {name} leaves it out"
            ));
        }
    }
    warnings
}

fn is_label(name: &str) -> bool {
    LABELS.contains(&name.to_lowercase().as_str())
}

/// Whether each cell is one more than the last, over at least three rows.
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
fn counts(mut cells: impl Iterator<Item = f64>) -> bool {
    let Some(first) = cells.next() else { return false };
    let mut rows = 1_u32;
    cells.all(|cell| {
        rows += 1;
        cell == first + f64::from(rows - 1)
    }) && rows >= 3
}

/// A warning where the header consists of numbers, since it is then probably the first row. The numbers 0, 1,
/// 2 and so on are a header: pandas writes them as column names.
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
fn header(names: &[String]) -> Option<String> {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.trim().parse().ok()).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    let numbered = numbers.iter().enumerate().all(|(at, number)| *number == at as f64);
    (!numbered).then(|| {
        format!(
            "the first line, {}, is read as the header but looks like a row: add a header line",
            names.join(",")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::of;

    fn warnings(names: &str, rows: &[[f64; 2]]) -> Vec<String> {
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        of(&names, rows.as_flattened())
    }

    #[test]
    fn labels_indices_and_missing_headers_are_warned_of() {
        let rows = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]];
        assert_eq!(
            warnings("id,is_anomaly", &rows),
            [
                "column id counts the rows and is used for training: --exclude id leaves it out",
                "column is_anomaly looks like a label and is used for training: --exclude is_anomaly leaves it out",
            ]
        );
        let first_row =
            "the first line, 60.5,1.25, is read as the header but looks like a row: add a header line";
        assert_eq!(warnings("60.5,1.25", &[[60.0, 1.0], [61.0, 3.5]]), [first_row]);
    }

    #[test]
    fn measurements_are_not_warned_of() {
        let rows = [[60.5, 1.0], [61.0, 0.25], [60.0, 1.0]];
        assert!(warnings("heat,y", &rows).is_empty());
        assert!(warnings("0,1", &rows).is_empty());
    }
}
