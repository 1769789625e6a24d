//! Users from /etc/passwd and /etc/group.
//!
//! Name services are not asked: they load code, start threads and wait for networks, none of which
//! may happen in a process that clones.

use std::fs;
use std::io;

use super::clone::Identity;
use super::protocol::Fault;

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

/// The user called `name`.
///
/// # Errors
/// If /etc/passwd cannot be read or has no such user.
pub fn account(name: &str) -> io::Result<Account> {
    let found = find(name, &fs::read_to_string("/etc/passwd")?, "");
    let found = found.map(|it| Account {
        uid: it.uid,
        gid: it.gid,
    });
    found.ok_or_else(|| io::Error::other(format!("there is no user \"{name}\" in /etc/passwd")))
}

/// What the kernel needs to become `name`; none if this process is that user already.
pub(super) fn identity(name: &str) -> Result<Option<Identity>, Fault> {
    let read = |path: &str| {
        fs::read_to_string(path)
            .map_err(|error| Fault::transient(format!("cannot read {path}: {error}")))
    };
    let Some(found) = find(name, &read("/etc/passwd")?, &read("/etc/group")?) else {
        let detail = format!("cannot run as \"{name}\": there is no such user in /etc/passwd");
        return Err(Fault::lasting(detail));
    };
    let me = rustix::process::geteuid();
    if me.is_root() {
        return Ok(Some(found));
    }
    if me.as_raw() == found.uid {
        return Ok(None);
    }
    let detail = format!("cannot run as \"{name}\": only root can start programs as another user");
    Err(Fault::lasting(detail))
}

/// The user called `name` in these files.
fn find(name: &str, passwd: &str, group: &str) -> Option<Identity> {
    let fields = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    let uid = fields.get(2)?.parse().ok()?;
    let gid = fields.get(3)?.parse().ok()?;
    let memberships = group.lines().filter_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let member = fields.get(3)?.split(',').any(|member| member == name);
        member.then(|| fields[2].parse().ok()).flatten()
    });
    let mut groups: Vec<u32> = memberships.chain([gid]).collect();
    groups.sort_unstable();
    groups.dedup();
    Some(Identity { uid, gid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:100::/home/ann:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nusers:x:100:\ndocker:x:7:bob,ann\naudio:x:9:anna\n";

    #[test]
    fn finds_user_with_all_groups() {
        let ann = find("ann", PASSWD, GROUP).expect("ann is there");
        assert_eq!(
            ann,
            Identity {
                uid: 1000,
                gid: 100,
                groups: vec![7, 100]
            }
        );
    }

    #[test]
    fn unknown_user_is_none() {
        assert_eq!(find("an", PASSWD, GROUP), None);
    }
}
