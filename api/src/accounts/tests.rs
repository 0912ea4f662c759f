//! Accounts as the doors ask for them, under a clock that tests set.

use std::fs;

use super::book::{Account, Token};
use super::secret::{KeptPassword, NewToken};
use super::*;
use crate::caller::Role;

const PASSWORD: &str = "correct horse battery";
const ZONE: Tz = pipeline::zone::DEFAULT_ZONE;

/// Accounts in a folder of their own.
struct Kept {
    accounts: Accounts,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An analyst with a password and a token.
fn li() -> (Account, String) {
    let kept = KeptPassword::of(PASSWORD).unwrap();
    let token = NewToken::make().unwrap();
    let account = Account {
        name: "li".to_owned(),
        role: Role::Analyst,
        scope: Some("town-1".to_owned()),
        expires: Some(day("2025-07-01")),
        password: Some(kept.hash),
        scram: Some(kept.scram),
        tokens: vec![Token {
            id: token.id,
            hash: token.hash,
            created: None,
            expires: Some(day("2025-06-02")),
        }],
    };
    (account, token.text)
}

/// Opens accounts at local noon of 1 June 2025.
fn kept(account: Account) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    Book::edit(&path, |book| book.add(account)).unwrap();
    let noon = "2025-06-01T04:00:00Z".parse().unwrap();
    let watch = Watch::Held(Mutex::new((Instant::now(), noon)));
    let accounts = Accounts::open_at(&path, None, ZONE, watch).unwrap();
    Kept { accounts, path, _folder: folder }
}

impl Kept {
    fn wait(&self, time: Duration) {
        let Watch::Held(held) = &self.accounts.0.watch else { panic!("the clock runs") };
        let mut held = held.lock().unwrap();
        held.0 += time;
        held.1 += time;
    }

    async fn password(&self, password: &str) -> Result<Caller, Denied> {
        self.accounts.caller_of_password("li", password, peer()).await
    }

    fn remembered(&self) -> usize {
        self.accounts.state().verified.lock().unwrap().len()
    }
}

fn peer() -> Option<IpAddr> {
    Some(IpAddr::from([10, 0, 0, 1]))
}

#[tokio::test]
async fn who_knows_the_password_or_has_the_token_comes_in_with_role_and_scope() {
    let (account, token) = li();
    let expected = account.caller();
    let kept = kept(account);
    assert_eq!(kept.password(PASSWORD).await, Ok(expected.clone()));
    assert_eq!(kept.accounts.caller_of_token(&token, peer()).await, Ok(expected.clone()));
    assert_eq!(kept.accounts.caller("li"), Some(expected));
    assert_eq!(kept.accounts.caller("wang"), None);
}

#[tokio::test]
async fn whatever_is_wrong_it_is_denied_in_the_same_words() {
    let (account, token) = li();
    let kept = kept(account);
    let accounts = &kept.accounts;
    assert_eq!(kept.password("correct horse").await, Err(Denied::Wrong));
    assert_eq!(accounts.caller_of_password("wang", PASSWORD, None).await, Err(Denied::Wrong));
    assert_eq!(accounts.caller_of_password("", "", None).await, Err(Denied::Wrong));
    let long = "x".repeat(100_000);
    assert_eq!(accounts.caller_of_password("li", &long, None).await, Err(Denied::Wrong));
    let forged = format!("{}x", &token[..token.len() - 1]);
    for token in [forged.as_str(), "lp_", "lp_00_", "eyJhbGciOiJub25lIn0.e30.", ""] {
        assert_eq!(accounts.caller_of_token(token, None).await, Err(Denied::Wrong), "{token}");
    }
}

#[tokio::test]
async fn what_expires_is_refused_from_its_day_on_also_when_it_is_remembered() {
    let (account, token) = li();
    let kept = kept(account);
    assert!(kept.accounts.caller_of_token(&token, peer()).await.is_ok());
    assert!(kept.password(PASSWORD).await.is_ok());
    // Remembered anew a minute before midnight, where the token ends.
    kept.wait(Duration::from_secs(12 * 3600 - 60));
    assert!(kept.accounts.caller_of_token(&token, peer()).await.is_ok());
    kept.wait(Duration::from_secs(60));
    assert_eq!(kept.accounts.caller_of_token(&token, peer()).await, Err(Denied::Wrong));
    assert!(kept.password(PASSWORD).await.is_ok());
    kept.wait(Duration::from_secs(29 * 24 * 3600));
    assert_eq!(kept.password(PASSWORD).await, Err(Denied::Wrong));
    assert_eq!(kept.accounts.caller("li"), None);
}

#[tokio::test]
async fn a_verified_secret_is_remembered_for_minutes_and_forgotten_when_the_file_changes() {
    let kept = kept(li().0);
    assert!(kept.password(PASSWORD).await.is_ok());
    assert_eq!(kept.remembered(), 1);
    kept.wait(REMEMBERED_FOR - Duration::from_secs(1));
    let digest = Shown::Password { name: "li", password: PASSWORD }.digest(&kept.accounts.0.key);
    assert!(kept.accounts.remembered(digest).is_some());
    kept.wait(Duration::from_secs(1));
    assert!(kept.accounts.remembered(digest).is_none());

    assert!(kept.password(PASSWORD).await.is_ok());
    Book::edit(&kept.path, |book| book.remove("li")).unwrap();
    kept.accounts.reload_if_changed();
    assert_eq!(kept.remembered(), 0);
    assert_eq!(kept.password(PASSWORD).await, Err(Denied::Wrong));
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_accounts_in_force() {
    let kept = kept(li().0);
    let good = fs::read(&kept.path).unwrap();
    fs::write(&kept.path, "[[account]]\nname = 1").unwrap();
    kept.accounts.reload_if_changed();
    assert!(kept.password(PASSWORD).await.is_ok());
    fs::remove_file(&kept.path).unwrap();
    kept.accounts.reload_if_changed();
    assert!(kept.password(PASSWORD).await.is_ok());
    // Back, and readable for others: still not taken.
    fs::write(&kept.path, "").unwrap();
    kept.accounts.reload_if_changed();
    assert!(kept.accounts.caller("li").is_some());
    fs::remove_file(&kept.path).unwrap();
    fs::write(&kept.path, &good).unwrap();
    assert!(kept.accounts.caller("li").is_some());
}

#[tokio::test]
async fn after_six_failures_the_right_password_waits_too_but_not_where_it_is_remembered() {
    let kept = kept(li().0);
    assert!(kept.password(PASSWORD).await.is_ok());
    for _ in 0..6 {
        assert_eq!(kept.password("a wrong password").await, Err(Denied::Wrong));
    }
    let Err(Denied::Locked { retry_after }) = kept.password("a wrong password").await else {
        panic!("not locked")
    };
    assert!(kept.password(PASSWORD).await.is_ok(), "a working client is not locked out by others");
    let (_, token) = li();
    let locked = kept.accounts.caller_of_token(&token, peer()).await;
    assert_eq!(locked, Err(Denied::Locked { retry_after }), "the address is locked");
    kept.wait(retry_after);
    assert_eq!(kept.password("a wrong password").await, Err(Denied::Wrong));
}

#[tokio::test]
async fn requests_that_come_at_once_are_verified_once() {
    let kept = kept(li().0);
    let asked = (0..200).map(|_| kept.password(PASSWORD));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(kept.remembered(), 1);
    assert!(lock(&kept.accounts.0.lines).values().all(|line| line.strong_count() == 0));
}

#[test]
fn only_a_valid_account_has_a_verifier_for_postgresql() {
    let kept = kept(li().0);
    assert!(kept.accounts.scram_verifier("li").is_some());
    assert!(kept.accounts.scram_verifier("wang").is_none());
    kept.wait(Duration::from_secs(60 * 24 * 3600));
    assert!(kept.accounts.scram_verifier("li").is_none());
}
