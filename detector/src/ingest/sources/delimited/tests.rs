use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn rows(text: impl AsRef<[u8]>) -> Result<Rows, CsvError> {
    Rows::new("pump.csv", Cursor::new(text.as_ref().to_vec()))
}

/// All cells, or the first error.
fn cells(text: impl AsRef<[u8]>) -> Result<Vec<Vec<String>>, CsvError> {
    let mut rows = rows(text)?;
    let mut all = vec![rows.header().to_vec()];
    while rows.advance()? {
        all.push((0..rows.header().len()).map(|column| rows.text(column).into_owned()).collect());
    }
    Ok(all)
}

/// The numbers of the second column, or the first error.
fn numbers(text: &str) -> Result<Vec<Option<f64>>, CsvError> {
    let mut rows = rows(text)?;
    let mut all = Vec::new();
    while rows.advance()? {
        all.push(rows.number(1)?);
    }
    Ok(all)
}

fn error<T>(result: Result<T, CsvError>) -> String {
    result.err().expect("an error").to_string()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const PLAIN: &str = "time,value\n1,2.5\n2,3.5\n";

#[test]
fn every_dialect_gives_the_same_cells() {
    let plain = cells(PLAIN).unwrap();
    assert_eq!(plain, [["time", "value"], ["1", "2.5"], ["2", "3.5"]]);
    let dialects = [
        "time;value\n1;2.5\n2;3.5\n",
        "time\tvalue\n1\t2.5\n2\t3.5\n",
        "time,value\r\n1,2.5\r\n2,3.5\r\n",
        "\u{feff}time,value\n1,2.5\n2,3.5\n",
        "\u{feff}\"time\",\"value\"\r\n\"1\",\"2.5\"\r\n\"2\",\"3.5\"\r\n",
        "time, value\n1, 2.5\n2 ,3.5",
        "\n\ntime,value\n\n1,2.5\n\n\r\n2,3.5\n\n",
    ];
    for dialect in dialects {
        assert_eq!(cells(dialect).unwrap(), plain, "{dialect:?}");
    }
    assert_eq!(cells(gzipped(PLAIN)).unwrap(), plain);
    assert_eq!(cells([gzipped("time,value\n1,2.5\n"), gzipped("2,3.5\n")].concat()).unwrap(), plain);
}

#[test]
fn delimiters_within_quotes_or_outnumbered_are_text() {
    assert_eq!(cells("\"a;b;c\",d\n1,2\n").unwrap()[0], ["a;b;c", "d"]);
    assert_eq!(cells("load (a;b),time,x\n1,2,3\n").unwrap()[0], ["load (a;b)", "time", "x"]);
    assert_eq!(cells("a;\"b \"\"c\"\"\"\n1;2\n").unwrap()[0], ["a", "b \"c\""]);
}

#[test]
fn missing_values_are_none_and_numbers_are_numbers() {
    let text = "t,v\n1,\n1,NaN\n1,nan\n1,NA\n1,null\n1,\"\"\n1, -1e-3 \n1,+5\n";
    let mut expected = vec![None; 6];
    expected.extend([Some(-0.001), Some(5.0)]);
    assert_eq!(numbers(text).unwrap(), expected);
}

#[test]
fn a_cell_that_is_no_number_is_refused_with_line_and_column() {
    let wrong = [
        ("x", "a number", "x"),
        ("1e400", "a finite number", "1e400"),
        ("-inf", "a finite number", "-inf"),
        ("1.5.2", "a number", "1.5.2"),
        ("0x10", "a number", "0x10"),
        ("\"1,5\"", "a number", "1,5"),
    ];
    for (cell, expected, got) in wrong {
        let refused = error(numbers(&format!("t,v\n1,2\n1,{cell}\n")));
        assert_eq!(refused, format!("pump.csv:3: column \"v\": expected {expected}, got {got:?}"));
    }
    let long = "x".repeat(100);
    let refused = error(numbers(&format!("t,v\n1,{long}\n")));
    assert_eq!(refused, format!("pump.csv:2: column \"v\": expected a number, got \"{}…\"", &long[..40]));
}

#[test]
fn the_line_is_the_one_that_an_editor_shows() {
    let cases = [
        ("t,v\n1,2\n1,x", 3),
        ("t,v\r\n1,2\r\n1,x\r\n1,2\r\n", 3),
        ("t,v\n\n\n1,2\n\n1,x\n", 6),
        ("t,v\n\"one\ntwo\",2\n1,x\n", 4),
        ("t,v\n1,2\n\"one\ntwo\",x\n", 3),
    ];
    for (text, line) in cases {
        assert!(error(numbers(text)).starts_with(&format!("pump.csv:{line}: ")), "{text:?}");
    }
}

#[test]
fn what_is_no_table_is_refused_in_a_sentence() {
    let cut = gzipped(&"1,2\n".repeat(1000));
    let mut damaged = gzipped(PLAIN);
    damaged[12] ^= 0xFF;
    let cases: [(&[u8], &str); 10] = [
        (b"", "pump.csv: expected a header line, got an empty file"),
        (b"\n\r\n", "pump.csv: expected a header line, got an empty file"),
        (b"\x7fELF\x02\x01\0\0", "pump.csv: expected CSV text, got binary data"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "pump.csv: expected CSV text, got binary data"),
        (b"\xff\xfet\0,\0v", "the UTF-16 text ends within a character"),
        (b"t\0,\0v\0\n\0", "pump.csv: expected CSV text, got binary data"),
        (b"a,b\n1,2\n1,2,3\n", "pump.csv:3: expected 2 cells as in the header, got 3"),
        (b"a,b\n1,2\n1\n", "pump.csv:3: expected 2 cells as in the header, got 1"),
        (&cut[..cut.len() - 10], "the gzip stream is truncated"),
        (&damaged, "corrupt gzip stream does not have a matching checksum"),
    ];
    for (bytes, sentence) in cases {
        let refused = error(cells(bytes));
        assert!(refused.ends_with(sentence) && refused.starts_with("pump.csv:"), "{refused}");
    }
}

#[test]
fn utf_16_with_a_byte_order_mark_is_text_plain_or_gzipped() {
    let text = "\u{feff}zeit;wärme\r\n1;2\r\n3;4\r\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let expected = cells(text.as_bytes()).unwrap();
    assert_eq!(cells(&little).unwrap(), expected);
    assert_eq!(cells(&big).unwrap(), expected);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&little).unwrap();
    assert_eq!(cells(packed.finish().unwrap()).unwrap(), expected);
}

#[test]
fn another_encoding_is_refused_where_a_cell_is_asked_for_with_its_bytes() {
    let latin1 = b"t,v,ort\n1,2,M\xfcll\n2,\xb52,x\n";
    let convert = "convert the file, as by iconv -f latin1 -t utf-8";
    let mut rows = Rows::new("pump.csv", Cursor::new(&latin1[..])).unwrap();
    assert!(rows.advance().unwrap());
    assert_eq!(rows.number(1).unwrap(), Some(2.0), "what nobody asks for is in the way of nothing");
    let got = format!("pump.csv:2: column \"ort\": expected UTF-8, got \"M\\xfcll\": {convert}");
    assert_eq!(error(rows.words(2).map(str::to_owned)), got);
    assert!(rows.advance().unwrap());
    let got = format!("pump.csv:3: column \"v\": expected UTF-8, got \"\\xb52\": {convert}");
    assert_eq!(error(rows.number(1)), got);
    let mut redacted = Rows::new("pump.csv", Cursor::new(&latin1[..])).unwrap().redacted(true);
    assert!(redacted.advance().unwrap());
    let got = "pump.csv:2: column \"ort\": expected UTF-8, got 4 characters of something else";
    assert_eq!(error(redacted.words(2).map(str::to_owned)), got);
    let named = Rows::new("pump.csv", Cursor::new(b"t,W\xe4rme\n1,2\n")).unwrap();
    let got = format!("pump.csv:1: the name of column 2: expected UTF-8, got \"W\\xe4rme\": {convert}");
    assert_eq!(error(named.column("Wärme")), got);
    assert_eq!(named.column("t").unwrap(), 0);
}

#[test]
fn a_file_that_is_not_there_or_a_directory_is_refused_in_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let at =
        |path: &Path, problem: &str| assert_eq!(error(open(path)), format!("{}: {problem}", path.display()));
    at(&directory.path().join("none.csv"), "no such file");
    at(directory.path(), "expected a CSV file, got a directory");
}

#[test]
fn a_column_must_be_there_once() {
    let rows = rows("time,load,load\n1,2,3\n").unwrap();
    assert_eq!(rows.column("time").unwrap(), 0);
    assert_eq!(error(rows.column("laod")), r#"pump.csv:1: no column "laod"; there are time, load, load"#);
    assert_eq!(error(rows.column("load")), r#"pump.csv:1: expected one column "load", got several"#);
}

#[test]
fn a_header_of_a_thousand_columns_is_reported_in_part() {
    let header = (0..1000).fold(String::new(), |mut header, column| {
        write!(header, "c{column},").unwrap();
        header
    });
    let refused = error(rows(header + "last\n1\n").unwrap().column("none"));
    assert!(refused.ends_with("c38, c39 and 961 more"), "{refused}");
}

/// An endless input, to test that reading stops at a limit.
struct Endless(&'static [u8]);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(buffer.len())
    }
}

#[test]
fn an_open_quote_or_an_endless_line_ends_at_the_longest_row() {
    let sentence = "a row must be at most 16777216 bytes: is a quote left open?";
    let open = Cursor::new(b"t,v\n1,2\n1,\"".to_vec()).chain(Endless(b"3,4\n"));
    let mut rows = Rows::new("pump.csv", open).unwrap();
    assert!(rows.advance().unwrap());
    assert!(error(rows.advance()).ends_with(sentence));
    assert_eq!(error(Rows::new("pump.csv", Endless(b"header"))), format!("pump.csv:1: {sentence}"));
}

#[test]
fn a_file_larger_than_the_longest_row_is_read_to_its_end() {
    let rest = Endless(b"1,2\n").take(MAX_ROW_BYTES + MAX_ROW_BYTES / 8);
    let mut rows = Rows::new("pump.csv", Cursor::new(b"t,v\n").chain(rest)).unwrap();
    let mut count = 0;
    while rows.advance().unwrap() {
        count += 1;
    }
    assert_eq!(count, (MAX_ROW_BYTES + MAX_ROW_BYTES / 8) / 4);
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = cells(&bytes);
    }

    #[test]
    fn no_text_whatever_makes_it_panic(text in "[ab0-9,;\t\"\r\n.-]{0,200}") {
        let _ = cells(&text);
        let _ = numbers(&format!("a,b\n{text}"));
    }
}

#[test]
fn a_redacted_message_repeats_nothing_of_the_file() {
    let mut rows = rows("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n").unwrap().redacted(true);
    assert!(rows.advance().unwrap());
    assert_eq!(error(rows.column("time")), "pump.csv:1: no column \"time\" among the 1 of the first line");
    assert_eq!(
        error(rows.number(0)),
        "pump.csv:2: column \"-----BEGIN PRIVATE KEY-----\": expected a number, got 23 characters of something else"
    );
}
