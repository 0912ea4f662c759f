//! Which statement runs on which connection, so that a request on another connection can end it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::scram::{NoRandomness, random};

/// The statement of a connection, while one runs.
type Slot = Arc<Mutex<Option<CancellationToken>>>;

/// Every connection by its number, with the secret that a request has to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<i32, (i32, Slot)>>>);

impl Running {
    /// Gives a connection its number and its secret.
    pub(super) fn register(&self) -> Result<Registered, NoRandomness> {
        let secret = i32::from_be_bytes(random()?);
        let slot = Slot::default();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = loop {
            let pid = i32::from_be_bytes(random()?) & i32::MAX;
            if pid > 0 && !known.contains_key(&pid) {
                break pid;
            }
        };
        known.insert(pid, (secret, Arc::clone(&slot)));
        Ok(Registered { pid, secret, slot, running: self.clone() })
    }

    /// Ends the statement of a connection. A wrong secret, or no statement, is not told from success.
    pub(super) fn cancel(&self, pid: i32, secret: i32) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((expected, slot)) = known.get(&pid)
            && *expected == secret
            && let Some(token) = &*slot.lock().unwrap_or_else(PoisonError::into_inner)
        {
            token.cancel();
        }
    }
}

/// A connection in the register, until it is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) pid: i32,
    pub(super) secret: i32,
    slot: Slot,
    running: Running,
}

impl Registered {
    /// A statement begins; a request to cancel reaches it as long as the guard is kept.
    pub(super) fn begin(&self) -> Statement {
        let token = CancellationToken::new();
        self.fill(Some(token.clone()));
        Statement { token, slot: Arc::clone(&self.slot) }
    }

    fn fill(&self, statement: Option<CancellationToken>) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = statement;
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

/// A statement that can be cancelled.
#[derive(Debug)]
pub(super) struct Statement {
    token: CancellationToken,
    slot: Slot,
}

impl Statement {
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_secret_ends_a_statement_and_only_one_that_runs() {
        let running = Running::default();
        let connection = running.register().unwrap();
        let (pid, secret) = (connection.pid, connection.secret);
        running.cancel(pid, secret);
        let statement = connection.begin();
        running.cancel(pid, secret.wrapping_add(1));
        running.cancel(pid.wrapping_add(1), secret);
        assert!(!statement.token.is_cancelled());
        running.cancel(pid, secret);
        assert!(statement.token.is_cancelled());
        drop(statement);
        assert!(!connection.begin().token.is_cancelled());
        drop(connection);
        assert!(running.0.lock().unwrap().is_empty());
    }
}
