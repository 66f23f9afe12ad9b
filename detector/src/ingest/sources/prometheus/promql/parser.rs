//! Tokens in; the first one that the grammar does not allow out.

use super::token::{Fault, Kind, Lexer, Parsed, Token};

/// The most levels of nested expressions.
const MAX_DEPTH: usize = 200;

/// Check that a query is one expression of the grammar.
///
/// # Errors
/// The first token that is not of the language, or not allowed at its place.
pub(super) fn parse(query: &str) -> Parsed<()> {
    let mut parser = Parser::new(query)?;
    parser.expression()?;
    if parser.next.kind == Kind::End { Ok(()) } else { parser.refuse("an operator") }
}

/// The kind of an expression, which decides the modifiers that may follow it.
#[derive(Clone, Copy, PartialEq)]
enum Expression {
    /// A metric, labels, or both.
    Selector,
    /// A range of a selector, or a subquery.
    Range,
    /// Anything else.
    Other,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    next: Token<'a>,
    depth: usize,
}

const AGGREGATIONS: [&str; 14] = [
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "limit_ratio",
    "limitk",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
const ARITHMETIC: [&str; 8] = ["+", "-", "*", "/", "%", "^", "</", ">/"];
const SETS: [&str; 3] = ["and", "or", "unless"];
const MATCHERS: [&str; 4] = ["=", "!=", "=~", "!~"];
/// Words that no metric can have for a name where an expression starts.
const RESERVED: [&str; 6] = ["atan2", "bool", "group_left", "group_right", "ignoring", "on"];

impl<'a> Parser<'a> {
    fn new(query: &'a str) -> Parsed<Self> {
        let mut lexer = Lexer::new(query);
        let next = lexer.token()?;
        Ok(Self { lexer, next, depth: 0 })
    }

    /// Return the next token and move past it.
    fn step(&mut self) -> Parsed<Token<'a>> {
        let token = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.next, token))
    }

    /// Move past this sign or word if it is next; return whether it was.
    fn skip(&mut self, text: &str) -> Parsed<bool> {
        let is_next = self.next.is(text);
        if is_next {
            self.step()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, sign: &str, what: &str) -> Parsed<()> {
        if self.skip(sign)? { Ok(()) } else { self.refuse(what) }
    }

    fn refuse<T>(&self, expected: &str) -> Parsed<T> {
        self.fault(format!("expected {expected}, got {}", self.next))
    }

    /// The error that the next token breaks a rule.
    fn fault<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(Fault { at: self.next.at, message: message.into() })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fault(format!("expressions must be at most {MAX_DEPTH} deep"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Parse operands with operators between them. Precedence does not matter for the syntax, and is ignored.
    fn expression(&mut self) -> Parsed<()> {
        self.deeper(|parser| {
            parser.operand()?;
            while parser.operator()? {
                parser.operand()?;
            }
            Ok(())
        })
    }

    /// Parse an operator with its modifiers; return whether there was one.
    fn operator(&mut self) -> Parsed<bool> {
        let is = |known: &[&str]| known.iter().any(|known| self.next.is(known));
        let (is_comparison, is_set) = (is(&COMPARISONS), is(&SETS));
        if !is_comparison && !is_set && !is(&ARITHMETIC) && !self.next.is("atan2") {
            return Ok(false);
        }
        let operator = self.step()?;
        if self.next.is("bool") && !is_comparison {
            return self.fault(format!("bool must follow a comparison, got it after {operator}"));
        }
        self.skip("bool")?;
        if self.skip("on")? || self.skip("ignoring")? {
            self.labels()?;
            if self.next.is("group_left") || self.next.is("group_right") {
                if is_set {
                    return self.fault(format!("{operator} must match many-to-many, got {}", self.next));
                }
                self.step()?;
                if self.next.is("(") {
                    self.labels()?;
                }
            }
        }
        self.fill()?;
        Ok(true)
    }

    /// `fill(0)`, `fill_left(0)`, `fill_right(0)`, which are metrics without their parentheses.
    fn fill(&mut self) -> Parsed<()> {
        let fills = ["fill", "fill_left", "fill_right"];
        while fills.iter().any(|fill| self.next.is(fill)) && self.lexer.is_at('(') {
            self.step()?;
            self.step()?;
            self.sign()?;
            self.number()?;
            self.expect(")", "\")\"")?;
        }
        Ok(())
    }

    fn operand(&mut self) -> Parsed<()> {
        while self.sign()? {}
        let expression = self.primary()?;
        self.modifiers(expression)
    }

    fn sign(&mut self) -> Parsed<bool> {
        Ok(self.skip("+")? || self.skip("-")?)
    }

    fn number(&mut self) -> Parsed<()> {
        if !matches!(self.next.kind, Kind::Number | Kind::Duration) {
            return self.refuse("a number");
        }
        self.step().map(drop)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        match self.next.kind {
            Kind::Number | Kind::Duration | Kind::Text => self.step().map(|_| Expression::Other),
            Kind::Word if !RESERVED.iter().any(|word| self.next.is(word)) => self.named(),
            Kind::Sign if self.next.is("{") => {
                self.matchers(false)?;
                Ok(Expression::Selector)
            }
            Kind::Sign if self.next.is("(") => {
                self.step()?;
                self.expression()?;
                self.expect(")", "an operator or \")\"")?;
                Ok(Expression::Other)
            }
            _ => self.refuse("an expression"),
        }
    }

    /// Parse an expression that starts with a word: a call, an aggregation, a selector.
    fn named(&mut self) -> Parsed<Expression> {
        let word = self.step()?;
        let is_aggregation = AGGREGATIONS.iter().any(|name| word.is(name));
        if is_aggregation && (self.next.is("(") || self.next.is("by") || self.next.is("without")) {
            let is_grouped = self.grouping()?;
            self.arguments()?;
            if !is_grouped {
                self.grouping()?;
            }
            return Ok(Expression::Other);
        }
        if self.next.is("(") {
            self.arguments()?;
            return Ok(Expression::Other);
        }
        if self.next.is("{") {
            self.matchers(true)?;
        }
        Ok(Expression::Selector)
    }

    fn grouping(&mut self) -> Parsed<bool> {
        let is_grouped = self.skip("by")? || self.skip("without")?;
        if is_grouped {
            self.labels()?;
        }
        Ok(is_grouped)
    }

    fn arguments(&mut self) -> Parsed<()> {
        self.expect("(", "\"(\"")?;
        if self.skip(")")? {
            return Ok(());
        }
        loop {
            self.expression()?;
            if self.skip(")")? {
                return Ok(());
            }
            self.expect(",", "an operator, \",\" or \")\"")?;
        }
    }

    /// `(job, "a quoted name")`
    fn labels(&mut self) -> Parsed<()> {
        self.expect("(", "\"(\"")?;
        while !self.skip(")")? {
            self.label()?;
            if !self.next.is(")") {
                self.expect(",", "\",\" or \")\"")?;
            }
        }
        Ok(())
    }

    fn label(&mut self) -> Parsed<Token<'a>> {
        let is_name = self.next.kind == Kind::Word && !self.next.text.contains(':');
        if is_name || self.next.kind == Kind::Text { self.step() } else { self.refuse("a label") }
    }

    /// `{job="api", path!~"/health.*"}`; a quoted name alone is the metric's.
    fn matchers(&mut self, is_named: bool) -> Parsed<()> {
        let start = self.step()?;
        if self.next.is("}") && !is_named {
            let message = "expected a metric or a label to select by, got {}".to_owned();
            return Err(Fault { at: start.at, message });
        }
        while !self.skip("}")? {
            let label = self.label()?;
            let is_metric = label.kind == Kind::Text && (self.next.is(",") || self.next.is("}"));
            if !is_metric {
                self.matcher()?;
            }
            if !self.next.is("}") {
                self.expect(",", "\",\" or \"}\"")?;
            }
        }
        Ok(())
    }

    fn matcher(&mut self) -> Parsed<()> {
        if !MATCHERS.iter().any(|sign| self.next.is(sign)) {
            return self.refuse("one of = != =~ !~");
        }
        self.step()?;
        if self.next.kind != Kind::Text {
            return self.refuse("a value in quotation marks");
        }
        self.step().map(drop)
    }

    /// Parse the modifiers after an expression: ranges, `offset`, `@`.
    fn modifiers(&mut self, mut expression: Expression) -> Parsed<()> {
        let (mut is_offset, mut is_at) = (false, false);
        loop {
            if self.next.is("[") {
                let at = self.next.at;
                let is_bare = expression == Expression::Selector && !is_offset && !is_at;
                if !self.range()? && !is_bare {
                    let message = "a range must follow a selector, before offset and @; a subquery is written [RANGE:STEP]";
                    return Err(Fault { at, message: message.to_owned() });
                }
                (expression, is_offset, is_at) = (Expression::Range, false, false);
            } else if self.next.is("offset") {
                self.once("offset", expression, &mut is_offset)?;
                self.sign()?;
                self.duration_term()?;
            } else if self.next.is("@") {
                self.once("@", expression, &mut is_at)?;
                self.moment()?;
            } else if !self.skip("anchored")? && !self.skip("smoothed")? {
                return Ok(());
            }
        }
    }

    fn once(&mut self, modifier: &str, expression: Expression, is_there: &mut bool) -> Parsed<()> {
        if expression == Expression::Other {
            return self.fault(format!("{modifier} must follow a selector, a range or a subquery"));
        }
        if std::mem::replace(is_there, true) {
            return self.fault(format!("expected {modifier} once"));
        }
        self.step().map(drop)
    }

    /// After `@`: seconds since the Unix epoch, `start()`, `end()`.
    fn moment(&mut self) -> Parsed<()> {
        if self.skip("start")? || self.skip("end")? {
            self.expect("(", "\"(\"")?;
            return self.expect(")", "\")\"");
        }
        self.sign()?;
        if self.next.kind != Kind::Number {
            return self.refuse("seconds since the Unix epoch, start() or end()");
        }
        self.step().map(drop)
    }

    /// Parse `[5m]`, or a subquery, `[1h:5m]` or `[1h:]`; return whether it was a subquery.
    fn range(&mut self) -> Parsed<bool> {
        self.step()?;
        self.duration()?;
        let is_subquery = self.skip(":")?;
        if is_subquery && !self.next.is("]") {
            self.duration()?;
        }
        self.expect("]", if is_subquery { "\"]\"" } else { "\":\" or \"]\"" })?;
        Ok(is_subquery)
    }

    fn duration(&mut self) -> Parsed<()> {
        self.deeper(|parser| {
            if parser.next.is_zero() {
                return parser.fault(format!("a duration must be more than 0, got {}", parser.next));
            }
            parser.duration_term()?;
            while ARITHMETIC.iter().any(|sign| parser.next.is(sign)) {
                parser.step()?;
                parser.sign()?;
                parser.duration_term()?;
            }
            Ok(())
        })
    }

    /// A duration, seconds, or, where the server computes durations, parentheses and calls such as `step()`.
    fn duration_term(&mut self) -> Parsed<()> {
        match self.next.kind {
            Kind::Duration | Kind::Number => self.step().map(drop),
            Kind::Word if self.lexer.is_at('(') => {
                self.step()?;
                self.step()?;
                while !self.skip(")")? {
                    self.duration()?;
                    if !self.next.is(")") {
                        self.expect(",", "\",\" or \")\"")?;
                    }
                }
                Ok(())
            }
            Kind::Sign if self.next.is("(") => {
                self.step()?;
                self.sign()?;
                self.duration()?;
                self.expect(")", "\")\"")
            }
            _ => self.refuse("a duration such as 5m"),
        }
    }
}
