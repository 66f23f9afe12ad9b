use super::*;
use std::fs;

fn table(text: &str, selection: &Selection) -> Result<(Vec<String>, Vec<f64>), String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pump.csv");
    fs::write(&path, text).unwrap();
    let read = |mut table: Table| Ok((table.columns().to_vec(), table.rest()?));
    Table::open(&path, selection).and_then(read).map_err(|error| {
        let sentence = error.to_string();
        sentence[sentence.find("pump.csv").unwrap()..].to_owned()
    })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const TEXT: &str = "timestamp,a,b,label\n2026-01-01,1,2,0\n2026-01-02,3,4,1\n";

#[test]
fn all_columns_but_timestamp_and_label_are_measurements() {
    let read = table(TEXT, &Selection::Measurements).unwrap();
    assert_eq!(read, (names(&["a", "b"]), vec![1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn named_columns_come_in_the_order_of_their_names() {
    let read = table(TEXT, &Selection::Named(&names(&["label", "a"]))).unwrap();
    assert_eq!(read, (names(&["label", "a"]), vec![0.0, 1.0, 1.0, 3.0]));
}

#[test]
fn all_but_some_are_all_the_others() {
    let read = table(TEXT, &Selection::AllBut(&names(&["timestamp", "a"]))).unwrap();
    assert_eq!(read, (names(&["b", "label"]), vec![2.0, 0.0, 4.0, 1.0]));
}

#[test]
fn a_table_that_cannot_be_read_is_refused_in_a_sentence() {
    let (wrong, all) = (names(&["c"]), Selection::Measurements);
    let cases = [
        (TEXT, Selection::Named(&wrong), "pump.csv:1: no column \"c\"; there are timestamp, a, b, label"),
        (TEXT, Selection::AllBut(&wrong), "pump.csv:1: no column \"c\"; there are timestamp, a, b, label"),
        ("label\n1\n", Selection::Measurements, "pump.csv: expected a column of measurements, got none"),
        ("a,a\n1,2\n", Selection::Measurements, "pump.csv:1: expected one column \"a\", got several"),
        ("a,b\n", Selection::Measurements, "pump.csv: expected rows after the header, got none"),
        ("a,b\n1,2\n1,\n", Selection::Measurements, "pump.csv:3: column \"b\": expected a number, got \"\""),
        ("a,b\n1,2\n1,NaN\n", all, "pump.csv:3: column \"b\": expected a number, got \"NaN\""),
        (
            "a\n4e38\n",
            Selection::Measurements,
            "pump.csv:2: column \"a\": expected a number within ±3.4e38, got \"4e38\"",
        ),
    ];
    for (text, selection, sentence) in cases {
        assert_eq!(table(text, &selection).unwrap_err(), sentence);
    }
}

#[test]
fn a_missing_cell_is_no_number_where_it_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pump.csv");
    fs::write(&path, "a,b\n1,\nNA,4\n").unwrap();
    let cells = Table::open(&path, &Selection::Measurements).unwrap().with_missing().rest().unwrap();
    assert_eq!((cells[0].to_bits(), cells[3].to_bits()), (1f64.to_bits(), 4f64.to_bits()));
    assert!(cells[1].is_nan() && cells[2].is_nan());
}

#[test]
fn labels_are_read_beside_the_cells_and_must_be_labels() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pump.csv");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        let mut table = Table::open(&path, &Selection::Named(&names(&["a"])))?.with_label("fault")?;
        Ok::<_, CsvError>((table.rest()?, table.labels()))
    };
    assert_eq!(read("a,fault\n1,0\n2,True\n").unwrap(), (vec![1.0, 2.0], vec![false, true]));
    for (cell, got) in [("", "\"\""), ("NaN", "\"NaN\""), ("-1", "\"-1\"")] {
        let error = read(&format!("a,fault\n1,0\n1,{cell}\n")).unwrap_err().to_string();
        let says = format!(":3: column \"fault\": expected 0 (normal) or 1 (anomalous), got {got}");
        assert!(error.ends_with(&says), "{error}");
    }
}

#[test]
fn blocks_are_the_rows_in_order_and_then_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pump.csv");
    fs::write(&path, "a,b\n1,2\n3,4\n5,6\n").unwrap();
    let mut table = Table::open(&path, &Selection::Measurements).unwrap();
    let blocks = [table.block(2).unwrap(), table.block(2).unwrap(), table.block(2).unwrap()];
    assert_eq!(blocks, [vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0], vec![]]);
}
