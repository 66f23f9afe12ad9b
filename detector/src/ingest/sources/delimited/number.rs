//! A cell in; its number, or that it is missing, or the error with what was expected, out.

/// Words for a missing value, in upper or lower case, as pandas and spreadsheets write them.
const MISSING: [&str; 10] = ["", "-", "nan", "-nan", "na", "n/a", "#n/a", "<na>", "null", "none"];

/// How a file writes numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberFormat {
    /// Whether a comma separates the fraction.
    pub decimal_comma: bool,
    /// Further words for a missing value, besides the usual ones.
    pub null_values: Vec<String>,
}

impl NumberFormat {
    /// The number in a cell; none where it is missing. A percent sign after it does not count.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn read(&self, text: &str) -> Result<Option<f64>, &'static str> {
        if self.null_values.iter().any(|word| word == text) {
            return Ok(None);
        }
        match self.parse(text) {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ if is_missing(text) => Ok(None),
            Some(_) => Err("a finite number"),
            None if self.decimal_comma => Err("a number with a decimal comma"),
            None => Err("a number"),
        }
    }

    fn parse(&self, text: &str) -> Option<f64> {
        let number = |text: &str| {
            if !self.decimal_comma {
                return text.parse().ok();
            }
            // A point is ambiguous: it could separate thousands or the fraction.
            if text.contains('.') { None } else { text.replacen(',', ".", 1).parse().ok() }
        };
        number(text).or_else(|| number(text.strip_suffix('%')?.trim_ascii_end()))
    }

    /// Whether a cell is missing.
    pub fn is_null(&self, text: &str) -> bool {
        self.null_values.iter().any(|word| word == text) || is_missing(text)
    }
}

fn is_missing(text: &str) -> bool {
    MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_to_write_a_number_or_none() {
        let usual = NumberFormat::default();
        for (text, number) in [("91.9%", 91.9), ("91.9 %", 91.9), ("-1e-3", -0.001), ("+5", 5.0)] {
            assert_eq!(usual.read(text), Ok(Some(number)), "{text}");
        }
        for text in ["", "-", "NaN", "N/A", "#N/A", "<NA>", "NULL", "None"] {
            assert_eq!(usual.read(text), Ok(None), "{text}");
        }
        for (text, expected) in
            [("inf", "a finite number"), ("1,5", "a number"), ("%", "a number"), ("--", "a number")]
        {
            assert_eq!(usual.read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn commas_and_words_of_the_file_s_own() {
        let own =
            NumberFormat { decimal_comma: true, null_values: vec!["-999".to_owned(), "Bad".to_owned()] };
        assert_eq!(
            (own.read("1,5"), own.read("-3"), own.read("2,5%")),
            (Ok(Some(1.5)), Ok(Some(-3.0)), Ok(Some(2.5)))
        );
        assert_eq!((own.read("-999"), own.read("Bad"), own.read("NaN")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(own.read("1.234,5"), Err("a number with a decimal comma"));
        assert_eq!(own.read("1,2,3"), Err("a number with a decimal comma"));
    }
}
