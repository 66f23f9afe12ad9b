//! Where a value is in a manifest, as people write it: `spec.sources[0].name`.

/// Whether a path is another, or leads on from it. The document itself holds everything, but is seldom meant.
pub fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || (!other.is_empty() && rest.starts_with(['.', '['])))
}

/// The path of a field of what is at a path.
pub fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// `/spec/sources/0/name` -> `spec.sources[0].name`.
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
