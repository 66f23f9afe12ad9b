//! `--set PATH=VALUE` in, the manifest with that field changed out. Lists of assignments, braces and escapes
//! follow Helm.

use serde_json::{Map, Value};

/// The unions: fields of which only one may be set, by the name of the field that holds them. Setting one
/// member removes the other members.
const UNIONS: [(&str, &[&str]); 6] = [
    ("model", &["train", "load"]),
    ("retrain", &["interval", "schedule"]),
    ("threshold", &["contamination", "score", "alertsPerDay"]),
    ("load", &["configMap", "persistentVolumeClaim", "url"]),
    ("sources", &["simulated", "csv"]),
    ("noise", &["gaussian", "uniform", "randomWalk"]),
];

/// The assignments in one argument of `--set`. A comma separates assignments only where another assignment
/// follows: `schedule=0,30 6 * * *` is one assignment.
pub(super) fn assignments(text: &str) -> Vec<String> {
    let mut assignments: Vec<String> = Vec::new();
    for part in split(text) {
        match assignments.last_mut() {
            Some(last) if !is_assignment(&part) => {
                last.push(',');
                last.push_str(&part);
            }
            _ => assignments.push(part),
        }
    }
    assignments
}

/// Split a text at the commas outside of braces. A backslash escapes the next character.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_usize);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let last = parts.len() - 1;
        match character {
            '\\' => parts[last].extend(characters.next()),
            ',' if depth == 0 => parts.push(String::new()),
            c => parts[last].push(c),
        }
    }
    parts
}

/// Whether a part begins with a path and `=`.
fn is_assignment(part: &str) -> bool {
    let path = part.split_once('=').map(|(path, _)| path);
    path.is_some_and(|path| {
        !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || "._-[]".contains(c))
    })
}

/// Change one field of the document.
pub(super) fn set(document: &mut Value, assignment: &str) -> Result<(), String> {
    let (path, value) = assignment.split_once('=').ok_or("expected PATH=VALUE")?;
    let (mut place, mut parent) = (document, String::new());
    for step in steps(path)? {
        place = match step {
            Step::Field(name) => {
                let field = field(place, &parent, &name)?;
                parent = name;
                field
            }
            Step::Index(index) => item(place, index)?,
        };
    }
    *place = read(value);
    Ok(())
}

/// The field of an object. A missing field is created; the other members of its union are removed.
fn field<'a>(place: &'a mut Value, parent: &str, name: &str) -> Result<&'a mut Value, String> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    let fields = place.as_object_mut().ok_or_else(|| format!("{name} needs an object as its parent"))?;
    let union = UNIONS.iter().find(|(of, members)| *of == parent && members.contains(&name));
    for other in union.map_or(&[][..], |(_, members)| *members).iter().filter(|member| **member != name) {
        fields.remove(*other);
    }
    Ok(fields.entry(name).or_insert(Value::Null))
}

fn item(place: &mut Value, index: usize) -> Result<&mut Value, String> {
    let items = place.as_array_mut().ok_or_else(|| format!("[{index}] needs a list as its parent"))?;
    let length = items.len();
    items.get_mut(index).ok_or_else(|| format!("[{index}] is beyond the list's {length} items"))
}

enum Step {
    Field(String),
    Index(usize),
}

/// Split a path into its steps: `spec.sources[0].name` -> spec, sources, 0, name.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() {
            return Err("expected a path such as spec.sources[0].name".to_owned());
        }
        steps.push(Step::Field(name.to_owned()));
        for index in indices.split_terminator(']') {
            let index = index.strip_prefix('[').and_then(|index| index.parse().ok());
            steps.push(Step::Index(index.ok_or("expected an index such as [0]")?));
        }
    }
    Ok(steps)
}

/// Parse a value as Helm does: true, false, null and numbers as in JSON, `{a,b}` as a list, all else as text.
fn read(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        return split(items).iter().filter(|item| !item.is_empty()).map(|item| read(item)).collect();
    }
    match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(assignment: &str) -> Result<Value, String> {
        let mut document = json!({ "spec": { "sources": [{ "csv": { "path": "a.csv" } }] } });
        set(&mut document, assignment).map(|()| document)
    }

    #[test]
    fn a_field_in_a_list_is_replaced() {
        assert_eq!(
            after("spec.sources[0].csv.path=b=c.csv").unwrap()["spec"]["sources"][0]["csv"]["path"],
            "b=c.csv"
        );
    }

    #[test]
    fn fields_on_the_way_are_made_and_numbers_are_numbers() {
        let document = after("spec.model.train.trees=50").unwrap();
        assert_eq!(document["spec"]["model"]["train"]["trees"], json!(50));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_a_sentence() {
        for (assignment, sentence) in [
            ("spec.sources[3].name=x", "[3] is beyond the list's 1 items"),
            ("spec.sources.name=x", "name needs an object as its parent"),
            ("spec[0]=x", "[0] needs a list as its parent"),
            ("spec.sources[x]=1", "expected an index such as [0]"),
            (".=1", "expected a path such as spec.sources[0].name"),
            ("spec", "expected PATH=VALUE"),
        ] {
            assert_eq!(after(assignment).unwrap_err(), sentence, "{assignment}");
        }
    }

    #[test]
    fn commas_separate_assignments_unless_escaped_or_part_of_a_value() {
        assert_eq!(assignments(r"a=1,b=x\,y"), ["a=1", "b=x,y"]);
        assert_eq!(
            assignments("spec.schedule=0,30 6 * * *,spec.x=1"),
            ["spec.schedule=0,30 6 * * *", "spec.x=1"]
        );
        assert_eq!(assignments("a={1,2},b=3"), ["a={1,2}", "b=3"]);
        assert_eq!(read("{1,x}"), json!([1, "x"]));
    }

    #[test]
    fn a_member_of_a_union_takes_the_others_place() {
        let mut document = json!({ "spec": { "threshold": { "contamination": 0.01 } } });
        set(&mut document, "spec.threshold.alertsPerDay=2").unwrap();
        assert_eq!(document["spec"]["threshold"], json!({ "alertsPerDay": 2 }));
        let document = after("spec.sources[0].simulated.seed=1").unwrap();
        assert_eq!(document["spec"]["sources"][0], json!({ "simulated": { "seed": 1 } }));
    }
}
