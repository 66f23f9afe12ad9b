//! The memory that this process may take, and how much of it is left, from `/proc` and the process's control
//! groups.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a memory controller that have the limit and the use of a group.
struct Controller {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
}

/// The controllers of version 2 and version 1 of control groups.
const CONTROLLERS: [Controller; 2] = [
    Controller { root: "/sys/fs/cgroup", limit: "memory.max", used: "memory.current" },
    Controller {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
    },
];

/// The number of bytes that may still be allocated: the least of Linux's estimate and of what each control
/// group of the process leaves. A group gives its cached files back when memory is needed, so they count as
/// free. `None` where neither is known.
pub fn available_memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_available(&text));
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = CONTROLLERS.iter().flat_map(|controller| controller.left(&own));
    machine.into_iter().chain(groups).min()
}

/// The number of bytes that the process may take: the least limit of its control groups, without regard to
/// the machine's memory. `None` where no group has a limit.
pub fn memory_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    CONTROLLERS.iter().flat_map(|controller| controller.limits(&own)).min()
}

impl Controller {
    /// The folders of the process's group and of its parent groups. A container sees its own group as the
    /// root.
    fn folders(&self, own: &str) -> Vec<PathBuf> {
        let root = Path::new(self.root);
        let group = own.lines().find_map(|line| self.path(line)).unwrap_or_default();
        let group = root.join(group.trim_start_matches('/'));
        group.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
    }

    /// The number of bytes that each of the groups leaves.
    fn left(&self, own: &str) -> Vec<u64> {
        self.folders(own).iter().filter_map(|folder| self.left_in(folder)).collect()
    }

    /// The limit of each group that has one, in bytes. In version 1, no limit is a very large number, which
    /// is left out.
    fn limits(&self, own: &str) -> Vec<u64> {
        let limits = self.folders(own).into_iter().filter_map(|folder| number(folder.join(self.limit)));
        limits.filter(|limit| *limit < 1 << 60).collect()
    }

    /// The path of a line of /proc/self/cgroup, if it is of this controller: `0::/a/b`, `4:memory:/a/b`.
    fn path<'l>(&self, line: &'l str) -> Option<&'l str> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_mine = match self.limit {
            "memory.max" => controllers.is_empty(),
            _ => controllers.split(',').any(|controller| controller == "memory"),
        };
        is_mine.then_some(path)
    }

    fn left_in(&self, folder: &Path) -> Option<u64> {
        let (limit, used) = (number(folder.join(self.limit))?, number(folder.join(self.used))?);
        let files = fs::read_to_string(folder.join("memory.stat")).map_or(0, |stat| files(&stat));
        Some(limit.saturating_sub(used.saturating_sub(files)))
    }
}

/// The number in a file; `None` where it is `max`, or the file does not exist.
fn number(file: PathBuf) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number of bytes of cached files, which a group can give back, from its `memory.stat`.
fn files(stat: &str) -> u64 {
    let number = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    number("inactive_file") + number("active_file")
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let meminfo = "MemTotal:       24000000 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(mem_available(meminfo), Some(2 << 20));
        assert_eq!(mem_available("nonsense"), None);
    }

    #[test]
    fn files_that_can_be_given_back_are_read_from_a_groups_statistics() {
        let stat = "anon 100\nfile 90\ninactive_file 30\nactive_file 12\ntotal_inactive_file 7\n";
        assert_eq!(files(stat), 42);
        assert_eq!(files(""), 0);
    }

    #[test]
    fn the_group_is_found_in_both_versions() {
        let [two, one] = CONTROLLERS;
        assert_eq!(two.path("0::/pods/a"), Some("/pods/a"));
        assert_eq!(two.path("4:memory:/pods/a"), None);
        assert_eq!(one.path("4:cpu,memory:/pods/a:b"), Some("/pods/a:b"));
        assert_eq!(one.path("0::/pods/a"), None);
    }

    #[test]
    fn both_versions_of_cgroups_say_where_their_limits_are() {
        let [two, one] = CONTROLLERS;
        let file = |controller: &Controller, own| controller.folders(own)[0].join(controller.limit);
        assert_eq!(file(&two, "0::/pod/c"), Path::new("/sys/fs/cgroup/pod/c/memory.max"));
        assert_eq!(file(&one, "4:memory:/pod"), Path::new("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes"));
        assert_eq!(one.path("3:cpu,cpuacct:/pod"), None);
        assert_eq!(two.folders("0::/a/b").len(), 3, "its own, its parent's, the root's");
    }
}
