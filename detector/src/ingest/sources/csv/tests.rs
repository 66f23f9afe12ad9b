use std::fs;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::ingest::reading::Readings;
use crate::ingest::source::{Clock, Span};

/// A recording of this text, with more JSON fields of its spec.
fn recording(directory: &TempDir, text: &str, fields: &str) -> Result<Recording, SourceError> {
    let path = directory.path().join("pump.csv");
    fs::write(&path, text).unwrap();
    let json = format!(
        r#"{{"path":{:?},"sensors":[{{"name":"load"}},{{"name":"heat","column":"Heat (C)"}}]{fields}}}"#,
        path.display().to_string()
    );
    Recording::open(&serde_json::from_str(&json).unwrap())
}

fn readings(text: &str, fields: &str) -> Result<Vec<Readings>, SourceError> {
    recording(&tempfile::tempdir().unwrap(), text, fields)?.collect()
}

/// The first error, without the folder in front of the file's name.
fn error(text: &str, fields: &str) -> String {
    let sentence = readings(text, fields).unwrap_err().to_string();
    sentence[sentence.find("pump.csv").unwrap()..].to_owned()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const HEADER: &str = "Heat (C),timestamp,load,fault";

#[test]
fn columns_are_chosen_by_name_and_given_in_the_spec_s_order() {
    let text = format!("{HEADER}\n20.5,2026-01-01 00:00:00,0.25,0\n,2026-01-01 00:05:00,NaN,0\n");
    let first =
        Readings { time: time("2026-01-01T00:00:00Z"), values: vec![Some(0.25), Some(20.5)], truth: None };
    let second = Readings { time: time("2026-01-01T00:05:00Z"), values: vec![None, None], truth: None };
    assert_eq!(readings(&text, "").unwrap(), [first, second]);
}

#[test]
fn a_run_of_ones_is_one_event_that_begins_with_its_first_row() {
    let labels = ["0", "1", "1.0", "0", "1", "", "1"];
    let rows = labels.iter().enumerate().map(|(second, label)| format!("1,{second},1,{label}\n"));
    let text = format!("{HEADER}\n{}", rows.collect::<String>());
    let starts = |readings: Readings| -> Option<Vec<i64>> {
        Some(readings.truth?.iter().map(|fault| fault.start.as_second()).collect())
    };
    let truths: Vec<_> = readings(&text, r#","label":"fault""#).unwrap().into_iter().map(starts).collect();
    let expected =
        [Some(vec![]), Some(vec![1]), Some(vec![1]), Some(vec![]), Some(vec![4]), None, Some(vec![6])];
    assert_eq!(truths, expected);
}

#[test]
fn timestamps_may_repeat_and_those_that_fall_are_dropped_sorted_or_refused() {
    let rows =
        |times: [i64; 3]| format!("{HEADER}\n1,{},1,0\n1,{},1,0\n1,{},1,0\n", times[0], times[1], times[2]);
    let seconds = |times, fields| -> Vec<i64> {
        readings(&rows(times), fields).unwrap().iter().map(|row| row.time.as_second()).collect()
    };
    assert_eq!(seconds([5, 5, 6], r#","outOfOrder":"Fail""#), [5, 5, 6]);
    assert_eq!(seconds([5, 4, 6], ""), [5, 6]);
    assert_eq!(seconds([5, 4, 6], r#","outOfOrder":"Sort""#), [4, 5, 6]);
    assert_eq!(
        error(&rows([5, 6, 4]), r#","outOfOrder":"Fail""#),
        r#"pump.csv:4: column "timestamp": timestamps must not fall, got "4" after "1970-01-01T00:00:06Z""#
    );
}

#[test]
fn the_time_column_and_its_format_can_be_named() {
    let text = "when,load,Heat (C)\n1500,1,2\n";
    let named = readings(text, r#","time":"when","timeFormat":"EpochMilliseconds""#).unwrap();
    assert_eq!(named[0].time, time("1970-01-01T00:00:01.5Z"));
    let found = readings(text, r#","time":"when""#).unwrap();
    assert_eq!(found[0].time, time("1970-01-01T00:25:00Z"));
}

#[test]
fn what_cannot_be_replayed_is_refused_in_a_sentence() {
    let row = |cells: &str| format!("{HEADER}\n1,2026-01-01 00:00:00,1,0\n{cells}\n");
    let label = r#","label":"fault""#;
    let cases = [
        (String::new(), "", "pump.csv: expected a header line, got an empty file"),
        (format!("{HEADER}\n"), "", "pump.csv: expected rows after the header, got none"),
        (
            row(""),
            r#","time":"when""#,
            "pump.csv:1: no column \"when\"; there are Heat (C), timestamp, load, fault",
        ),
        (
            row("").replace("load", "lode"),
            "",
            "pump.csv:1: no column \"load\"; there are Heat (C), timestamp, lode, fault",
        ),
        (
            row("").replace("2026-01-01 00:00:00", "yesterday"),
            "",
            "pump.csv:2: column \"timestamp\": expected a timestamp (2026-11-22T12:00:00Z, 2026-11-22 12:00:00, \
             or seconds or milliseconds since 1970; \
             others by timeFormat: \"%d.%m.%Y %H:%M\"), got \"yesterday\"",
        ),
        (
            row("1,5,1,0"),
            "",
            "pump.csv:3: column \"timestamp\": expected a date and time such as 2026-11-22 12:00:00, got \"5\"",
        ),
        (
            row("1,,1,0"),
            "",
            "pump.csv:3: column \"timestamp\": expected a date and time such as 2026-11-22 12:00:00, got \"\"",
        ),
        (row("x,2026-01-02,1,0"), "", "pump.csv:3: column \"Heat (C)\": expected a number, got \"x\""),
        (
            row("1,2026-01-02,1e400,0"),
            "",
            "pump.csv:3: column \"load\": expected a finite number, got \"1e400\"",
        ),
        (row("1,2026-01-02,1"), "", "pump.csv:3: expected 4 cells as in the header, got 3"),
        (
            row("1,2026-01-02,1,2"),
            label,
            "pump.csv:3: column \"fault\": expected 0 or 1, or a word of labelAnomalous, got \"2\"",
        ),
        (
            row("1,2026-01-02,1,no"),
            label,
            "pump.csv:3: column \"fault\": expected 0 or 1, or a word of labelAnomalous, got \"no\"",
        ),
    ];
    for (text, fields, sentence) in cases {
        assert_eq!(error(&text, fields), sentence);
    }
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{HEADER}\n1,1,1,0\n1,x,1,0\n1,3,1,0\n");
    let outcomes: Vec<bool> = recording(&directory, &text, "").unwrap().map(|row| row.is_ok()).collect();
    assert_eq!(outcomes, [true, false]);
}

#[test]
fn a_history_starts_at_the_first_row_each_time_and_may_end_before_the_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, "timestamp,value\n1,1\n2,2\n3,3\n").unwrap();
    let json = format!(r#"{{"path":{path:?},"sensors":[{{"name":"value"}}],"speed":60}}"#);
    let file = File::open(&serde_json::from_str(&json).unwrap(), None).unwrap();
    assert_eq!(file.clock(), Clock::Own { speed: 60.0 });
    let second = jiff::SignedDuration::from_secs(1);
    let times =
        |span| -> Vec<i64> { file.history(span).unwrap().map(|row| row.unwrap().time.as_second()).collect() };
    assert_eq!(times(Span::all(second)), [1, 2, 3]);
    assert_eq!(times(Span::all(second)), [1, 2, 3]);
    assert_eq!(times(Span::last(2, Timestamp::from_second(3).unwrap(), second)), [1, 2]);
}

#[test]
fn numbers_words_and_labels_may_be_the_file_s_own() {
    let text = "when;load;Heat (C);state\n01.02.2026 10:00;1,5;Bad;ok\n01.02.2026 10:10;91,9%;-;Fault\n01.02.2026 10:20;N/A;3;\n";
    let fields = r#","time":"when","timeFormat":"%d.%m.%Y %H:%M","timeZone":"Europe/Berlin","decimal":",",
        "nullValues":["Bad"],"label":"state","labelAnomalous":["Fault"]"#;
    let rows = readings(text, fields).unwrap();
    assert_eq!(rows[0].time, time("2026-02-01T09:00:00Z"));
    let values: Vec<_> = rows.iter().map(|row| row.values.clone()).collect();
    assert_eq!(values, [vec![Some(1.5), None], vec![Some(91.9), None], vec![None, Some(3.0)]]);
    let truths: Vec<_> = rows.iter().map(|row| row.truth.as_ref().map(Vec::len)).collect();
    assert_eq!(truths, [Some(0), Some(1), None]);
}

#[test]
fn in_long_form_the_rows_of_one_time_are_one_reading_of_every_sensor() {
    let text = "timestamp,device,quantity,value,fault\n1,a,load,1,0\n2,a,load,2,1\n1,a,heat,10,0\n1,b,heat,7,0\n2,a,heat,,0\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.csv");
    fs::write(&path, text).unwrap();
    let json = format!(
        r#"{{"path":{path:?},"seriesColumns":["device","quantity"],"label":"fault",
            "sensors":[{{"name":"load","series":["a","load"]}},{{"name":"heat","series":["a","heat"]}}]}}"#
    );
    let recording = Recording::open(&serde_json::from_str(&json).unwrap()).unwrap();
    let rows: Vec<_> =
        recording.map(|row| row.unwrap()).map(|row| (row.values, row.truth.unwrap().len())).collect();
    assert_eq!(rows, [(vec![Some(1.0), Some(10.0)], 0), (vec![Some(2.0), None], 1)]);
}

#[test]
fn what_is_dropped_is_counted_once_however_often_the_recording_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, "timestamp,value\n1,1\n3,2\n2,3\n1,3\n4,4\n").unwrap();
    let json = format!(r#"{{"path":{path:?},"sensors":[{{"name":"value"}}]}}"#);
    let status = Arc::new(SourceStatus::unexported("rows"));
    let file = File::open(&serde_json::from_str(&json).unwrap(), Some(status.clone())).unwrap();
    let second = jiff::SignedDuration::from_secs(1);
    for _ in 0..2 {
        assert_eq!(file.history(Span::all(second)).unwrap().count(), 3);
    }
    assert_eq!(status.counts(), (2, [0, 0, 0, 2]));
}

#[test]
fn a_row_may_be_of_one_device_with_a_column_for_each_of_its_sensors() {
    let text = "timestamp,device,load,heat\n1,a,1,10\n2,a,2,20\n1,b,3,30\n2,c,4,40\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("devices.csv");
    fs::write(&path, text).unwrap();
    let json = format!(
        r#"{{"path":{path:?},"seriesColumns":["device"],"sensors":[{{"name":"load-a","column":"load","series":["a"]}},
            {{"name":"heat-a","column":"heat","series":["a"]}},{{"name":"load-b","column":"load","series":["b"]}}]}}"#
    );
    let recording = Recording::open(&serde_json::from_str(&json).unwrap()).unwrap();
    let rows: Vec<_> = recording.map(|row| row.unwrap().values).collect();
    assert_eq!(rows, [vec![Some(1.0), Some(10.0), Some(3.0)], vec![Some(2.0), Some(20.0), None]]);
}
