//! `detector validate` accepts and refuses specs as `specs/specs.txt` expects. A test on a cluster checks the
//! API server by the same table.
#![cfg(test)]

#[path = "specs/table.rs"]
mod table;

use crd::manifest;

#[test]
fn every_spec_of_the_table_is_accepted_or_refused_as_it_says() {
    let cases = table::cases();
    assert!(cases.len() >= 150, "specs are missing");
    let mut wrong = Vec::new();
    for case in cases {
        match manifest::one_detector(&case.document) {
            Ok(_) if !case.accepted => wrong.push(format!("accepted: {}", case.line)),
            Err(error) if case.accepted => wrong.push(format!("refused: {}\n    {error}", case.line)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
