//! Groups of a spawner that died: killed and removed by the next one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::group;
use super::limits;

/// The file in the state directory that says where groups were made, one path in a line.
const NOTES: &str = "cgroups";

/// How long killed processes may take to go.
const WAIT: Duration = Duration::from_secs(2);
/// The pause between attempts meanwhile.
const PAUSE: Duration = Duration::from_millis(1);

/// The name of the group of all instances of a state directory.
pub(super) fn name(state_dir: &Path) -> String {
    // 64-bit FNV-1a: the same in every process and release.
    let bytes = state_dir.as_os_str().as_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("stoker-{hash:016x}")
}

/// Kills and removes what earlier spawners left in the groups called `name`. What cannot be
/// removed stays, for it is in nobody's way.
pub(super) fn collect(state_dir: &Path, name: &str) {
    let notes = fs::read_to_string(state_dir.join(NOTES)).unwrap_or_default();
    let until = Instant::now() + WAIT;
    for directory in notes.lines().map(Path::new) {
        if directory.file_name().is_some_and(|own| own == name) {
            remove(directory, until);
        }
    }
    fs::remove_file(state_dir.join(NOTES)).ok();
}

/// Remembers that groups are made there.
pub(super) fn note<'a>(state_dir: &Path, directories: impl Iterator<Item = &'a Path>) {
    let path = state_dir.join(NOTES);
    let former = fs::read_to_string(&path).unwrap_or_default();
    let mut all: BTreeSet<String> = former.lines().map(str::to_owned).collect();
    all.extend(directories.map(|directory| directory.display().to_string()));
    let text: String = all.iter().map(|path| format!("{path}\n")).collect();
    // Without it what a spawner leaves when it is killed is found only in the same place.
    fs::write(path, text).ok();
}

/// Removes a group and those below it, with all processes in them.
fn remove(directory: &Path, until: Instant) {
    let below: Vec<PathBuf> = match fs::read_dir(directory) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect(),
        Err(_) => return,
    };
    for group in below.iter().map(PathBuf::as_path).chain([directory]) {
        while fs::remove_dir(group).is_err() && Instant::now() < until {
            // Not all of these files are in each version.
            limits::write(group, "cgroup.kill", "1").ok();
            for pid in group::processes(group) {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
            limits::write(group, "freezer.state", "THAWED").ok();
            if !group.exists() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
}
