//! `specs.txt` in; documents out, each with whether it must be accepted.

/// One line of the table.
pub struct Case {
    /// The line of the table.
    pub line: &'static str,
    /// The whole document.
    pub document: String,
    /// Whether the document must be accepted.
    pub accepted: bool,
}

const HEAD: &str = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\n";
const SOURCES: &str = "  sources: [{name: pushed, http: {sensors: [{name: value}]}}]\n";

/// Return the cases of the table.
pub fn cases() -> Vec<Case> {
    let lines = include_str!("specs.txt").lines();
    lines.filter(|line| line.starts_with(['+', '-'])).map(case).collect()
}

fn case(line: &'static str) -> Case {
    let mut words = line.splitn(3, ' ');
    let verdict = words.next().unwrap_or_default();
    let (place, yaml) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Case { line, document: document(place, yaml), accepted: verdict == "+" }
}

fn document(place: &str, yaml: &str) -> String {
    let spec = |fields: String| format!("{HEAD}metadata: {{name: pump}}\nspec:\n{fields}\n");
    match place {
        "document" => yaml.to_owned(),
        "metadata" => format!("{HEAD}metadata: {yaml}\nspec:\n{SOURCES}"),
        "spec" if yaml.starts_with("sources:") => spec(format!("  {yaml}")),
        "spec" => spec(format!("{SOURCES}  {yaml}")),
        "pod" => spec(format!("{SOURCES}  pod: {{{yaml}}}")),
        "retrain" => spec(format!("{SOURCES}  model: {{retrain: {yaml}}}")),
        "mute" => spec(format!("{SOURCES}  muteWindows: [{yaml}]")),
        "sensors" => spec(format!("  sources: [{{name: pushed, http: {{sensors: {yaml}}}}}]")),
        "simulated" => spec(format!("  sources: [{{name: simulation, simulated: {{sensors: [{yaml}]}}}}]")),
        "prometheus" => spec(format!(
            "  sources:\n  - name: metrics\n    prometheus:\n      url: {yaml}\n      sensors: [{{name: up, query: up}}]"
        )),
        other => panic!("specs.txt: there is no place {other:?}"),
    }
}
