//! What can go wrong, split by what the caller does next.

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

/// The system's number for a device that fails to read or write.
const EIO: i32 = 5;

/// A failed operation of the pipeline. Bad input lines are not errors: they become rejects.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lake cannot be read or written; trying again later may help.
    #[error("cannot {action} table `{table}`")]
    Table {
        /// What was being done, as a verb.
        action: &'static str,
        /// The table's name.
        table: String,
        /// The cause.
        source: Box<DeltaTableError>,
    },
    /// A query failed.
    #[error("{what} failed: {problem}")]
    Query {
        /// The model, metric or query.
        what: String,
        /// The root cause in the engine's words, with the position where it knows it.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An object store cannot be read or written; trying again later may help.
    #[error("cannot {action} `{location}`")]
    Store {
        /// What was being done, as a verb.
        action: &'static str,
        /// The bucket with its prefix, or what is in it.
        location: String,
        /// The cause.
        source: Box<object_store::Error>,
    },
    /// A definition (mapping, model, metric, reference file) has to be changed by a person.
    #[error("{file}: {problem}; {remedy}")]
    Definition {
        /// The file, with a line where one is known.
        file: String,
        /// What is wrong, naming the key or column.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The request names something that does not exist or asks for what cannot be.
    #[error("{0}")]
    Request(String),
    /// Another process writes to this lake.
    #[error("another lawpulse process is writing to {0}; stop it or wait until it has finished")]
    Locked(String),
    /// Another process has taken over writing to this table; nothing was committed.
    #[error("another lawpulse process has taken over writing to `{0}`; this one may only read it")]
    Fenced(String),
    /// A defect: an internal contract does not hold.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Whether what failed may succeed later: what the system refuses may be granted, unless the disk has lost it. What is wrong with the
/// bytes themselves stays.
pub fn may_pass(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| code != EIO)
}

impl Error {
    /// Whether it is this file that cannot be read, rather than the lake or the machine.
    pub fn is_about(&self, file: &Path) -> bool {
        match self {
            Self::Io { action: "open" | "read", path, source } => path == file && !may_pass(source),
            Self::Definition { file: named, .. } => {
                let rest = named.strip_prefix(&file.display().to_string());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
            _ => false,
        }
    }

    pub(crate) fn table(
        action: &'static str,
        table: impl Into<String>,
    ) -> impl FnOnce(DeltaTableError) -> Self {
        let table = table.into();
        move |source| Self::Table { action, table, source: Box::new(source) }
    }

    pub(crate) fn query(what: impl Into<String>) -> impl FnOnce(DataFusionError) -> Self {
        let what = what.into();
        move |source| Self::Query { what, problem: problem_of(&source) }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn definition(
        file: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Definition { file: file.into(), problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

/// The root of an error in the engine's words, with what to do when a data file is damaged.
pub fn problem_of(error: &DataFusionError) -> String {
    let mut problem = error.find_root().strip_backtrace();
    if is_damage(error) {
        problem.push_str(
            "; a data file is damaged: restore it from a backup, its content never changes",
        );
    }
    problem
}

/// Whether a data file is not what was written.
fn is_damage(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ArrowError(error, _) => {
            matches!(error.as_ref(), ArrowError::ParquetError(_))
        }
        _ => false,
    }
}

/// The result of an operation of the pipeline.
pub type Result<T, E = Error> = std::result::Result<T, E>;
