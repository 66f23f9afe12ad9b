//! Names in, a list of the first of them for a sentence out.

/// The most names that a sentence shows.
const SHOWN: usize = 10;

/// List names as `a, b, c and 2038 more`: a sentence in logs and conditions stays short with any number of
/// sensors.
pub fn list(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn the_first_ten_names_stand_for_all() {
        let names: Vec<String> = (0..12).map(|name| name.to_string()).collect();
        assert_eq!(list(&names[..2]), "0, 1");
        assert_eq!(list(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }
}
