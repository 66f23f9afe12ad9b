//! The body of a request in; its readings, and its refused items with their reasons, out.

use jiff::Timestamp;

use super::inlet::Inlet;
use super::items::Items;
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::alignment::not_ahead;
use crate::ingest::source::Reading;
use crate::ingest::sources::raw_json::{Raw, elements, fields, shown, text, whole};

/// One item: `{"value": 1}`, `{"sensor": "a", "value": 1}` or `{"values": {"a": 1}}`, each with a `time` or without.
#[derive(Default)]
struct Item<'a> {
    value: Option<Raw<'a>>,
    values: Option<Raw<'a>>,
    sensor: Option<Raw<'a>>,
    time: Option<Raw<'a>>,
}

impl<'a> Item<'a> {
    fn read(item: Raw<'a>) -> Result<Self, String> {
        let mut read = Self::default();
        fields(item, |name, value| {
            let field = match name {
                "value" => &mut read.value,
                "values" => &mut read.values,
                "sensor" => &mut read.sensor,
                "time" => &mut read.time,
                other => {
                    let other = excerpt(other, MAX_EXCERPT);
                    return Err(format!("unknown field {other:?}: expected value, values, sensor or time"));
                }
            };
            match field.replace(value) {
                Some(_) => Err(format!("expected {name} once")),
                None => Ok(()),
            }
        })?;
        Ok(read)
    }
}

/// The readings of a body: one object, an array of objects, or one object per line. A reading without a time
/// gets `now`.
///
/// # Errors
/// The body is none of these, or has more readings than a request may have.
pub fn items(body: &[u8], inlet: &Inlet, now: Timestamp) -> Result<Items, String> {
    let mut items = Items::default();
    let mut place = 0;
    match whole(body) {
        Ok(array) if array.get().starts_with('[') => elements(array, |item| {
            place += 1;
            add(&mut items, place, item, inlet, now)
        })?,
        Ok(item) => add(&mut items, 1, item, inlet, now)?,
        Err(_) if is_lines(body) => {
            let lines = body.split(|byte| *byte == b'\n').enumerate();
            for (index, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
                match whole(line) {
                    Ok(item) => add(&mut items, index + 1, item, inlet, now)?,
                    Err(error) => items.refuse(index + 1, || format!("not JSON: {error}"))?,
                }
            }
        }
        Err(error) => {
            return Err(format!(
                "expected JSON, an object, an array of objects, or an object a line: {error}"
            ));
        }
    }
    Ok(items)
}

/// Whether a body has several lines, of which the first could be an object.
fn is_lines(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.first() == Some(&b'{') && body.contains(&b'\n')
}

/// The readings of an item, all of them or none.
fn add(items: &mut Items, place: usize, item: Raw, inlet: &Inlet, now: Timestamp) -> Result<(), String> {
    let before = items.readings.len();
    let mut full = Ok(());
    let read = read(item, inlet, now, |reading| {
        full = items.take(reading);
        full.clone()
    });
    full?;
    read.or_else(|why| {
        items.readings.truncate(before);
        items.refuse(place, || why)
    })
}

fn read(
    item: Raw,
    inlet: &Inlet,
    now: Timestamp,
    mut take: impl FnMut(Reading) -> Result<(), String>,
) -> Result<(), String> {
    let item = Item::read(item)?;
    let time = item.time.filter(|time| time.get() != "null").map_or(Ok(now), timestamp)?;
    not_ahead(time, now.as_nanosecond(), 0)?;
    let mut add = |name: &str, field: &str, value: Raw| {
        let expected = || inlet.sensors().join(", ");
        let sensor =
            inlet.sensor(name).ok_or_else(|| format!("{field}: no such sensor: expected {}", expected()))?;
        take(Reading { sensor, time, value: number(field, value)? })
    };
    match (item.value, item.values, item.sensor) {
        (Some(value), None, Some(sensor)) => {
            let sensor = text(sensor)?;
            add(&sensor, &excerpt(&sensor, MAX_EXCERPT), value)
        }
        (Some(value), None, None) => match inlet.sensors() {
            [only] => add(only, "value", value),
            sensors => Err(format!("value: there are {} sensors: name one by \"sensor\"", sensors.len())),
        },
        (None, Some(values), None) => {
            let mut given = vec![false; inlet.sensors().len()];
            fields(values, |name, value| {
                let field = format!("values.{}", excerpt(name, MAX_EXCERPT));
                if let Some(place) = inlet.sensor(name)
                    && std::mem::replace(&mut given[place], true)
                {
                    return Err(format!("{field}: expected each sensor once"));
                }
                add(name, &field, value)
            })
        }
        _ => Err("expected value, sensor and value, or values".to_owned()),
    }
}

fn number(field: &str, value: Raw) -> Result<Option<f64>, String> {
    let refused = || format!("{field}: expected a number or null, got {}", shown(value));
    serde_json::from_str::<Option<f64>>(value.get()).map_err(|_| refused())
}

/// RFC 3339, or seconds since the Unix epoch.
fn timestamp(value: Raw) -> Result<Timestamp, String> {
    let parsed = match serde_json::from_str::<f64>(value.get()) {
        // Rounded to microseconds: a double is not more precise for a time of today.
        Ok(seconds) => Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok(),
        Err(_) => text(value).ok().and_then(|text| text.parse().ok()),
    };
    parsed.ok_or_else(|| {
        format!("time: expected RFC 3339 or seconds since the Unix epoch, got {}", shown(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::sources::http::tests::inlet;

    const NOW: i64 = 1_764_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn parsed(sensors: &str, body: &str) -> Result<Items, String> {
        items(body.as_bytes(), &inlet(sensors), now())
    }

    const ONE: &str = r#"{"name":"a"}"#;
    const TWO: &str = r#"{"name":"a"},{"name":"b"}"#;

    fn reading(sensor: usize, second: f64, value: Option<f64>) -> Reading {
        Reading { sensor, time: Timestamp::from_microsecond((second * 1e6) as i64).unwrap(), value }
    }

    #[test]
    fn an_object_an_array_and_lines_say_the_same() {
        let expected =
            vec![reading(0, 10.5, Some(1.0)), reading(1, 10.5, None), reading(1, NOW as f64, Some(2.0))];
        let [first, second] = [r#"{"values":{"a":1,"b":null},"time":10.5}"#, r#"{"sensor":"b","value":2}"#];
        for body in
            [format!("[{first},{second}]"), format!("{first}\n{second}"), format!("{first}\r\n\n{second}\n")]
        {
            assert_eq!(
                parsed(TWO, &body),
                Ok(Items { readings: expected.clone(), ..Items::default() }),
                "{body}"
            );
        }
        let one = parsed(ONE, "{\n  \"value\": 1,\n  \"time\": \"1970-01-01T00:00:10.5Z\"\n}").unwrap();
        assert_eq!(one.readings, [reading(0, 10.5, Some(1.0))]);
    }

    #[test]
    fn what_is_wrong_with_an_item_is_said_and_the_others_count() {
        for (body, sentence) in [
            (r#"{"value":"x"}"#, r#"a: expected a number or null, got "x""#.replace("a:", "value:")),
            ("5", "expected an object, got 5".to_owned()),
            (r#"{"values":{"a":1,"a":2}}"#, "values.a: expected each sensor once".to_owned()),
            (r#"{"value":1,"value":2}"#, "expected value once".to_owned()),
            (r#"{"values":{"c":1}}"#, "values.c: no such sensor: expected a".to_owned()),
            (r#"{"time":5}"#, "expected value, sensor and value, or values".to_owned()),
            (
                r#"{"value":1,"time":"noon"}"#,
                r#"time: expected RFC 3339 or seconds since the Unix epoch, got "noon""#.to_owned(),
            ),
            (
                r#"{"value":1,"tme":1}"#,
                r#"unknown field "tme": expected value, values, sensor or time"#.to_owned(),
            ),
            (
                r#"{"value":1,"time":"2031-01-01T00:00:00Z"}"#,
                "a reading must be at most 60s ahead of the clock, got one of 2031-01-01T00:00:00Z"
                    .to_owned(),
            ),
        ] {
            let items = parsed(ONE, &format!(r#"[{{"value":7}},{body}]"#)).unwrap();
            assert_eq!((items.refused, items.named), (1, vec![(2, sentence)]));
            assert_eq!(items.readings.len(), 1);
        }
        let lines = parsed(ONE, "{\"value\":7}\n{\"value\":}\n{\"value\":8}").unwrap();
        assert_eq!((lines.readings.len(), lines.named[0].0), (2, 2));
        assert!(parsed(TWO, r#"{"value":1}"#).unwrap().named[0].1.contains("there are 2 sensors"));
    }

    #[test]
    fn what_is_no_json_is_refused_as_a_whole() {
        for body in ["", "hello", "[1,", "<html>"] {
            assert!(parsed(ONE, body).unwrap_err().starts_with("expected JSON, an object"), "{body}");
        }
    }
}
