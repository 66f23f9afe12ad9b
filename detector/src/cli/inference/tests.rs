use std::fs;

use super::*;

/// The manifest's source and interval, and the notes without the file's name.
fn inferred(text: &str) -> (Value, Value, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Press 7.csv");
    fs::write(&path, text).unwrap();
    let Inferred { manifest, mut notes } = infer(&path).unwrap();
    notes.remove(0);
    assert_eq!(manifest["metadata"]["name"], "press-7");
    crd::manifest::detector(manifest.clone()).unwrap();
    let mut source = manifest["spec"]["sources"][0]["csv"].clone();
    source.as_object_mut().unwrap().remove("path");
    (source, manifest["spec"]["interval"].clone(), notes)
}

#[test]
fn columns_are_inferred_from_their_names_and_cells() {
    let text = "id;when;Druck (bar);2nd;ort;anomaly;changepoint;leer\n\
                7;22.11.2026 10:00;1,5;91,9%;A;0;0;\n8;22.11.2026 10:05;-;3;B;1;0;\n9;23.11.2026 10:10;2;3;C;0;1;\n";
    let (source, interval, notes) = inferred(text);
    assert_eq!(
        source,
        json!({"time": "when", "timeFormat": "%d.%m.%Y %H:%M", "decimal": ",", "label": "anomaly", "speed": 0, "sensors": [
            {"name": "Druck", "unit": "bar", "column": "Druck (bar)"}, {"name": "s_2nd", "column": "2nd"}]})
    );
    assert_eq!(interval, json!("24h"), "the median of 5m and a day");
    assert_eq!(
        notes,
        [
            r#"time: column "when" as %d.%m.%Y %H:%M, "22.11.2026 10:00" (UTC; timeZone sets another zone); a row every 24h"#,
            "sensors: Druck, s_2nd",
            "numbers have a decimal comma",
            r#"truth: column "anomaly", which the summary is computed by"#,
            "left out: id (counts the rows), ort (text), changepoint (a second label), leer (empty)",
            "all of its 3 rows are used for training, then scored",
        ]
    );
}

#[test]
fn times_that_repeat_mean_a_row_for_each_reading() {
    let text = "time,device,reading\n1795348800,a,1\n1795348800,b,2\n1795348860,a,1\n1795348860,b,3\n";
    let (source, interval, notes) = inferred(text);
    assert_eq!(
        source,
        json!({"time": "time", "seriesColumns": ["device"], "speed": 0, "sensors": [
            {"name": "a", "column": "reading"}, {"name": "b", "column": "reading"}]})
    );
    assert_eq!(interval, json!("1m"));
    assert_eq!(notes[1], r#"sensors: a, b, by the words in column "device""#);
}

#[test]
fn several_columns_of_several_devices_are_a_sensor_each() {
    let text = "time,device,load,heat\n1795348800,pump 1,1,9.5\n1795348800,b,2,9\n1795348860,pump 1,1,9\n1795348860,b,3,9\n";
    let (source, ..) = inferred(text);
    assert_eq!(
        source["sensors"],
        json!([{"name": "pump_1_load", "column": "load", "series": ["pump 1"]}, {"name": "pump_1_heat", "column": "heat", "series": ["pump 1"]},
            {"name": "b_load", "column": "load", "series": ["b"]}, {"name": "b_heat", "column": "heat", "series": ["b"]}])
    );
}

#[test]
fn all_rows_decide_between_day_and_month() {
    let format = |days: &[&str]| {
        let rows = days.iter().fold(String::new(), |rows, day| rows + day + ",1.5\n");
        inferred(&format!("date,load\n{rows}")).0["timeFormat"].clone()
    };
    assert_eq!(format(&["01/02/2026", "13/02/2026"]), "%d/%m/%Y");
    assert_eq!(format(&["01/02/2026", "01/13/2026"]), "%m/%d/%Y");
    assert_eq!(format(&["01/02/2026", "02/02/2026", "01/03/2026"]), "%d/%m/%Y", "the other way they fall");
}

#[test]
fn what_has_no_time_or_no_numbers_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    for (text, sentence) in [
        (
            "a,b\n1,2\n",
            "expected a column of timestamps, got a, b: detector train and detector score take tables without time",
        ),
        ("time,b\n1,x\n", "expected a column of numbers, got time, b"),
        ("time,b\n", "expected rows after the header, got none"),
        ("", "expected a header line, got an empty file"),
    ] {
        fs::write(&path, text).unwrap();
        let why = infer(&path).unwrap_err().to_string();
        assert_eq!(why, format!("{}: {sentence}", path.display()));
    }
    assert!(
        is_data(Path::new("A.CSV")) && is_data(Path::new("a.tsv.gz")) && !is_data(Path::new("pump.yaml"))
    );
}

#[test]
fn an_object_is_named_after_the_file() {
    for (path, name) in [("data/0.csv.gz", "data-0"), ("a b_1.TSV", "a-b-1"), ("-.csv", "recorded")] {
        assert_eq!(object_name(Path::new(path)), name);
    }
}
