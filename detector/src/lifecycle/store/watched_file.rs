//! The path of a file that other programs change in; whether it has changed out.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file, and its metadata when it was last checked. When a kubelet switches the folder's link to new data,
/// the path leads to another file, with another time.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    seen: Option<Look>,
}

/// The metadata that shows a change of the file without reading it: one system call, because files are
/// checked often.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    /// The device and its inode.
    file: (u64, u64),
    modified: SystemTime,
    length: u64,
}

impl WatchedFile {
    /// A file before its first check.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file exists and has changed since the last call.
    pub fn has_changed(&mut self) -> bool {
        let look = look(&self.path);
        let changed = look.is_some() && look != self.seen;
        self.seen = look;
        changed
    }
}

/// The metadata of a file; none if there is no such file.
fn look(path: &Path) -> Option<Look> {
    let metadata = fs::metadata(path).ok()?;
    let file = (metadata.dev(), metadata.ino());
    Some(Look { file, modified: metadata.modified().ok()?, length: metadata.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_once_by_each_change_and_not_by_its_absence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let mut watched = WatchedFile::new(path.clone());
        assert!(!watched.has_changed());
        fs::write(&path, "one").unwrap();
        assert!(watched.has_changed() && !watched.has_changed());
        fs::write(&path, "three").unwrap();
        assert!(watched.has_changed());
        fs::remove_file(&path).unwrap();
        assert!(!watched.has_changed());
        fs::write(&path, "three").unwrap();
        assert!(watched.has_changed());
    }

    #[test]
    fn a_swapped_link_is_a_change_as_kubelets_make_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("model"), "same").unwrap();
        }
        std::os::unix::fs::symlink("v1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/model", at("model")).unwrap();
        let mut watched = WatchedFile::new(at("model"));
        assert!(watched.has_changed() && !watched.has_changed());
        std::os::unix::fs::symlink("v2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(watched.has_changed());
    }
}
