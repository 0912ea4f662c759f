//! The accounts file: who may come in, as it is written down.
//!
//! Only `lawpulse account` writes it, one process at a time, and never half: a reader finds the old file or the new.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::NaiveDate;
use serde::{Deserialize, Deserializer};

use super::scram::ScramVerifier;
use super::secret::{SecretHash, is_token_id};
use crate::caller::{Caller, Role};

const HEADER: &str =
    "# Accounts of lawpulse. `lawpulse account` writes this file; a running server follows it.\n";

/// The longest name and the longest scope, in characters.
const NAME_CHARS_MAX: usize = 64;
const SCOPE_CHARS_MAX: usize = 128;

/// Names by which callers without an account are known.
const RESERVED: [&str; 2] = ["anonymous", "owner"];

/// An account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name, which nobody else has.
    pub name: String,
    /// What the account is for.
    pub role: Role,
    /// The scope whose rows and numbers it sees; `None` for the whole lake.
    pub scope: Option<String>,
    /// The local day from which it is no longer valid.
    #[serde(default, deserialize_with = "day")]
    pub expires: Option<NaiveDate>,
    /// For HTTP Basic.
    pub password: Option<SecretHash>,
    /// For PostgreSQL.
    pub scram: Option<ScramVerifier>,
    /// For programs.
    #[serde(default, rename = "token")]
    pub tokens: Vec<Token>,
}

/// What a program logs in with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Tells tokens apart.
    pub id: String,
    /// Of its secret.
    pub hash: SecretHash,
    /// The local day on which it was made.
    #[serde(default, deserialize_with = "day")]
    pub created: Option<NaiveDate>,
    /// The local day from which it is no longer valid.
    #[serde(default, deserialize_with = "day")]
    pub expires: Option<NaiveDate>,
}

impl Token {
    fn described(&self) -> String {
        format!("token {}, expires {}", self.id, shown(self.expires, "never"))
    }
}

fn shown(value: Option<impl Display>, without: &str) -> String {
    value.map_or_else(|| without.to_owned(), |value| value.to_string())
}

/// A day without time or offset, as TOML writes it.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let written = toml::value::Datetime::deserialize(deserializer)?;
    let date = written.date.filter(|_| written.time.is_none());
    date.and_then(|date| {
        NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
    })
    .map(Some)
    .ok_or_else(|| serde::de::Error::custom("write a day without quotes, such as 2027-01-01"))
}

impl Account {
    /// Whether the account is valid on a day.
    pub fn is_valid_on(&self, today: NaiveDate) -> bool {
        is_valid_on(self.expires, today)
    }

    fn described(&self) -> Vec<String> {
        let password = if self.password.is_some() { "with a password" } else { "without password" };
        let mut lines = vec![format!(
            "{} of {}, {password}, expires {}",
            self.role,
            shown(self.scope.as_ref(), "the whole lake"),
            shown(self.expires, "never")
        )];
        lines.extend(self.tokens.iter().map(Token::described));
        lines
    }

    fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, now: String, earlier: String| {
            if now != earlier {
                changes.push(format!("{what} {now}, was {earlier}"));
            }
        };
        compare("role", self.role.to_string(), before.role.to_string());
        let scope = |account: &Self| shown(account.scope.as_ref(), "the whole lake");
        compare("scope", scope(self), scope(before));
        compare("expires", shown(self.expires, "never"), shown(before.expires, "never"));
        if (&self.password, &self.scram) != (&before.password, &before.scram) {
            let is_gone = self.password.is_none();
            changes.push(if is_gone { "password removed" } else { "password changed" }.to_owned());
        }
        let is_gone = |token: &&Token| !self.tokens.contains(token);
        let is_new = |token: &&Token| !before.tokens.contains(token);
        let gone = before.tokens.iter().filter(is_gone);
        changes.extend(gone.map(|token| format!("token {} removed", token.id)));
        changes.extend(self.tokens.iter().filter(is_new).map(Token::described));
        changes
    }

    /// The caller that this account stands for.
    pub fn caller(&self) -> Caller {
        Caller {
            name: self.name.clone(),
            role: self.role,
            scope: self.scope.clone(),
            is_anonymous: false,
        }
    }
}

/// Whether something that expires, perhaps, is valid on a day.
pub(super) fn is_valid_on(expires: Option<NaiveDate>, today: NaiveDate) -> bool {
    expires.is_none_or(|expires| today < expires)
}

/// Whether an account can have this name.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    // Without a colon, which ends the name in HTTP Basic, and without what is hard to see in a log.
    let is_plain = |letter: char| letter.is_alphanumeric() || ".-_@".contains(letter);
    anyhow::ensure!(
        (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(is_plain),
        "`{}` cannot be a name; use up to {NAME_CHARS_MAX} letters, digits and . - _ @",
        name.escape_debug()
    );
    anyhow::ensure!(!RESERVED.contains(&name), "the name `{name}` has a meaning of its own");
    Ok(())
}

/// Whether a caller can be restricted to this scope.
pub fn check_scope(scope: &str) -> anyhow::Result<()> {
    let is_plain = |letter: char| !letter.is_control() && !"\"'\\,*/".contains(letter);
    anyhow::ensure!(
        (1..=SCOPE_CHARS_MAX).contains(&scope.chars().count())
            && scope.trim() == scope
            && scope.chars().all(is_plain),
        "`{}` is no scope; write a unit's id, towns, departments, teams or area:NAME",
        scope.escape_debug()
    );
    Ok(())
}

/// Every account, by name.
#[derive(Debug, Clone, Default)]
pub struct Book {
    accounts: BTreeMap<String, Account>,
    /// The account's name and the token's place, by the token's id.
    tokens: HashMap<String, (String, usize)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    account: Vec<Account>,
}

impl Book {
    /// Reads the file. Refuses one that others than its owner can read or write.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let cannot =
            || format!("cannot read the accounts file `{shown}`; `lawpulse account add` makes one");
        let mut file = File::open(path).with_context(cannot)?;
        let mode = file.metadata().with_context(cannot)?.mode() & 0o777;
        anyhow::ensure!(
            mode & 0o077 == 0,
            "others can read the accounts file `{shown}` (mode {mode:04o}); run `chmod 600 {shown}`"
        );
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(cannot)?;
        Self::parse(&text).with_context(|| format!("in the accounts file `{shown}`"))
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let written: Written =
            toml::from_str(text).map_err(|error| anyhow::anyhow!(without_source(&error, text)))?;
        let mut book = Self::default();
        for account in written.account {
            book.add(account)?;
        }
        Ok(book)
    }

    /// Adds an account.
    pub fn add(&mut self, account: Account) -> anyhow::Result<()> {
        let name = &account.name;
        check_name(name)?;
        anyhow::ensure!(!self.accounts.contains_key(name), "the account `{name}` is there already");
        if let Some(scope) = &account.scope {
            check_scope(scope).with_context(|| format!("account `{name}`"))?;
        }
        anyhow::ensure!(
            account.password.is_some() || account.scram.is_none(),
            "account `{name}` has `scram` without `password`; `lawpulse account password {name}` makes both"
        );
        for token in &account.tokens {
            anyhow::ensure!(
                is_token_id(&token.id),
                "account `{name}`: the id of a token is letters and digits"
            );
        }
        let is_known = |token: &Token| self.tokens.contains_key(&token.id);
        anyhow::ensure!(
            !account.tokens.iter().any(is_known),
            "account `{name}` has a token whose id another account's token has too"
        );
        self.accounts.insert(name.clone(), account);
        self.number_tokens()
    }

    /// Changes an account. Its name stays.
    pub fn change<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Account) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let known = || self.accounts.keys().cloned().collect::<Vec<_>>().join(", ");
        let missing = format!("there is no account `{name}`; there are: {}", known());
        let outcome = change(self.accounts.get_mut(name).context(missing)?)?;
        self.number_tokens()?;
        Ok(outcome)
    }

    /// Removes an account with its tokens.
    pub fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        self.change(name, |_| Ok(()))?;
        self.accounts.remove(name);
        self.number_tokens()
    }

    fn number_tokens(&mut self) -> anyhow::Result<()> {
        self.tokens.clear();
        for account in self.accounts.values() {
            for (place, token) in account.tokens.iter().enumerate() {
                let owner = (account.name.clone(), place);
                let earlier = self.tokens.insert(token.id.clone(), owner);
                anyhow::ensure!(earlier.is_none(), "two tokens have the id `{}`", token.id);
            }
        }
        Ok(())
    }

    /// An account.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// A token and its account.
    pub fn token(&self, id: &str) -> Option<(&Account, &Token)> {
        let (name, place) = self.tokens.get(id)?;
        let account = self.accounts.get(name)?;
        Some((account, account.tokens.get(*place)?))
    }

    /// All accounts, by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// What is different from an earlier book, each change a line that begins with the account's name. No line holds a
    /// secret or its hash.
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let removed = earlier.accounts.keys().filter(|name| !self.accounts.contains_key(*name));
        let mut changes: Vec<String> = removed.map(|name| format!("{name}: removed")).collect();
        for (name, account) in &self.accounts {
            let of_account = match earlier.accounts.get(name) {
                Some(before) => account.changes_since(before),
                None => account.described(),
            };
            changes.extend(of_account.into_iter().map(|change| format!("{name}: {change}")));
        }
        changes
    }

    /// Changes the file: nobody else changes it meanwhile, and whoever reads it finds all of the change or nothing.
    pub fn edit<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        // A link to the file stays one.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let _lock = lock(&path)?;
        let mut book = if path.exists() { Self::read(&path)? } else { Self::default() };
        let outcome = change(&mut book)?;
        replace(&path, &book.text())
            .with_context(|| format!("failed to write the accounts file `{}`", path.display()))?;
        Ok(outcome)
    }

    fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for account in self.accounts.values() {
            text.push_str("\n[[account]]\n");
            line(&mut text, "name", Some(quoted(&account.name)));
            line(&mut text, "role", Some(quoted(account.role.name())));
            line(&mut text, "scope", account.scope.as_deref().map(quoted));
            line(&mut text, "expires", account.expires);
            line(&mut text, "password", account.password.as_ref().map(|hash| quoted(hash.text())));
            line(
                &mut text,
                "scram",
                account.scram.as_ref().map(|scram| quoted(&scram.to_string())),
            );
            for token in &account.tokens {
                text.push_str("\n[[account.token]]\n");
                line(&mut text, "id", Some(quoted(&token.id)));
                line(&mut text, "hash", Some(quoted(token.hash.text())));
                line(&mut text, "created", token.created);
                line(&mut text, "expires", token.expires);
            }
        }
        text
    }
}

fn line(text: &mut String, key: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        text.push_str(&format!("{key} = {value}\n"));
    }
}

/// A text that holds no quote, backslash or control character (names, scopes, hashes: checked), for TOML.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// What is wrong and where, without the line itself: it may hold a secret.
fn without_source(error: &toml::de::Error, text: &str) -> String {
    let place = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("line {line}, column {column}: ")
    });
    format!("{}{}", place.unwrap_or_default(), error.message())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Waits until nobody else changes the file. Released when dropped, or when the process ends.
fn lock(path: &Path) -> anyhow::Result<File> {
    let path = beside(path, ".lock");
    let open = || -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        lock.lock()?;
        Ok(lock)
    };
    open().with_context(|| format!("failed to lock `{}`", path.display()))
}

/// Puts a text in the place of a file, readable for its owner only.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let new = beside(path, &format!(".{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The new name is only sure to survive a power cut once the folder is on disk too.
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        // Best effort: the error that is told is the first one.
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::secret::{KeptPassword, NewToken};
    use super::*;

    fn account(name: &str) -> Account {
        let token = NewToken::make().unwrap();
        let kept = KeptPassword::of("correct horse battery").unwrap();
        Account {
            name: name.to_owned(),
            role: Role::Analyst,
            scope: Some("area:北区".to_owned()),
            expires: NaiveDate::from_ymd_opt(2027, 1, 1),
            password: Some(kept.hash),
            scram: Some(kept.scram),
            tokens: vec![Token {
                id: token.id,
                hash: token.hash,
                created: NaiveDate::from_ymd_opt(2025, 5, 1),
                expires: None,
            }],
        }
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = format!("{:#}", Book::parse(text).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        Book::edit(&path, |book| book.add(account("李.wei"))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let book = Book::read(&path).unwrap();
        let kept = book.account("李.wei").unwrap();
        assert_eq!(kept.scope.as_deref(), Some("area:北区"));
        assert_eq!(kept.expires, NaiveDate::from_ymd_opt(2027, 1, 1));
        assert_eq!(book.token(&kept.tokens[0].id).unwrap().0.name, "李.wei");
        assert_eq!(book.text(), fs::read_to_string(&path).unwrap());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        Book::edit(&path, |book| book.add(account("li"))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Book::read(&path).unwrap_err().to_string();
        assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn edits_at_the_same_time_all_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let name = format!("worker-{worker}");
                    let bare = Account {
                        password: None,
                        scram: None,
                        tokens: Vec::new(),
                        ..account(&name)
                    };
                    Book::edit(path, |book| book.add(bare)).unwrap();
                });
            }
        });
        assert_eq!(Book::read(&path).unwrap().accounts().count(), 8);
    }

    #[test]
    fn a_change_that_fails_leaves_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        Book::edit(&path, |book| book.add(account("li"))).unwrap();
        let before = fs::read(&path).unwrap();
        assert!(Book::edit(&path, |book| book.add(account("li"))).is_err());
        let missing = Book::edit(&path, |book| book.remove("wang")).unwrap_err().to_string();
        assert!(missing.contains("there are: li"), "{missing}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_changes_is_told_line_by_line_and_without_secrets() {
        let (mut before, mut now) = (Book::default(), Book::default());
        let (stays, changes, goes) = (account("li"), account("wang"), account("zhao"));
        for known in [&stays, &changes, &goes] {
            before.add(known.clone()).unwrap();
        }
        let other = account("wang");
        let other = Account { role: Role::Admin, scope: None, expires: None, ..other };
        let comes = Account { password: None, scram: None, tokens: Vec::new(), ..account("xu") };
        for known in [&stays, &other, &comes] {
            now.add(known.clone()).unwrap();
        }
        assert_eq!(before.changes_since(&before), [""; 0]);
        let (old, new) = (&changes.tokens[0].id, &other.tokens[0].id);
        assert_eq!(
            now.changes_since(&before),
            [
                "zhao: removed",
                "wang: role admin, was analyst",
                "wang: scope the whole lake, was area:北区",
                "wang: expires never, was 2027-01-01",
                "wang: password changed",
                &format!("wang: token {old} removed"),
                &format!("wang: token {new}, expires never"),
                "xu: analyst of area:北区, without password, expires 2027-01-01",
            ]
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_without_secrets() {
        check_refused("[[account]]\nname = \"li\"\nrole = \"root\"", "line 3, column 8");
        check_refused("[[account]]\nname = \"li\"\nrole = \"root\"", "`auditor`");
        check_refused(
            "[[account]]\nname = \"li\"\nrole = \"viewer\"\nshell = 1",
            "unknown field `shell`",
        );
        check_refused("[[account]]\nname = \"l:i\"\nrole = \"viewer\"", "cannot be a name");
        check_refused("[[account]]\nname = \"owner\"\nrole = \"viewer\"", "meaning of its own");
        check_refused(
            "[[account]]\nname = \"li\"\nrole = \"viewer\"\nscope = \"towns/*\"",
            "no scope",
        );
        check_refused(
            "[[account]]\nname = \"li\"\nrole = \"viewer\"\nexpires = 2027-01-01T00:00:00Z",
            "such as 2027-01-01",
        );
        let twice = "[[account]]\nname = \"li\"\nrole = \"viewer\"\n".repeat(2);
        check_refused(&twice, "there already");
        let clear = "[[account]]\nname = \"li\"\nrole = \"viewer\"\npassword = \"hunter2hunter2\"";
        check_refused(clear, "line 4");
        let error = format!("{:#}", Book::parse(clear).unwrap_err());
        assert!(!error.contains("hunter2"), "{error}");
    }
}
