//! A JSON array or object in; its elements, or its fields, one after another, out, each as it was sent.
//!
//! Nothing is collected, so that millions of empty values cost no more memory than their bytes. Each level of
//! nesting is parsed once more for each level above it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::excerpt::{MAX_EXCERPT, excerpt};

/// A value as it was sent, without the white space around it.
pub type Raw<'a> = &'a RawValue;

/// The JSON value of a body.
///
/// # Errors
/// It is not JSON.
pub fn whole(body: &[u8]) -> Result<Raw<'_>, serde_json::Error> {
    serde_json::from_slice(body)
}

/// Call `each` with every element of an array; the first error ends it.
///
/// # Errors
/// The value is not an array, or `each` fails.
pub fn elements<'a>(array: Raw<'a>, each: impl FnMut(Raw<'a>) -> Result<(), String>) -> Result<(), String> {
    expect(array, '[', "an array")?;
    let mut failed = None;
    let visitor = Elements { each, failed: &mut failed, raw: PhantomData };
    let read = serde_json::Deserializer::from_str(array.get()).deserialize_seq(visitor);
    read.map_err(|error| failed.unwrap_or_else(|| error.to_string()))
}

/// Call `each` with every field of an object, by its name; the first error ends it.
///
/// # Errors
/// The value is not an object, or `each` fails.
pub fn fields<'a>(
    object: Raw<'a>,
    each: impl FnMut(&str, Raw<'a>) -> Result<(), String>,
) -> Result<(), String> {
    expect(object, '{', "an object")?;
    let mut failed = None;
    let visitor = FieldsVisitor { each, failed: &mut failed, raw: PhantomData };
    let read = serde_json::Deserializer::from_str(object.get()).deserialize_map(visitor);
    read.map_err(|error| failed.unwrap_or_else(|| error.to_string()))
}

/// The fields with these names; none where they are absent or null. Other fields are ignored.
///
/// # Errors
/// The value is not an object, or has one of the fields twice.
pub fn named<'a, const N: usize>(object: Raw<'a>, names: [&str; N]) -> Result<[Option<Raw<'a>>; N], String> {
    Ok(fields_of(object, names)?.map(|value| value.filter(|value| value.get() != "null")))
}

fn fields_of<'a, const N: usize>(object: Raw<'a>, names: [&str; N]) -> Result<[Option<Raw<'a>>; N], String> {
    let mut found = [None; N];
    fields(object, |name, value| {
        let Some(place) = names.iter().position(|each| *each == name) else { return Ok(()) };
        if found[place].replace(value).is_some() {
            return Err(format!("expected {} once", excerpt(name, MAX_EXCERPT)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The value at a JSON pointer (RFC 6901); none where there is nothing.
///
/// # Errors
/// An object on the path has the field twice.
pub fn at<'a>(value: Raw<'a>, pointer: &str) -> Result<Option<Raw<'a>>, String> {
    let mut found = Some(value);
    for token in pointer.split('/').skip(1) {
        let Some(value) = found else { break };
        let token = token.replace("~1", "/").replace("~0", "~");
        found = match value.get().as_bytes().first() {
            Some(b'{') => {
                let [field] = fields_of(value, [token.as_str()])?;
                field
            }
            Some(b'[') => element(value, &token)?,
            _ => None,
        };
    }
    Ok(found)
}

fn element<'a>(array: Raw<'a>, index: &str) -> Result<Option<Raw<'a>>, String> {
    let Ok(index) = index.parse::<usize>() else { return Ok(None) };
    let (mut place, mut found) = (0, None);
    elements(array, |each| {
        found = found.or((place == index).then_some(each));
        place += 1;
        Ok(())
    })?;
    Ok(found)
}

/// The text of a JSON string.
///
/// # Errors
/// The value is not a string.
pub fn text(value: Raw) -> Result<String, String> {
    expect(value, '"', "a string")?;
    serde_json::from_str(value.get()).map_err(|error| error.to_string())
}

/// The beginning of a value, for a message.
pub fn shown(value: Raw) -> String {
    excerpt(value.get(), MAX_EXCERPT)
}

fn expect(value: Raw, first: char, what: &str) -> Result<(), String> {
    if value.get().starts_with(first) {
        return Ok(());
    }
    Err(format!("expected {what}, got {}", shown(value)))
}

struct Elements<'f, 'a, F> {
    each: F,
    failed: &'f mut Option<String>,
    raw: PhantomData<Raw<'a>>,
}

impl<'a, F: FnMut(Raw<'a>) -> Result<(), String>> Visitor<'a> for Elements<'_, 'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element()? {
            (self.each)(element).map_err(|why| keep(self.failed, why))?;
        }
        Ok(())
    }
}

struct FieldsVisitor<'f, 'a, F> {
    each: F,
    failed: &'f mut Option<String>,
    raw: PhantomData<Raw<'a>>,
}

impl<'a, F: FnMut(&str, Raw<'a>) -> Result<(), String>> Visitor<'a> for FieldsVisitor<'_, 'a, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((name, value)) = object.next_entry::<String, _>()? {
            (self.each)(&name, value).map_err(|why| keep(self.failed, why))?;
        }
        Ok(())
    }
}

/// Keep the error of `each`, because the parser's own error would add a place within a part of the body.
fn keep<E: Error>(failed: &mut Option<String>, why: String) -> E {
    *failed = Some(why);
    E::custom("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Raw<'_> {
        whole(json.as_bytes()).unwrap()
    }

    #[test]
    fn elements_and_fields_come_as_they_were_sent() {
        let mut seen = Vec::new();
        elements(raw(r#"[1, {"a": [2]} ,"x"]"#), |each| {
            seen.push(each.get());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["1", r#"{"a": [2]}"#, r#""x""#]);
        let [a, b, c] = named(raw(r#"{"b":null,"other":1,"a":[1]}"#), ["a", "b", "c"]).unwrap();
        assert_eq!((a.map(RawValue::get), b.is_none(), c.is_none()), (Some("[1]"), true, true));
    }

    #[test]
    fn a_pointer_leads_through_objects_and_arrays() {
        let json = raw(r#"{"a/b":[1,{"~":[]}],"n":null,"":2}"#);
        let found = |pointer: &str| at(json, pointer).unwrap().map(RawValue::get);
        assert_eq!(found("/a~1b/1/~0"), Some("[]"));
        assert_eq!(found("/n"), Some("null"));
        assert_eq!(found("/"), Some("2"));
        assert_eq!(found(""), Some(json.get()));
        for nothing in ["/a", "/a~1b/2", "/a~1b/x", "/n/0", "/a~1b/0/0"] {
            assert_eq!(found(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn another_shape_and_a_field_twice_are_refused_in_a_sentence() {
        let long = format!("{:?}", "s".repeat(100));
        let error = elements(raw(&long), |_| Ok(())).unwrap_err();
        assert_eq!(error, format!("expected an array, got {}…", &long[..60]));
        assert_eq!(named(raw(r#"{"a":1,"a":2}"#), ["a"]).unwrap_err(), "expected a once");
        assert_eq!(text(raw("7")).unwrap_err(), "expected a string, got 7");
        assert_eq!(elements(raw("[1,2]"), |_| Err("no".to_owned())).unwrap_err(), "no");
    }
}
