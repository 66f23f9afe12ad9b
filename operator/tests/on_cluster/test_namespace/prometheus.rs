//! Answers of the Prometheus of `tests/cluster/monitoring`, through the API server's proxy.

use http::Request;
use serde_json::Value;

use super::TestNamespace;

/// The active targets of a detector.
pub async fn targets(namespace: &TestNamespace, name: &str) -> Option<Vec<Value>> {
    let data = prometheus(namespace, "targets", &[("state", "active")]).await?;
    let targets = data["activeTargets"].as_array()?.iter().filter(|target| {
        target["labels"]["namespace"] == namespace.name.as_str() && target["labels"]["service"] == name
    });
    Some(targets.cloned().collect())
}

/// The current series of an expression.
pub async fn query(namespace: &TestNamespace, expression: &str) -> Option<Vec<Value>> {
    prometheus(namespace, "query", &[("query", expression)]).await?["result"].as_array().cloned()
}

/// The answer of Prometheus' HTTP API, or `None` while there is none.
pub async fn prometheus(namespace: &TestNamespace, what: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    let path = format!(
        "/api/v1/namespaces/monitoring/services/prometheus-operated:web/proxy/api/v1/{what}?{}",
        parameters.join("&")
    );
    let request = Request::get(path).body(Vec::new()).unwrap();
    let answer: Value = namespace.client.request(request).await.ok()?;
    assert_eq!(answer["status"], "success", "{answer}");
    Some(answer["data"].clone())
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect::<Vec<_>>().concat()
}
