//! Who asks, and what a role may do. Pure: what a door must know about a caller, whichever door it is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Delivers logs and sees whether they landed, nothing else.
    Ingest,
    /// Sees metrics, goals, reports and dashboards; with SQL the schema `metrics` only.
    Viewer,
    /// Asks any question in SQL; persons and parties appear under pseudonyms.
    Analyst,
    /// Sees identities, and the audit log.
    Auditor,
    /// May do all of it.
    Admin,
}

/// What somebody may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Push events.
    Push,
    /// Read metrics, goals, reports and scopes.
    ReadMetrics,
    /// Ask in SQL about rows, not only about metrics.
    ReadRows,
    /// See who persons and parties are, and what was refused in its own words.
    SeeIdentities,
    /// Read the audit log.
    ReadAudit,
    /// Have the server do something about what the lake holds, such as trying refused lines again.
    Operate,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Viewer, Self::Analyst, Self::Auditor, Self::Admin];

    /// The name in files, messages and the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Whether the role may do something.
    pub fn may(self, deed: Deed) -> bool {
        match deed {
            Deed::Push => matches!(self, Self::Ingest | Self::Admin),
            Deed::ReadMetrics => self >= Self::Viewer,
            Deed::ReadRows => self >= Self::Analyst,
            Deed::SeeIdentities | Deed::ReadAudit => self >= Self::Auditor,
            Deed::Operate => self == Self::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            format!("there is no role `{name}`; use ingest, viewer, analyst, auditor or admin")
        })
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The account's name.
    pub name: String,
    /// What the account is for.
    pub role: Role,
    /// The scope whose rows and numbers the caller sees; `None` for the whole lake.
    pub scope: Option<String>,
    /// Whether this is everybody on this machine, while no accounts are configured.
    pub is_anonymous: bool,
}

impl Caller {
    /// Whoever is on this machine, while no accounts are configured: reads like an analyst, and may push.
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), role: Role::Analyst, scope: None, is_anonymous: true }
    }

    /// Who runs a command on the lake's own files: nothing is hidden from them.
    pub fn owner() -> Self {
        Self { name: "owner".to_owned(), role: Role::Admin, scope: None, is_anonymous: false }
    }

    /// Whether the caller may do something.
    pub fn may(&self, deed: Deed) -> bool {
        self.role.may(deed) || (self.is_anonymous && matches!(deed, Deed::Push | Deed::Operate))
    }
}

/// The door by which somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The HTTP interface.
    Http,
    /// The PostgreSQL wire.
    Postgres,
    /// Arrow Flight SQL.
    Flight,
    /// A command on the lake's own machine.
    CommandLine,
}

impl Surface {
    /// The name in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Postgres => "postgres",
            Self::Flight => "flight",
            Self::CommandLine => "command line",
        }
    }
}

/// Who asks, and how they came.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who asks.
    pub caller: Caller,
    /// The door.
    pub surface: Surface,
    /// The address, where there is one.
    pub peer: Option<IpAddr>,
    /// What tells the request, or the connection, apart in logs.
    pub request_id: String,
}

impl Visitor {
    /// Who runs a command on the lake's own files.
    pub fn owner() -> Self {
        Self {
            caller: Caller::owner(),
            surface: Surface::CommandLine,
            peer: None,
            request_id: std::process::id().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_what_the_roles_below_it_may_but_only_ingest_and_admin_push() {
        let reads = [Deed::ReadMetrics, Deed::ReadRows, Deed::SeeIdentities, Deed::ReadAudit];
        for deed in reads {
            let may: Vec<bool> = Role::ALL.iter().map(|role| role.may(deed)).collect();
            assert!(may.is_sorted(), "{deed:?}");
            assert!(!Role::Ingest.may(deed));
        }
        let pushing: Vec<Role> =
            Role::ALL.into_iter().filter(|role| role.may(Deed::Push)).collect();
        assert_eq!(pushing, [Role::Ingest, Role::Admin]);
        assert!(!Role::Analyst.may(Deed::SeeIdentities));
    }

    #[test]
    fn a_role_is_read_by_the_name_that_it_is_shown_under() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().contains("auditor"));
    }
}
