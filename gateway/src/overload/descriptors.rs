//! The descriptors that the limits may need, against those that the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For listeners, the spawner, logs and pipes of instances, files that are read.
const RESERVED: u64 = 512;

/// Connections that there are descriptors for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Of callers.
    pub(crate) callers: u32,
    /// To instances.
    pub(crate) instances: u32,
}

/// Raises the soft limit of descriptors (RLIMIT_NOFILE) as far as `wanted` needs and the hard limit
/// allows. What does not fit even then is cut down in proportion, and said on standard error: so
/// callers get 503 before the process runs out of descriptors.
pub(crate) fn make_room(wanted: Room) -> Room {
    let limit = getrlimit(Resource::Nofile);
    let need = wanted.need();
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let mut soft = limit.current.unwrap_or(u64::MAX);
    if soft < need && soft < hard {
        let raised = Rlimit {
            current: Some(need.min(hard)),
            maximum: limit.maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => soft = need.min(hard),
            Err(error) => {
                eprintln!("stoker: the limit of open files stays at {soft}: {error}");
            }
        }
    }
    let room = wanted.within(soft);
    if room != wanted {
        eprintln!(
            "stoker: with {soft} open files (RLIMIT_NOFILE) there is room for {} connections of \
             callers and {} to instances, not for limits.connections = {} and \
             limits.instance-connections = {}; {need} would be enough",
            room.callers, room.instances, wanted.callers, wanted.instances
        );
    }
    room
}

impl Room {
    fn need(self) -> u64 {
        u64::from(self.callers) + u64::from(self.instances) + RESERVED
    }

    /// What fits into so many descriptors, at least one of each.
    fn within(self, descriptors: u64) -> Room {
        if self.need() <= descriptors {
            return self;
        }
        // A process with very few has none to reserve.
        let reserved = RESERVED.min(descriptors / 2);
        let (left, all) = (descriptors - reserved, self.need() - RESERVED);
        let part = |count: u32| {
            let part = u64::from(count) * left / all.max(1);
            u32::try_from(part)
                .unwrap_or(u32::MAX)
                .clamp(1, count.max(1))
        };
        Room {
            callers: part(self.callers),
            instances: part(self.instances),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_down_in_proportion() {
        let wanted = Room {
            callers: 4096,
            instances: 1024,
        };
        assert_eq!(wanted.within(5632), wanted);
        let cut = |descriptors| {
            let room = wanted.within(descriptors);
            (room.callers, room.instances)
        };
        assert_eq!(cut(5631), (4095, 1023));
        assert_eq!(cut(1024), (409, 102));
        assert_eq!(cut(100), (40, 10));
        assert_eq!(cut(0), (1, 1));
        assert_eq!(wanted.within(u64::MAX), wanted);
    }
}
