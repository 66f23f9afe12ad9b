//! The cgroup files in; how much memory the process may use out.

use std::fs;
use std::path::{Path, PathBuf};

/// What is assumed where nothing limits the process: enough for a machine of its own, and no reason to take all of it.
const UNLIMITED: usize = 512 << 20;

/// The least limit on the way from the process' memory cgroup to the root, bytes; 512 MiB where there is none. A larger
/// one counts as it is.
pub fn memory_limit() -> usize {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    membership.lines().filter_map(files).flatten().filter_map(|file| limit(&file)).min().unwrap_or(UNLIMITED)
}

/// The files with the limits of a line of `/proc/self/cgroup`, the process' own first; none where it is not of memory.
fn files(line: &str) -> Option<Vec<PathBuf>> {
    let mut fields = line.splitn(3, ':');
    let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, name) = match (hierarchy, controllers) {
        ("0", "") => ("/sys/fs/cgroup", "memory.max"),
        (_, controllers) if controllers.split(',').any(|each| each == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let own = Path::new(root).join(path.trim_start_matches('/'));
    Some(own.ancestors().take_while(|each| each.starts_with(root)).map(|each| each.join(name)).collect())
}

/// The limit in a file; none where it says `max`, or version 1's number for that.
fn limit(file: &Path) -> Option<usize> {
    let limit: u64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    usize::try_from(limit).ok().filter(|limit| *limit < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_say_where_their_limits_are() {
        let of = |line| files(line).map(|files| files[0].display().to_string());
        assert_eq!(of("0::/pod/c").as_deref(), Some("/sys/fs/cgroup/pod/c/memory.max"));
        assert_eq!(of("4:memory:/pod").as_deref(), Some("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes"));
        assert_eq!(of("3:cpu,cpuacct:/pod"), None);
        assert_eq!(files("0::/a/b").unwrap().len(), 3, "its own, its parent's, the root's");
    }
}
