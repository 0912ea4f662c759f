//! Who may log in, as the wire asks it.

use std::fmt::Debug;
use std::net::IpAddr;

use crate::accounts::Accounts;
use crate::accounts::scram::ScramVerifier;
use crate::caller::Caller;

/// The accounts, as far as a login over the PostgreSQL wire needs them.
pub trait Logins: Debug + Send + Sync {
    /// Whether no accounts are configured: everybody is let in as [`Caller::anonymous`].
    fn is_open(&self) -> bool;

    /// What checks a user's password; `None` for a user that there is not.
    fn scram_verifier(&self, user: &str) -> Option<ScramVerifier>;

    /// Who a user that has proven to know the password is; `None` when the account is gone or switched off.
    fn caller(&self, user: &str) -> Option<Caller>;

    /// Takes note of a failed login.
    fn failed(&self, user: &str, peer: IpAddr);

    /// Takes note of a login.
    fn succeeded(&self, user: &str, peer: IpAddr);

    /// Whether too many logins have failed lately.
    fn is_locked_out(&self, user: &str, peer: IpAddr) -> bool;
}

/// No accounts: whoever reaches the loopback address may ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

impl Logins for Open {
    fn is_open(&self) -> bool {
        true
    }

    fn scram_verifier(&self, _user: &str) -> Option<ScramVerifier> {
        None
    }

    fn caller(&self, _user: &str) -> Option<Caller> {
        Some(Caller::anonymous())
    }

    fn failed(&self, _user: &str, _peer: IpAddr) {}

    fn succeeded(&self, _user: &str, _peer: IpAddr) {}

    fn is_locked_out(&self, _user: &str, _peer: IpAddr) -> bool {
        false
    }
}

impl Logins for Accounts {
    fn is_open(&self) -> bool {
        false
    }

    fn scram_verifier(&self, user: &str) -> Option<ScramVerifier> {
        self.scram_verifier(user)
    }

    fn caller(&self, user: &str) -> Option<Caller> {
        self.caller(user)
    }

    fn failed(&self, user: &str, peer: IpAddr) {
        self.failed(user, Some(peer));
    }

    fn succeeded(&self, user: &str, peer: IpAddr) {
        self.succeeded(user, Some(peer));
    }

    fn is_locked_out(&self, user: &str, peer: IpAddr) -> bool {
        self.may_try(user, Some(peer)).is_err()
    }
}
