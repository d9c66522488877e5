//! The *account* that runs a command: what `/etc/passwd` and `/etc/group` say of a user.

use std::fs;
use std::path::Path;

use pyro_protocol::{Refusal, RefusalReason, octets};
use rustix::process::{Gid, Uid};

use crate::sys::Ids;

/// The home directory of root.
pub(crate) const DEFAULT_HOME: &str = "/root";

/// A user with its groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    pub(crate) ids: Ids,
    pub(crate) name: String,
    pub(crate) home: String,
    /// The login shell; empty if none is known.
    pub(crate) shell: String,
}

/// Finds the account of `USER` or `USER:GROUP`, each a name or a number, in the file system whose
/// root is `root`. A number needs no entry: its group is 0 then, and its home `/`.
///
/// # Errors
/// When there is no such name.
pub(crate) fn find(root: &Path, wanted: &str) -> Result<Account, Refusal> {
    let read = |name| fs::read(root.join(name)).unwrap_or_default();
    let (passwd, group) = (read("etc/passwd"), read("etc/group"));
    find_in(&octets::encode(&passwd), &octets::encode(&group), wanted)
}

fn find_in(passwd: &str, group: &str, wanted: &str) -> Result<Account, Refusal> {
    let (user, asked_group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (wanted, None),
    };
    let mut account = find_user(passwd, user)
        .ok_or_else(|| unknown(&format!("the guest has no user {user:?}")))?;
    match asked_group {
        // As other programs do, groups that were not asked for are not taken.
        Some(asked) => {
            account.ids.group = find_group(group, asked)
                .ok_or_else(|| unknown(&format!("the guest has no group {asked:?}")))?;
        }
        None => account.ids.groups = groups_of(group, &account.name),
    }
    Ok(account)
}

fn unknown(message: &str) -> Refusal {
    Refusal::new(RefusalReason::NoSuchUser, message)
}

/// The fields of each line of such a file.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// The numbers that a user or a group may have. The last one means "no change" to the kernel.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

/// Names come before numbers: a user may be named like the number of another.
fn find_user(passwd: &str, wanted: &str) -> Option<Account> {
    let by_name = |fields: &Vec<&str>| fields.first() == Some(&wanted);
    let by_number = |fields: &Vec<&str>| {
        let found = fields.get(2).and_then(|field| number(field));
        found.is_some() && found == number(wanted)
    };
    let entry = lines(passwd)
        .find(by_name)
        .or_else(|| lines(passwd).find(by_number));
    let account = entry.and_then(|fields| match &fields[..] {
        [name, _, user, group, _, home, rest @ ..] => Some(Account {
            ids: Ids {
                user: Uid::from_raw(number(user)?),
                group: Gid::from_raw(number(group)?),
                groups: Vec::new(),
            },
            name: (*name).to_owned(),
            home: if home.is_empty() { "/" } else { *home }.to_owned(),
            shell: rest.first().copied().unwrap_or_default().to_owned(),
        }),
        _ => None,
    });
    account.or_else(|| {
        let user = number(wanted)?;
        let home = if user == 0 { DEFAULT_HOME } else { "/" };
        Some(Account {
            ids: Ids {
                user: Uid::from_raw(user),
                group: Gid::from_raw(0),
                groups: Vec::new(),
            },
            name: wanted.to_owned(),
            home: home.to_owned(),
            shell: String::new(),
        })
    })
}

fn find_group(group: &str, wanted: &str) -> Option<Gid> {
    let named = lines(group).find(|fields| fields.first() == Some(&wanted));
    let raw = match named {
        Some(fields) => number(fields.get(2)?)?,
        None => number(wanted)?,
    };
    Some(Gid::from_raw(raw))
}

/// The groups that list the user as a member.
fn groups_of(group: &str, name: &str) -> Vec<Gid> {
    lines(group)
        .filter(|fields| {
            let members = fields.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| member == name)
        })
        .filter_map(|fields| number(fields.get(2)?).map(Gid::from_raw))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          www-data:x:33:33:www:/var/www:/usr/sbin/nologin\n\
                          broken:x:abc\n\
                          77:x:500:501::/home/n:\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:www-data,other\nssl:x:99:www-data\nempty:x\n";

    fn found(wanted: &str) -> Option<(u32, u32, Vec<u32>, String, String)> {
        let account = find_in(PASSWD, GROUP, wanted).ok()?;
        let groups = account
            .ids
            .groups
            .iter()
            .map(|group| group.as_raw())
            .collect();
        Some((
            account.ids.user.as_raw(),
            account.ids.group.as_raw(),
            groups,
            account.name,
            account.home,
        ))
    }

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let www = |group, groups| Some((33, group, groups, "www-data".into(), "/var/www".into()));
        assert_eq!(found("www-data"), www(33, vec![4, 99]));
        assert_eq!(found("33"), www(33, vec![4, 99]));
        assert_eq!(found("www-data:adm"), www(4, vec![]));
        assert_eq!(found("33:12345"), www(12345, vec![]));
        // A name that looks like a number.
        assert_eq!(
            found("77"),
            Some((500, 501, vec![], "77".into(), "/home/n".into()))
        );
        assert_eq!(
            found("1000"),
            Some((1000, 0, vec![], "1000".into(), "/".into()))
        );
    }

    #[test]
    fn unknown_names_are_refused() {
        for wanted in [
            "nobody-here",
            "",
            "root:none",
            "root:",
            ":",
            "-1",
            "4294967295",
            "broken",
        ] {
            assert_eq!(found(wanted), None, "{wanted:?}");
        }
    }
}
