//! Paths of values in a manifest, as people write them: `spec.sources[0].name`.

/// Whether a path is equal to another path, or inside of it. No other path counts as inside of the empty
/// path, which is the document itself.
pub fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || (!other.is_empty() && rest.starts_with(['.', '['])))
}

/// Return the path of a field of the object at a path.
pub fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Convert a JSON pointer to a path: `/spec/sources/0/name` -> `spec.sources[0].name`.
pub fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{path}[{part}]")
        } else {
            join(&path, &part)
        }
    })
}
