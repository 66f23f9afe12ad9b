//! `kubectl anomaly top`: the detectors of a namespace, the most anomalous first.

use crd::AnomalyDetector;
use futures::{StreamExt, stream};
use kube::ResourceExt;
use serde_json::Value;

use crate::cluster::{Cluster, Place};
use crate::credentials::Credentials;
use crate::detector::Detector;
use crate::error::CommandError;
use crate::output::{Format, print};
use crate::request::DetectorRequest;
use crate::text::{cells, table, verdict};

/// How many detectors are asked at once.
const AT_ONCE: usize = 8;

/// Print the detectors with their newest verdicts, the most anomalous first.
#[derive(Debug, clap::Args)]
pub struct TopArgs {
    /// Print the detectors of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// The format of the output; json is one detector per line
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// A detector and its newest verdict.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The detector's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The verdict, null where there is none yet; or a sentence on why the detector did not answer.
    pub verdict: Result<Value, String>,
}

/// Run the command.
///
/// # Errors
/// The API server refuses. A detector that does not answer is no error: its row has the reason.
pub async fn run(args: &TopArgs, place: &Place) -> Result<(), CommandError> {
    let cluster = Cluster::connect(place).await?;
    let detectors = cluster.detectors(args.all_namespaces).await?;
    if detectors.is_empty() {
        eprintln!("No detectors found.");
        return Ok(());
    }
    let requests = detectors.iter().map(|detector| newest(&cluster, detector, &place.credentials));
    let mut found: Vec<Newest> = stream::iter(requests).buffer_unordered(AT_ONCE).collect().await;
    sort(&mut found);
    match args.output {
        Format::Text => print(&text(&found, args.all_namespaces))?,
        Format::Json => found.iter().try_for_each(|each| print(&json(each)))?,
    }
    Ok(())
}

async fn newest(cluster: &Cluster, detector: &AnomalyDetector, credentials: &Credentials) -> Newest {
    let (namespace, name) = (detector.namespace().unwrap_or_default(), detector.name_any());
    let answer = async {
        let detector = Detector::on(cluster.clone(), detector, credentials).await?;
        detector.request(DetectorRequest::get("/verdicts?limit=1")).await
    };
    let verdict = answer.await.map(|mut answer| answer["verdicts"][0].take()).map_err(|error| match error {
        CommandError::NoPod { .. } => "no ready pod".to_owned(),
        error => error.to_string(),
    });
    Newest { namespace, name, verdict }
}

/// Sort by severity, highest first; equal ones by namespace and name.
pub fn sort(found: &mut [Newest]) {
    let severity =
        |each: &Newest| each.verdict.as_ref().ok().and_then(|each| each["severity"].as_f64()).unwrap_or(-1.0);
    found.sort_by(|a, b| {
        let by_name = || (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name));
        severity(b).total_cmp(&severity(a)).then_with(by_name)
    });
}

/// Format the detectors as a table.
pub fn text(found: &[Newest], with_namespaces: bool) -> String {
    let mut rows =
        vec![cells(["NAMESPACE", "NAME", "VERDICT", "SEVERITY", "SENSOR", "SHARE", "READING", "TIME"])];
    rows.extend(found.iter().map(row));
    if !with_namespaces {
        for row in &mut rows {
            row.remove(0);
        }
    }
    table(&rows)
}

fn row(Newest { namespace, name, verdict: newest }: &Newest) -> Vec<String> {
    let mut row = vec![namespace.clone(), name.clone()];
    match newest {
        Ok(Value::Null) => row.push("none yet".to_owned()),
        Ok(newest) => {
            let mut cells = verdict(newest);
            let time = cells.remove(0);
            row.extend(cells);
            row.push(time);
        }
        Err(why) => row.push(why.clone()),
    }
    row
}

fn json(Newest { namespace, name, verdict }: &Newest) -> String {
    let (verdict, error) = (verdict.as_ref().ok(), verdict.as_ref().err());
    serde_json::json!({ "namespace": namespace, "name": name, "verdict": verdict, "error": error })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_most_anomalous_detector_is_first_and_each_says_what_it_can() {
        let newest =
            |name: &str, verdict| Newest { namespace: "plant".to_owned(), name: name.to_owned(), verdict };
        let verdict = |severity: f64| {
            json!({
                "time": "2026-01-31T12:00:00Z", "anomaly": u8::from(severity > 1.0), "alarm": 0, "severity": severity,
                "contributions": {"flow": 0.9, "level": 0.1}, "values": {"flow": 61.0, "level": 2.0},
            })
        };
        let mut found = [
            newest("a", Ok(verdict(0.4))),
            newest("b", Err("no ready pod".to_owned())),
            newest("c", Ok(verdict(1.8))),
            newest("d", Ok(Value::Null)),
        ];
        sort(&mut found);
        let expected = "\
NAMESPACE   NAME   VERDICT        SEVERITY   SENSOR   SHARE   READING   TIME
plant       c      anomalous      1.80       flow     90 %    61        2026-01-31T12:00:00Z
plant       a      normal         0.40       flow     90 %    61        2026-01-31T12:00:00Z
plant       b      no ready pod
plant       d      none yet";
        assert_eq!(text(&found, true), expected);
        assert!(text(&found, false).starts_with("NAME   VERDICT"));
    }
}
