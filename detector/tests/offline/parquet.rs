//! Parquet files in and out; `tests/parquet` checks them against pandas.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn detector(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_detector"));
    command.args(arguments.split(' ')).current_dir(folder).output().unwrap()
}

/// A folder with rows and a model of them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..300).fold("id,heat,flow\n".to_owned(), |mut rows, row| {
        let _ = writeln!(
            rows,
            "a-{row},{},{}",
            60.0 + f64::from(row * 7 % 13) / 3.0,
            f64::from(row * 5 % 11) / 7.0
        );
        rows
    });
    fs::write(folder.path().join("data.csv"), rows).unwrap();
    assert!(detector(folder.path(), "train --input data.csv --exclude id --output model").status.success());
    folder
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_how_to_get_one() {
    let folder = folder();
    fs::write(folder.path().join("data.parquet"), b"PAR1\0\0PAR1").unwrap();
    let refused = |arguments: &str| {
        let output = detector(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let without = "this detector is built without Parquet: `cargo build --release --package detector --features parquet`";
    for command in [
        "train --output none --input data.parquet",
        "score --model model --input data.parquet",
        "evaluate --model model --input data.parquet",
        "score --model model --input data.csv --output scores.parquet",
    ] {
        let said = refused(command);
        assert!(said.contains(without) && said.lines().count() == 1, "{said}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn what_is_written_reads_back_as_it_was() {
    let folder = folder();
    let done = |arguments: &str| {
        let output = detector(folder.path(), arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    done("score --model model --input data.csv --keep id,heat,flow --output rows.parquet");
    assert!(fs::read(folder.path().join("rows.parquet")).unwrap().starts_with(b"PAR1"));
    let scores = "score --model model --keep id --contributions --reasons --input";
    assert_eq!(done(&format!("{scores} rows.parquet")), done(&format!("{scores} data.csv")));
    done("train --input rows.parquet --columns heat,flow --output same");
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("same") == read("model"));
    done("score --model model --input data.csv --importances --output importances.parquet");
    let text = detector(folder.path(), "train --input importances.parquet --output none");
    let said = String::from_utf8(text.stderr).unwrap();
    assert!(said.contains("importances.parquet:1: column \"column\": expected a number, got \""), "{said}");
    let run = String::from_utf8(detector(folder.path(), "run rows.parquet").stderr).unwrap();
    assert!(run.contains("rows.parquet"), "{run}");
}

#[cfg(feature = "parquet")]
#[test]
fn a_damaged_file_is_refused_and_never_a_panic() {
    let folder = folder();
    assert!(
        detector(
            folder.path(),
            "score --model model --input data.csv --keep heat,flow --output rows.parquet"
        )
        .status
        .success()
    );
    let good = fs::read(folder.path().join("rows.parquet")).unwrap();
    let places = (0..good.len()).step_by(good.len() / 60);
    for at in places {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        fs::write(folder.path().join("damaged.parquet"), &damaged).unwrap();
        fs::write(folder.path().join("cut.parquet"), &good[..at]).unwrap();
        for name in ["damaged.parquet", "cut.parquet"] {
            let output =
                detector(folder.path(), &format!("score --model model --input {name} --output scores.csv"));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                matches!(output.status.code(), Some(0 | 1)) && said.lines().count() <= 1,
                "byte {at}: {said}"
            );
        }
    }
}
