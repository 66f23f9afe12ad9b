use super::*;

/// Valid queries of each kind, from Prometheus' documentation.
const GOOD: [&str; 68] = [
    "up",
    "http_requests_total{job=\"prometheus\",group=\"canary\"}",
    "http_requests_total{environment=~\"staging|testing|development\",method!=\"GET\"}",
    "http_requests_total{job=~'api.*', path!~`/health\\.*`,}",
    "{job=~\".+\"}",
    "{__name__=~\"job:.*\"}",
    "{\"http.requests.total\"}",
    "{\"http.requests.total\", \"service.name\"=\"api\", job=\"x\"}",
    "job:http_requests:rate5m",
    ":metric",
    "http_requests_total{job=\"prometheus\"}[5m]",
    "foo[1h30m]",
    "foo[300]",
    "foo[500ms]",
    "foo offset 5m",
    "foo offset -1w",
    "foo[5m] offset 1h @ 1609746000",
    "foo @ 1609746000.25",
    "foo @ -1",
    "foo @ start() offset 5m",
    "rate(foo[5m] @ end())",
    "sum(foo{method=\"GET\"} offset 5m)",
    "rate(http_requests_total[5m])[30m:1m]",
    "max_over_time(deriv(rate(distance_covered_total[5s])[30s:5s])[10m:])",
    "(a + b)[1h:] offset 5m @ 5",
    "5 * 3 + 2 ^ -1 % .5 - 1e3 / 0x1F",
    "1E+3 + 5. + inf - NaN + -Inf",
    "-foo ^ 2",
    "1h30m",
    "\"a text with \\\"escapes\\\", \\n, \\x41, \\u00e9, \\U0001F600 and \\101\"",
    "'single \\' quote'",
    "`raw \\ text`",
    "a == bool b",
    "a >= bool on(job) b",
    "foo > 1",
    "a and on(instance, job) b",
    "a or b unless ignoring(x) c",
    "method_code:http_errors:rate5m{code=\"500\"} / ignoring(code) method:http_requests:rate5m",
    "method_code:http_errors:rate5m / ignoring(code) group_left method:http_requests:rate5m",
    "a * on(job) group_right(version, \"service.name\") b",
    "a * on() group_left() (b)",
    "a atan2 b",
    "sum by (application, group) (http_requests_total)",
    "sum(http_requests_total) without (instance)",
    "SUM BY (job) (rate(x[5m]))",
    "sum(http_requests_total)",
    "sum by() (x)",
    "count_values(\"version\", build_version)",
    "topk(5, http_requests_total)",
    "quantile(0.9, x)",
    "limitk(10, x)",
    "sum",
    "min + max",
    "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[10m])))",
    "histogram_quantile(0.9, rate(http_request_duration_seconds[10m]))",
    "histogram_fraction(0, 0.2, rate(http_request_duration_seconds[1h]))",
    "histogram_sum(rate(foo[10m])) / histogram_count(rate(foo[10m]))",
    "label_replace(up{job=\"api\"}, \"foo\", \"$1\", \"service\", \"(.*):.*\")",
    "absent_over_time(sum(nonexistent{job=\"myjob\"})[1h:])",
    "time() - timestamp(foo)",
    "day_of_week()",
    "vector(1) # a comment",
    "# a comment\nsum(\n  rate(foo[5m]) # another\n)\n",
    "((((foo))))",
    "foo[5m * 2]",
    "a + fill(0) b",
    "increase(foo[5m] anchored)",
    "foo[max_of(step(), 5m):1m]",
];

#[test]
fn what_prometheus_parses_is_no_fault() {
    for query in GOOD {
        assert_eq!(check(query), Ok(()), "{query}");
    }
}

const BAD: [(&str, &str); 53] = [
    ("", "1:1: expected an expression, got the end of the query"),
    (" # only a comment", "1:18: expected an expression, got the end of the query"),
    ("sum(rate(foo[5m])", "1:18: expected an operator, \",\" or \")\", got the end of the query"),
    ("sum(rate(foo[5m])))", "1:19: expected an operator, got \")\""),
    ("sum(\n  rate(foo[5m)\n)", "2:14: expected \":\" or \"]\", got \")\""),
    ("rate(foo[])", "1:10: expected a duration such as 5m, got \"]\""),
    ("rate(foo[5])) ", "1:13: expected an operator, got \")\""),
    ("foo[5x]", "1:5: expected a number or a duration, got \"5x\""),
    ("foo[5m30]", "1:5: expected a number or a duration, got \"5m30\""),
    ("foo[30m1h]", "1:5: expected a number or a duration, got \"30m1h\""),
    ("foo[0]", "1:5: a duration must be more than 0, got \"0\""),
    ("foo[0s:1m]", "1:5: a duration must be more than 0, got \"0s\""),
    ("foo[-5m]", "1:5: expected a duration such as 5m, got \"-\""),
    ("foo[1h:5m", "1:10: expected \"]\", got the end of the query"),
    (
        "foo[5m][5m]",
        "1:8: a range must follow a selector, before offset and @; a subquery is written [RANGE:STEP]",
    ),
    (
        "foo offset 5m [5m]",
        "1:15: a range must follow a selector, before offset and @; a subquery is written [RANGE:STEP]",
    ),
    (
        "foo @ 5 [5m]",
        "1:9: a range must follow a selector, before offset and @; a subquery is written [RANGE:STEP]",
    ),
    (
        "rate(foo)[5m]",
        "1:10: a range must follow a selector, before offset and @; a subquery is written [RANGE:STEP]",
    ),
    ("foo offset", "1:11: expected a duration such as 5m, got the end of the query"),
    ("foo offset 5m offset 5m", "1:15: expected offset once"),
    ("foo @ 1 @ 2", "1:9: expected @ once"),
    ("sum(foo) offset 5m", "1:10: offset must follow a selector, a range or a subquery"),
    ("1 @ 5", "1:3: @ must follow a selector, a range or a subquery"),
    ("foo @ start", "1:12: expected \"(\", got the end of the query"),
    ("foo @ now()", "1:7: expected seconds since the Unix epoch, start() or end(), got \"now\""),
    ("foo{job=api}", "1:9: expected a value in quotation marks, got \"api\""),
    ("foo{job==\"api\"}", "1:8: expected one of = != =~ !~, got \"==\""),
    ("foo{job}", "1:8: expected one of = != =~ !~, got \"}\""),
    ("foo{job=\"api\"", "1:14: expected \",\" or \"}\", got the end of the query"),
    ("foo{job=\"api\" path=\"/\"}", "1:15: expected \",\" or \"}\", got \"path\""),
    ("foo{a:b=\"1\"}", "1:5: expected a label, got \"a:b\""),
    ("foo{,}", "1:5: expected a label, got \",\""),
    ("{}", "1:1: expected a metric or a label to select by, got {}"),
    ("foo{job=\"api}", "1:9: expected \" at the end of a text, got none"),
    ("foo{job=\"a\\qi\"}", "1:11: no escape sequence starts with \\q"),
    ("foo{job=\"a\n\"}", "1:9: expected \" at the end of a text, got none"),
    ("`raw", "1:1: expected ` at the end of a text, got none"),
    ("foo bar", "1:5: expected an operator, got \"bar\""),
    ("foo = 1", "1:5: expected an operator, got \"=\""),
    ("foo ==", "1:7: expected an expression, got the end of the query"),
    ("foo + * bar", "1:7: expected an expression, got \"*\""),
    ("foo + bool bar", "1:7: bool must follow a comparison, got it after \"+\""),
    ("foo and on(x) group_left bar", "1:15: \"and\" must match many-to-many, got \"group_left\""),
    ("foo * on bar", "1:10: expected \"(\", got \"bar\""),
    ("foo * on(x y) bar", "1:12: expected \",\" or \")\", got \"y\""),
    ("foo * group_left(x) bar", "1:7: expected an expression, got \"group_left\""),
    ("sum by job (foo)", "1:8: expected \"(\", got \"job\""),
    ("sum by (1) (foo)", "1:9: expected a label, got \"1\""),
    ("sum by (job) foo", "1:14: expected \"(\", got \"foo\""),
    ("max(foo,)", "1:9: expected an expression, got \")\""),
    ("föö", "1:2: expected an operator, got \"ö\""),
    ("1.2.3", "1:1: expected a number or a duration, got \"1.2.3\""),
    ("foo; bar", "1:4: expected an operator, got \";\""),
];

#[test]
fn a_fault_has_its_line_its_column_and_what_was_expected() {
    for (query, expected) in BAD {
        let SyntaxError { line, column, message } = check(query).expect_err(query);
        assert_eq!(format!("{line}:{column}: {message}"), expected, "{query}");
    }
}

#[test]
fn depth_is_bounded() {
    for deep in ["(".repeat(8192), "a(".repeat(4096), format!("foo[{}", "(".repeat(8000))] {
        assert!(check(&deep).unwrap_err().message.starts_with("expressions must be at most 200 deep"));
    }
    assert_eq!(check(&"-".repeat(8192)).unwrap_err().column, 8193);
    assert_eq!(check(&format!("{}x{}", "(".repeat(150), ")".repeat(150))), Ok(()));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(query in "[-a-z0-9_:(){}\\[\\],\"'`\\\\@=!~<>+*/^% \n#ö.]{0,60}") {
        if let Err(error) = check(&query) {
            proptest::prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}
