//! Transactions without anything to commit: what they do to settings, and what state clients are told.

use std::sync::Arc;

use pipeline::query::View;

use super::command::{Command, Lasting};
use super::failure::{Failure, code};
use super::settings::Settings;
use super::wire::Status;

/// The settings of a session within its transactions.
#[derive(Debug)]
pub(super) struct Transaction {
    status: Status,
    settings: Settings,
    /// What holds beyond the transaction: the settings without those of SET LOCAL.
    kept: Settings,
    /// What a rollback goes back to.
    at_begin: Settings,
    savepoints: Vec<Savepoint>,
    /// The state of the lake that a repeatable transaction sees.
    view: Option<Arc<View>>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    settings: Settings,
    kept: Settings,
}

/// How a transaction ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Committed,
    RolledBack,
}

impl Transaction {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            status: Status::Idle,
            kept: settings.clone(),
            at_begin: settings.clone(),
            settings,
            savepoints: Vec::new(),
            view: None,
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The state of the lake for a statement: the newest, or the first that a repeatable transaction saw.
    pub(super) fn view(&mut self, newest: Arc<View>) -> Arc<View> {
        if self.status != Status::InTransaction || !self.settings.is_repeatable() {
            return newest;
        }
        Arc::clone(self.view.get_or_insert(newest))
    }

    /// Whether a statement may run now: after an error, only what ends the transaction or goes back in it.
    pub(super) fn check(&self, command: &Command) -> Result<(), Failure> {
        let ends = matches!(command, Command::Commit | Command::Rollback | Command::RollbackTo(_));
        if self.status == Status::Failed && !ends {
            let message =
                "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::error(code::FAILED_TRANSACTION, message));
        }
        Ok(())
    }

    /// A statement has failed.
    pub(super) fn fail(&mut self) {
        if self.status == Status::InTransaction {
            self.status = Status::Failed;
        }
    }

    /// Begins; says so when one has begun before.
    pub(super) fn begin(&mut self, modes: &[(String, String)]) -> Result<Option<Failure>, Failure> {
        let has_begun = self.status != Status::Idle;
        let mut settings = self.settings.clone();
        if !has_begun {
            let level = settings.get("default_transaction_isolation")?.1.to_owned();
            settings.set("transaction_isolation", Some(&level))?;
        }
        for (name, value) in modes {
            settings.set(name, Some(value))?;
        }
        if !has_begun {
            self.at_begin = self.settings.clone();
            self.kept = self.settings.clone();
            self.status = Status::InTransaction;
        }
        self.settings = settings;
        Ok(has_begun.then(|| {
            let message = "there is already a transaction in progress";
            Failure::warning(code::WARNING_ACTIVE_TRANSACTION, message)
        }))
    }

    /// Commits, or rolls back what has failed; says so when there is nothing to end.
    pub(super) fn commit(&mut self) -> (End, Option<Failure>) {
        match self.status {
            Status::Idle => (End::Committed, Some(no_transaction())),
            Status::Failed => self.rollback(),
            Status::InTransaction => {
                self.end(self.kept.clone());
                (End::Committed, None)
            }
        }
    }

    /// Rolls back; says so when there is nothing to end.
    pub(super) fn rollback(&mut self) -> (End, Option<Failure>) {
        if self.status == Status::Idle {
            return (End::RolledBack, Some(no_transaction()));
        }
        self.end(self.at_begin.clone());
        (End::RolledBack, None)
    }

    fn end(&mut self, settings: Settings) {
        *self = Self::new(settings);
    }

    pub(super) fn savepoint(&mut self, name: &str) -> Result<(), Failure> {
        self.need("SAVEPOINT")?;
        let (settings, kept) = (self.settings.clone(), self.kept.clone());
        self.savepoints.push(Savepoint { name: name.to_owned(), settings, kept });
        Ok(())
    }

    pub(super) fn release(&mut self, name: &str) -> Result<(), Failure> {
        self.need("RELEASE SAVEPOINT")?;
        let place = self.find(name)?;
        self.savepoints.truncate(place);
        Ok(())
    }

    /// Goes back to a savepoint, also after an error.
    pub(super) fn rollback_to(&mut self, name: &str) -> Result<(), Failure> {
        self.need("ROLLBACK TO SAVEPOINT")?;
        let place = self.find(name)?;
        self.savepoints.truncate(place + 1);
        if let Some(savepoint) = self.savepoints.last() {
            self.settings = savepoint.settings.clone();
            self.kept = savepoint.kept.clone();
        }
        self.status = Status::InTransaction;
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, Failure> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            Failure::error(code::NO_SUCH_SAVEPOINT, format!("savepoint \"{name}\" does not exist"))
        })
    }

    fn need(&self, what: &str) -> Result<(), Failure> {
        if self.status == Status::Idle {
            let message = format!("{what} can only be used in transaction blocks");
            return Err(Failure::error(code::NO_TRANSACTION, message));
        }
        Ok(())
    }

    /// Changes settings, all of them or none; says so when that has no effect.
    pub(super) fn set(
        &mut self,
        changes: &[(String, Option<String>)],
        lasting: Lasting,
    ) -> Result<Option<Failure>, Failure> {
        let change = |settings: &Settings| {
            let mut settings = settings.clone();
            for (name, value) in changes {
                settings.set(name, value.as_deref())?;
            }
            Ok(settings)
        };
        match (lasting, self.status) {
            (Lasting::Transaction, Status::Idle) => {
                change(&self.settings)?;
                let message = "SET LOCAL can only be used in transaction blocks";
                Ok(Some(Failure::warning(code::NO_TRANSACTION, message)))
            }
            (Lasting::Transaction, _) => {
                self.settings = change(&self.settings)?;
                Ok(None)
            }
            (Lasting::Session, _) => {
                (self.settings, self.kept) = (change(&self.settings)?, change(&self.kept)?);
                Ok(None)
            }
        }
    }

    pub(super) fn reset_all(&mut self) -> Result<(), Failure> {
        self.settings.reset_all()?;
        self.kept.reset_all()
    }
}

fn no_transaction() -> Failure {
    Failure::warning(code::NO_TRANSACTION, "there is no transaction in progress")
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn transaction() -> Transaction {
        Transaction::new(Settings::new("anna", Tz::Asia__Shanghai))
    }

    fn set(transaction: &mut Transaction, zone: &str, lasting: Lasting) -> Option<Failure> {
        let change = ("timezone".to_owned(), Some(zone.to_owned()));
        transaction.set(&[change], lasting).unwrap()
    }

    #[track_caller]
    fn check_zone(transaction: &Transaction, zone: Tz) {
        assert_eq!(transaction.settings().zone(), zone);
    }

    #[test]
    fn a_rollback_takes_settings_back_and_a_commit_keeps_those_of_the_session() {
        let mut transaction = transaction();
        transaction.begin(&[]).unwrap();
        set(&mut transaction, "UTC", Lasting::Session);
        check_zone(&transaction, Tz::UTC);
        transaction.rollback();
        check_zone(&transaction, Tz::Asia__Shanghai);
        transaction.begin(&[]).unwrap();
        set(&mut transaction, "UTC", Lasting::Session);
        set(&mut transaction, "Asia/Tokyo", Lasting::Transaction);
        check_zone(&transaction, Tz::Asia__Tokyo);
        assert_eq!(transaction.commit(), (End::Committed, None));
        check_zone(&transaction, Tz::UTC);
        assert!(set(&mut transaction, "Asia/Tokyo", Lasting::Transaction).is_some());
        check_zone(&transaction, Tz::UTC);
    }

    #[test]
    fn after_an_error_only_the_end_is_allowed_and_a_savepoint_leads_back() {
        let mut transaction = transaction();
        transaction.fail();
        assert_eq!(transaction.status(), Status::Idle);
        assert_eq!(transaction.savepoint("a").unwrap_err().code, code::NO_TRANSACTION);
        transaction.begin(&[]).unwrap();
        transaction.savepoint("a").unwrap();
        set(&mut transaction, "UTC", Lasting::Session);
        transaction.fail();
        assert_eq!(transaction.status(), Status::Failed);
        assert_eq!(transaction.check(&Command::Empty).unwrap_err().code, code::FAILED_TRANSACTION);
        assert!(transaction.check(&Command::Rollback).is_ok());
        assert_eq!(transaction.rollback_to("b").unwrap_err().code, code::NO_SUCH_SAVEPOINT);
        transaction.rollback_to("a").unwrap();
        assert_eq!(transaction.status(), Status::InTransaction);
        check_zone(&transaction, Tz::Asia__Shanghai);
        transaction.release("a").unwrap();
        transaction.fail();
        assert_eq!(transaction.commit().0, End::RolledBack);
        assert_eq!(transaction.status(), Status::Idle);
    }

    #[test]
    fn an_isolation_level_lasts_as_long_as_its_transaction() {
        let mut transaction = transaction();
        let level = ("transaction_isolation".to_owned(), "serializable".to_owned());
        assert_eq!(transaction.begin(&[level]), Ok(None));
        assert!(transaction.settings().is_repeatable());
        assert!(transaction.begin(&[]).unwrap().is_some());
        transaction.commit();
        assert!(!transaction.settings().is_repeatable());
        let write = ("transaction_read_only".to_owned(), "off".to_owned());
        assert_eq!(transaction.begin(&[write]).unwrap_err().code, code::READ_ONLY);
        assert_eq!(transaction.status(), Status::Idle);
    }
}
