//! The paths of an output and of inputs in; an error out if they are one file, under any name or link.

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

/// Check that the output is not one of the inputs. Outputs that are not regular files are accepted, because
/// opening them does not empty them; so is `-`.
///
/// # Errors
/// The output and an input are the same file.
pub fn check<'p>(output: &Path, inputs: impl IntoIterator<Item = &'p Path>) -> Result<(), OverInput> {
    let Some(written) = identity(output) else { return Ok(()) };
    let over = inputs.into_iter().find(|input| identity(input) == Some(written));
    over.map_or(Ok(()), |input| Err(OverInput { output: output.to_owned(), input: input.to_owned() }))
}

/// The device and the inode number, which identify a regular file; links are followed.
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
