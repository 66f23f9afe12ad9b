//! The path of an output and those of inputs in; a refusal out where they are one file, by whatever names and links.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An output that would destroy an input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: the output must be another file than the input {}", output.display(), input.display())]
pub struct OverInput {
    output: PathBuf,
    input: PathBuf,
}

/// Refuses an output that is one of the inputs. What is no regular file is written to without being emptied, and `-` is none.
///
/// # Errors
/// They are one file.
pub fn check<'p>(output: &Path, inputs: impl IntoIterator<Item = &'p Path>) -> Result<(), OverInput> {
    let Some(written) = identity(output) else { return Ok(()) };
    let over = inputs.into_iter().find(|input| identity(input) == Some(written));
    over.map_or(Ok(()), |input| Err(OverInput { output: output.to_owned(), input: input.to_owned() }))
}

/// What the file system knows a regular file by; links are followed.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn an_input_is_found_behind_names_and_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("data.csv"), "a\n1\n").unwrap();
        symlink("data.csv", at("link")).unwrap();
        fs::hard_link(at("data.csv"), at("hard")).unwrap();
        let input = at("data.csv");
        for name in ["data.csv", "link", "hard", "./data.csv"] {
            let refusal = check(&at(name), [Path::new("-"), &input]).unwrap_err().to_string();
            let says = format!(": the output must be another file than the input {}", input.display());
            assert!(refusal.ends_with(&says), "{refusal}");
        }
        assert_eq!(check(&at("new"), [&*input]), Ok(()));
        assert_eq!(check(Path::new("/dev/null"), [Path::new("/dev/null")]), Ok(()));
        assert_eq!(check(Path::new("-"), [&*input]), Ok(()));
    }
}
