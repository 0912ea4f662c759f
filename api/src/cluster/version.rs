//! Which nodes understand each other.

use std::fmt;

use pipeline::definition::Definitions;
use pipeline::travel::functions_fingerprint;

/// How plans and what goes along with them are written; another number is another way.
const PLANS: u32 = 1;

/// What nodes have to have in common: the program, the way of writing plans, and what functions know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// That of this process.
    pub fn of(definitions: &Definitions) -> pipeline::Result<Self> {
        let release = env!("CARGO_PKG_VERSION");
        let engine = datafusion::DATAFUSION_VERSION;
        let functions = functions_fingerprint(definitions)?;
        Ok(Self(format!(
            "lawpulse {release}, plans {PLANS} of DataFusion {engine}, definitions {functions}"
        )))
    }

    /// As nodes tell it each other.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Why a node that tells another version takes no part.
    pub fn differs_from(&self, other: &str) -> Option<String> {
        (other != self.0).then(|| {
            format!("it is of another version ({other}; this node is {self}): run the same program with the same --sql on every node")
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
