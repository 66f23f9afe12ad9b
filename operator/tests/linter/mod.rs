//! The eleven rules of grafana/dashboard-linter: a dashboard as JSON in, the broken rules out, in words.

#![allow(dead_code, reason = "the end-to-end test uses a part")]

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Call, Expr, VectorSelector, parse};
use serde_json::Value;

/// The duration that replaces `$__rate_interval`. It is unusual, so that no other range equals it.
const RATE_INTERVAL: Duration = Duration::from_millis(7_777);
/// The types of panels that show numbers: these need a data source and a unit.
const PANELS: [&str; 5] = ["stat", "gauge", "table", "timeseries", "heatmap"];
/// The units of Grafana that our dashboards use.
const UNITS: [&str; 7] = ["none", "short", "s", "percentunit", "ops", "reqps", "dateTimeAsIso"];

/// Return the broken rules: the name of each rule, and where it is broken.
pub fn lint(dashboard: &Value) -> Vec<String> {
    let mut faults = template_datasource(dashboard);
    faults.extend(template_query(dashboard, "template-job", "job", "Job"));
    faults.extend(template_query(dashboard, "template-instance", "instance", "Instance"));
    faults.extend(template_label_promql(dashboard));
    for panel in panels(dashboard) {
        faults.extend(panel_faults(panel));
        for target in list(&panel["targets"]) {
            faults.extend(target_faults(panel, target["expr"].as_str().unwrap_or_default()));
        }
    }
    faults
}

/// The panels of a dashboard except rows, at any depth.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    let rows = list(&dashboard["panels"]).iter();
    rows.flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
        .filter(|panel| panel["type"] != "row")
        .collect()
}

/// Every expression of a dashboard: of its panels, its annotations and its variables.
pub fn expressions(dashboard: &Value) -> Vec<String> {
    let targets = panels(dashboard).into_iter().flat_map(|panel| list(&panel["targets"]));
    let annotations = list(&dashboard["annotations"]["list"]).iter();
    let shown = targets.chain(annotations).filter_map(|target| target["expr"].as_str().map(str::to_owned));
    shown.chain(variables(dashboard).iter().filter_map(label_values)).collect()
}

/// Parse an expression, with Grafana's own variables replaced by durations.
pub fn promql(expression: &str) -> Result<Expr, String> {
    let rate_interval = format!("{}ms", RATE_INTERVAL.as_millis());
    parse(&expression.replace("$__rate_interval", &rate_interval).replace("$__range", "1h"))
}

/// The selectors of an expression, also those inside of ranges.
pub fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    let mut found = Vec::new();
    visit(expression, &mut |part| match part {
        Expr::VectorSelector(selector) => found.push(selector),
        Expr::MatrixSelector(matrix) => found.push(&matrix.vs),
        _ => {}
    });
    found
}

/// The names of the metrics in an expression.
pub fn metrics(expression: &Expr) -> BTreeSet<String> {
    selectors(expression).into_iter().filter_map(|selector| selector.name.clone()).collect()
}

fn visit<'a>(expression: &'a Expr, see: &mut impl FnMut(&'a Expr)) {
    see(expression);
    match expression {
        Expr::Aggregate(aggregate) => visit(&aggregate.expr, see),
        Expr::Unary(unary) => visit(&unary.expr, see),
        Expr::Binary(binary) => {
            visit(&binary.lhs, see);
            visit(&binary.rhs, see);
        }
        Expr::Paren(paren) => visit(&paren.expr, see),
        Expr::Subquery(subquery) => visit(&subquery.expr, see),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| visit(argument, see)),
        _ => {}
    }
}

fn template_datasource(dashboard: &Value) -> Vec<String> {
    let sources: Vec<&Value> =
        variables(dashboard).iter().filter(|variable| variable["type"] == "datasource").collect();
    match sources[..] {
        [source]
            if source["name"] == "datasource"
                && source["query"] == "prometheus"
                && source["label"] == "Data source" =>
        {
            Vec::new()
        }
        _ => vec![
            "template-datasource: one variable `datasource`, \"Data source\", of type prometheus".to_owned(),
        ],
    }
}

fn template_query(dashboard: &Value, rule: &str, name: &str, label: &str) -> Vec<String> {
    let is_so = |variable: &Value| {
        variable["type"] == "query"
            && has_templated_source(variable)
            && variable["label"] == label
            && variable["multi"] == true
            && variable["allValue"] == ".+"
    };
    match variables(dashboard).iter().find(|variable| variable["name"] == name) {
        Some(variable) if is_so(variable) => Vec::new(),
        _ => vec![format!("{rule}: a query variable `{name}`, \"{label}\", of many values, all of them .+")],
    }
}

fn template_label_promql(dashboard: &Value) -> Vec<String> {
    let queries = variables(dashboard).iter().filter(|variable| variable["type"] == "query");
    let broken = queries
        .filter(|variable| label_values(variable).is_none_or(|expression| promql(&expression).is_err()));
    broken.map(|variable| format!("template-label-promql: {}", variable["name"])).collect()
}

/// The expression in the `label_values` query of a variable.
fn label_values(variable: &Value) -> Option<String> {
    let query = variable["query"]["query"].as_str()?.strip_prefix("label_values(")?.strip_suffix(')')?;
    query.rsplit_once(", ").map(|(expression, _)| expression.to_owned())
}

fn panel_faults(panel: &Value) -> Vec<String> {
    let name = panel["title"].as_str().unwrap_or_default();
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
    let is_blank = |field: &str| panel[field].as_str().is_none_or(str::is_empty);
    let rules = [
        ("panel-datasource", has_templated_source(panel)),
        ("panel-title-description", !is_blank("title") && !is_blank("description")),
        ("panel-units", UNITS.contains(&unit)),
    ];
    let known = PANELS.contains(&panel["type"].as_str().unwrap_or_default());
    let unknown = (!known).then(|| format!("panel {name}: no rule knows its type {}", panel["type"]));
    let broken =
        rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| format!("{rule}: panel {name}"));
    broken.chain(unknown).collect()
}

fn target_faults(panel: &Value, expression: &str) -> Vec<String> {
    let name = &panel["title"];
    let Ok(parsed) = promql(expression) else {
        return vec![format!("target-promql: panel {name}: {expression}")];
    };
    let selects = |label: &str| {
        let wanted = format!("${label}");
        let by_variable = |matcher: &Matcher| {
            matcher.name == label && matches!(matcher.op, MatchOp::Re(_)) && matcher.value == wanted
        };
        selectors(&parsed).iter().all(|selector| selector.matchers.matchers.iter().any(by_variable))
    };
    let rules = [
        ("target-rate-interval", has_rate_interval(&parsed)),
        ("target-job", selects("job")),
        ("target-instance", selects("instance")),
    ];
    rules
        .into_iter()
        .filter(|(_, holds)| !holds)
        .map(|(rule, _)| format!("{rule}: panel {name}: {expression}"))
        .collect()
}

/// Whether every rate is over the interval that Grafana computes for it.
fn has_rate_interval(expression: &Expr) -> bool {
    let mut holds = true;
    visit(expression, &mut |part| {
        if let Expr::Call(Call { func, args }) = part
            && ["rate", "irate"].contains(&func.name)
        {
            holds &= args.args.iter().all(
                |argument| matches!(&**argument, Expr::MatrixSelector(matrix) if matrix.range == RATE_INTERVAL),
            );
        }
    });
    holds
}

fn has_templated_source(of: &Value) -> bool {
    of["datasource"]["uid"] == "${datasource}"
}

fn variables(dashboard: &Value) -> &[Value] {
    list(&dashboard["templating"]["list"])
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
