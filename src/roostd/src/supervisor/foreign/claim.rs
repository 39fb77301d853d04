//! What a user of the host says of an account, without a worker.

use std::os::fd::OwnedFd;

use roost_ipc::Owner;
use roost_os::UserId;

/// What a user of the host says that an account shares, which may be his.
pub(super) struct Claim {
    pub by: UserId,
    pub said: roost_ipc::Shares,
    pub connection: OwnedFd,
}

impl Claim {
    /// Nobody but the account's own user speaks for it.
    pub fn holds(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Account {
                account,
                credentials,
                ..
            } => *account == self.said.account && credentials.uid == self.by,
            Owner::Nobody {} | Owner::Unknown {} => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roost_os::GroupId;
    use roost_os::identity::Credentials;

    #[test]
    fn a_user_speaks_for_his_own_account_and_no_other() {
        let claim = |by, account: &str| Claim {
            by: UserId(by),
            said: roost_ipc::Shares {
                account: account.into(),
                identifiers: vec!["bob".into()],
            },
            connection: std::fs::File::open("/dev/null").unwrap().into(),
        };
        let owner = |name: &str, uid| Owner::Account {
            account: name.into(),
            credentials: Credentials {
                uid: UserId(uid),
                gid: GroupId(uid),
                groups: Vec::new(),
            },
            home: "/home".into(),
            maildir: None,
            quota: None,
        };
        assert!(claim(1001, "alice").holds(&owner("alice", 1001)));
        assert!(!claim(1002, "alice").holds(&owner("alice", 1001)));
        // What auth takes for another account of his is not what he has named.
        assert!(!claim(1001, "alice").holds(&owner("alice@home.org", 1001)));
        assert!(!claim(1001, "alice").holds(&Owner::Nobody {}));
        assert!(!claim(1001, "alice").holds(&Owner::Unknown {}));
    }
}
