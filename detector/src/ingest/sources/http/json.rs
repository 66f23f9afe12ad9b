//! The body of a request in; the readings in it out, and which of its items are none, and why.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::inlet::Inlet;
use super::items::Items;
use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::alignment::not_ahead;
use crate::ingest::source::Reading;

/// One item: `{"value": 1}`, `{"sensor": "a", "value": 1}` or `{"values": {"a": 1}}`, each with a `time` or without.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    values: Option<Map<String, Value>>,
    sensor: Option<String>,
    time: Option<Value>,
}

/// `null` is a value: the sensor gave nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The readings of a body: one object, an array of objects, or one object a line. What has no time is of `now`.
///
/// # Errors
/// The body is none of these.
pub fn items(body: &[u8], inlet: &Inlet, now: Timestamp) -> Result<Items, String> {
    let whole = serde_json::from_slice::<Value>(body);
    let mut items = Items::default();
    match whole {
        Ok(Value::Array(values)) => {
            for (index, value) in values.into_iter().enumerate() {
                add(&mut items, index + 1, read(value, inlet, now));
            }
        }
        Ok(value) => add(&mut items, 1, read(value, inlet, now)),
        Err(error) if is_lines(body) => {
            let _ = error; // each line says what is wrong with itself
            let lines = body.split(|byte| *byte == b'\n').enumerate();
            for (index, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
                let value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"));
                add(&mut items, index + 1, value.and_then(|value| read(value, inlet, now)));
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

/// Several lines, of which the first could be an object.
fn is_lines(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.first() == Some(&b'{') && body.contains(&b'\n')
}

fn add(items: &mut Items, item: usize, readings: Result<Vec<Reading>, String>) {
    match readings {
        Ok(readings) => items.readings.extend(readings),
        Err(why) => items.refuse(item, || why),
    }
}

fn read(value: Value, inlet: &Inlet, now: Timestamp) -> Result<Vec<Reading>, String> {
    if !value.is_object() {
        return Err(format!("expected an object, got {}", shown(&value)));
    }
    let item: Item = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let time = item.time.map_or(Ok(now), |time| timestamp(&time))?;
    not_ahead(time, now.as_nanosecond(), 0)?;
    let reading = |name: &str, field: &str, value: &Value| {
        let expected = || inlet.sensors().join(", ");
        let sensor =
            inlet.sensor(name).ok_or_else(|| format!("{field}: no such sensor: expected {}", expected()))?;
        Ok(Reading { sensor, time, value: number(field, value)? })
    };
    match (item.value, item.values, item.sensor) {
        (Some(value), None, Some(sensor)) => Ok(vec![reading(&sensor, &sensor, &value)?]),
        (Some(value), None, None) => match inlet.sensors() {
            [only] => Ok(vec![reading(only, "value", &value)?]),
            sensors => Err(format!("value: there are {} sensors: name one by \"sensor\"", sensors.len())),
        },
        (None, Some(values), None) => {
            values.iter().map(|(name, value)| reading(name, &format!("values.{name}"), value)).collect()
        }
        _ => Err("expected value, sensor and value, or values".to_owned()),
    }
}

fn number(field: &str, value: &Value) -> Result<Option<f64>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_f64().is_some_and(f64::is_finite) => Ok(number.as_f64()),
        other => Err(format!("{field}: expected a number or null, got {}", shown(other))),
    }
}

/// RFC 3339, or seconds since the Unix epoch.
fn timestamp(value: &Value) -> Result<Timestamp, String> {
    let parsed = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(seconds) => seconds.as_f64().and_then(|seconds| {
            // Whole microseconds: a double holds no more of a time of today.
            Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
        }),
        _ => None,
    };
    parsed.ok_or_else(|| {
        format!("time: expected RFC 3339 or seconds since the Unix epoch, got {}", shown(value))
    })
}

/// The value as JSON, cut where it is long.
fn shown(value: &Value) -> String {
    excerpt(&value.to_string(), MAX_EXCERPT)
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
            (r#"{"values":{"c":1}}"#, "values.c: no such sensor: expected a".to_owned()),
            (r#"{"time":5}"#, "expected value, sensor and value, or values".to_owned()),
            (
                r#"{"value":1,"time":"noon"}"#,
                r#"time: expected RFC 3339 or seconds since the Unix epoch, got "noon""#.to_owned(),
            ),
            (
                r#"{"value":1,"tme":1}"#,
                "unknown field `tme`, expected one of `value`, `values`, `sensor`, `time`".to_owned(),
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
