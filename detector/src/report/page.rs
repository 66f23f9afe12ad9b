//! A recording, a model card, figures and warnings in; one HTML page that loads nothing else out.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::assets::{Asset, CHARTS_SCRIPT, REPORT_STYLE, UPLOT_SCRIPT, UPLOT_STYLE, asset};
use crate::report::recording::Recording;

static PAGE: Asset = asset!("report/page.html");
static SCRIPT: Asset = asset!("report/report.js");

/// The content of a report.
pub struct Report<'a> {
    /// The heading.
    pub title: &'a str,
    /// The readings and verdicts.
    pub recording: &'a Recording,
    /// The score at severity 1, if it was the same for all verdicts.
    pub threshold: Option<f64>,
    /// The properties of the model: names and values.
    pub model: Vec<(String, String)>,
    /// The reasons not to trust the report, one sentence each.
    pub warnings: Vec<String>,
    /// Figures that compare the verdicts with the truth, if there are any.
    pub figures: Option<Figures>,
}

/// Figures with their intervals.
pub struct Figures {
    /// Name, value and interval of each.
    pub lines: Vec<[String; 3]>,
    /// How the intervals were made.
    pub method: String,
}

impl Report<'_> {
    /// The page.
    pub fn html(&self) -> String {
        filled(&PAGE, |name| match name {
            "title" => Cow::Owned(escaped(self.title)),
            "uplot-style" => UPLOT_STYLE.as_str().into(),
            "style" => REPORT_STYLE.as_str().into(),
            "uplot" => UPLOT_SCRIPT.as_str().into(),
            "script" => Cow::Owned([CHARTS_SCRIPT.as_str(), &SCRIPT].concat()),
            _ => Cow::Owned(embedded(&self.data())),
        })
    }

    fn data(&self) -> Value {
        let mut data = self.recording.json();
        data["title"] = json!(self.title);
        data["threshold"] = json!(self.threshold);
        data["model"] = json!(self.model);
        data["warnings"] =
            json!(self.warnings.iter().cloned().chain(self.recording.warning()).collect::<Vec<_>>());
        data["figures"] = json!(self.figures.as_ref().map(|figures| &figures.lines));
        data["method"] = json!(self.figures.as_ref().map(|figures| &figures.method));
        data["made"] = json!(format!("Made by detector {}.", env!("CARGO_PKG_VERSION")));
        data
    }
}

/// Replace each `{{name}}` of the template with its value. Values are not searched for further names.
fn filled<'a>(template: &str, value: impl Fn(&str) -> Cow<'a, str>) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(&value(name));
        rest = after;
    }
    page + rest
}

/// JSON for the text of a script element, escaped so that no HTML parser finds markup in it.
fn embedded(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(title: &str) -> String {
        let recording = Recording::of_rows([("</script><b>", "")].into_iter(), false);
        let (warnings, model) = (vec!["<!--<script>".to_owned()], Vec::new());
        Report { title, recording: &recording, threshold: None, model, warnings, figures: None }.html()
    }

    #[test]
    fn names_from_outside_are_text_and_never_markup() {
        let page = html("</title><script>alert(1)</script>");
        assert_eq!(page.matches("</title>").count(), 1);
        assert_eq!(page.matches("</script>").count(), 3);
        assert!(!page.contains("<b>") && !page.contains("<!--<"), "the data has no markup");
        assert!(page.contains(r"\u003c/script>\u003cb>"), "it is there all the same");
    }

    #[test]
    fn the_page_needs_nothing_else_and_is_small() {
        let page = html("pump");
        assert!(page.len() < 200_000, "{}", page.len());
        for outside in ["src=", "@import", "url(", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
