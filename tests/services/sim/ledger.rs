//! The accounts: which requests the broker has taken, and what it said to each.

use std::collections::HashMap;

/// A request's name: its client and its number, which is also what its body says.
pub type Name = (Vec<u8>, u32);

#[derive(Debug, Default)]
struct Account {
    answers: u32,
    withdrawn: bool,
}

/// All requests of one life of the broker.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: HashMap<Name, Account>,
}

impl Ledger {
    /// A request reaches the broker. `one_at_a_time` is a REQ client, whose earlier requests are withdrawn by this.
    pub fn asked(&mut self, name: Name, one_at_a_time: bool) {
        if one_at_a_time {
            self.withdraw(&name.0);
        }
        let before = self.accounts.insert(name, Account::default());
        assert!(before.is_none(), "the simulation numbers requests uniquely");
    }

    /// A client is gone and cannot return, or has asked again.
    pub fn withdraw(&mut self, client: &[u8]) {
        for ((owner, _), account) in &mut self.accounts {
            account.withdrawn |= owner == client && account.answers == 0;
        }
    }

    /// The broker says something to a request.
    pub fn answered(&mut self, name: &Name) {
        let account = self.accounts.get_mut(name).unwrap_or_else(|| panic!("a reply to {name:?}, which was never asked"));
        assert!(!account.withdrawn, "a reply to {name:?}, which was withdrawn");
        account.answers += 1;
        assert_eq!(account.answers, 1, "more than one reply to {name:?}");
    }

    /// Every request was answered or withdrawn.
    pub fn assert_settled(&self) {
        let open: Vec<_> =
            self.accounts.iter().filter(|(_, account)| account.answers == 0 && !account.withdrawn).map(|(name, _)| name).collect();
        assert!(open.is_empty(), "requests that were never answered: {open:?}");
    }
}
