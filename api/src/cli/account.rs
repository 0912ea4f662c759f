//! `lawpulse account`: who may come in.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::{print_batch, say};
use crate::accounts::book::{Account, Book, Token, check_name, check_scope};
use crate::accounts::secret::{KeptPassword, NewToken};
use crate::caller::Role;
use crate::clock::Clock;
use crate::output::Format;

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account; its password is asked for, and may be empty when only tokens are to be used.
    Add(AddArgs),
    /// Change the password.
    Password(PasswordArgs),
    /// Make a token for a program, and print it: it is shown this once.
    Token(TokenArgs),
    /// Take away a token, or the account with all of them.
    Revoke(RevokeArgs),
    /// List the accounts and their tokens.
    List(ListArgs),
}

#[derive(Debug, Args)]
struct FileArg {
    /// The accounts file, as the config file of the server names it.
    #[arg(long, default_value = "accounts.toml", value_name = "FILE")]
    accounts: PathBuf,
}

#[derive(Debug, Args)]
struct SecretArg {
    /// Read the password from standard input (its first line) instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The name, which nobody else has.
    name: String,
    /// What it is for: ingest, viewer, analyst, auditor or admin.
    #[arg(long)]
    role: Role,
    /// What it sees: a unit's id, towns, departments, teams or area:NAME; everything when left out.
    #[arg(long)]
    scope: Option<String>,
    /// The first local day on which it is no longer valid.
    #[arg(long, value_name = "DATE")]
    expires: Option<NaiveDate>,
    #[command(flatten)]
    secret: SecretArg,
    #[command(flatten)]
    file: FileArg,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// The account.
    name: String,
    #[command(flatten)]
    secret: SecretArg,
    #[command(flatten)]
    file: FileArg,
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The account.
    name: String,
    /// The first local day on which it is no longer valid.
    #[arg(long, value_name = "DATE")]
    expires: Option<NaiveDate>,
    #[command(flatten)]
    file: FileArg,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// The account.
    name: String,
    /// Only this token, by its id: the part of it between `lp_` and the next `_`.
    #[arg(long, value_name = "ID")]
    token: Option<String>,
    #[command(flatten)]
    file: FileArg,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    file: FileArg,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(command: AccountCommand) -> anyhow::Result<()> {
    match command {
        AccountCommand::Add(args) => add(args),
        AccountCommand::Password(args) => change_password(&args),
        AccountCommand::Token(args) => make_token(&args),
        AccountCommand::Revoke(args) => revoke(&args),
        AccountCommand::List(args) => list(&args),
    }
}

fn add(args: AddArgs) -> anyhow::Result<()> {
    // What is wrong with the rest is told before a password is typed.
    check_name(&args.name)?;
    args.scope.as_deref().map(check_scope).transpose()?;
    let AddArgs { name, role, scope, expires, secret, file } = args;
    let (password, scram) = match read_password(&name, &secret)? {
        Some(kept) => (Some(kept.hash), Some(kept.scram)),
        None => (None, None),
    };
    let has_password = password.is_some();
    let account =
        Account { name: name.clone(), role, scope, expires, password, scram, tokens: Vec::new() };
    Book::edit(&file.accounts, |book| book.add(account))?;
    say(&format!("added {name} ({role})"))?;
    if !has_password {
        say(&format!("it has no password; `lawpulse account token {name}` makes it a token"))?;
    }
    Ok(())
}

fn change_password(args: &PasswordArgs) -> anyhow::Result<()> {
    let kept = read_password(&args.name, &args.secret)?.context("the password is empty")?;
    Book::edit(&args.file.accounts, |book| {
        book.change(&args.name, |account| {
            account.password = Some(kept.hash);
            account.scram = Some(kept.scram);
            Ok(())
        })
    })?;
    Ok(say(&format!("changed the password of {}", args.name))?)
}

fn make_token(args: &TokenArgs) -> anyhow::Result<()> {
    let made = NewToken::make()?;
    let token = Token {
        id: made.id,
        hash: made.hash,
        created: Some(Clock::Machine.today(pipeline::zone::DEFAULT_ZONE)),
        expires: args.expires,
    };
    Book::edit(&args.file.accounts, |book| {
        book.change(&args.name, |account| {
            account.tokens.push(token);
            Ok(())
        })
    })?;
    // Alone on its line, so that a script can take it.
    Ok(say(&made.text)?)
}

fn revoke(args: &RevokeArgs) -> anyhow::Result<()> {
    let name = &args.name;
    let Some(id) = &args.token else {
        Book::edit(&args.file.accounts, |book| book.remove(name))?;
        return Ok(say(&format!("removed {name} with its tokens"))?);
    };
    Book::edit(&args.file.accounts, |book| {
        book.change(name, |account| {
            let place = account.tokens.iter().position(|token| token.id == *id);
            let place = place.with_context(|| format!("{name} has no token `{id}`"))?;
            account.tokens.remove(place);
            Ok(())
        })
    })?;
    Ok(say(&format!("removed the token {id} of {name}"))?)
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let book = Book::read(&args.file.accounts)?;
    let accounts: Vec<&Account> = book.accounts().collect();
    let column = |name: &'static str, value: &dyn Fn(&Account) -> Option<String>| {
        let values = accounts.iter().map(|account| value(account));
        (name, Arc::new(values.collect::<StringArray>()) as ArrayRef, true)
    };
    let token = |token: &Token| match token.expires {
        Some(day) => format!("{} (until {day})", token.id),
        None => token.id.clone(),
    };
    let batch = RecordBatch::try_from_iter_with_nullable([
        column("name", &|account| Some(account.name.clone())),
        column("role", &|account| Some(account.role.to_string())),
        column("scope", &|account| account.scope.clone()),
        column("expires", &|account| account.expires.map(|day| day.to_string())),
        column("password", &|account| {
            Some(if account.password.is_some() { "yes" } else { "no" }.to_owned())
        }),
        column("tokens", &|account| {
            Some(account.tokens.iter().map(token).collect::<Vec<_>>().join(", "))
        }),
    ])?;
    print_batch(batch, args.format)
}

/// A new password, hashed; `None` when it is left empty.
fn read_password(name: &str, secret: &SecretArg) -> anyhow::Result<Option<KeptPassword>> {
    let password = if secret.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("failed to read the password")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        ask_for_password(name)?
    };
    if password.is_empty() { Ok(None) } else { KeptPassword::of(&password).map(Some) }
}

fn ask_for_password(name: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        io::stdin().is_terminal() && io::stderr().is_terminal(),
        "there is no terminal to ask for the password; give it with --password-stdin"
    );
    let terminal = console::Term::stderr();
    let ask = |prompt: &str| -> io::Result<String> {
        terminal.write_str(prompt)?;
        terminal.read_secure_line()
    };
    let password = ask(&format!("password for {name} (empty: tokens only): "))?;
    if !password.is_empty() {
        anyhow::ensure!(ask("once more: ")? == password, "the two passwords differ");
    }
    Ok(password)
}
