//! What is wrong with a statement, where, and what was probably meant.

use datafusion::common::SchemaError;
use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion::error::DataFusionError;
use pipeline::query::Guarded;

/// How like a name must be to one that exists to be taken for a misspelling of it, from 0 to 1.
const LIKENESS_MIN: f64 = 0.6;

/// What is wrong with a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistake {
    /// What it is.
    pub message: String,
    /// Where it is: line and column, counted from 1.
    pub place: Option<(u64, u64)>,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.message)?;
        if let Some((line, column)) = self.place
            && !self.message.contains("Line: ")
        {
            write!(out, " (line {line}, column {column})")?;
        }
        match &self.suggestion {
            Some(name) => write!(out, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl Mistake {
    /// What an error of the engine says is wrong with a statement about a state of the lake.
    pub(super) fn of(error: &DataFusionError, guarded: &Guarded) -> Self {
        let root = error.find_root();
        let told = root.strip_backtrace();
        // The engine suggests functions in its message, which says it once more for programs.
        let (message, function) = match told.split_once(".\nDid you mean '") {
            Some((message, meant)) => (message, meant.split_once('\'').map(|meant| meant.0)),
            None => (told.as_str(), None),
        };
        Self {
            place: place_of(error, message),
            suggestion: function.map(str::to_owned).or_else(|| suggestion(root, message, guarded)),
            message: missing_column(root).unwrap_or_else(|| message.to_owned()),
        }
    }
}

/// Says in our own words that a column is missing: the engine lists every one that there is.
fn missing_column(error: &DataFusionError) -> Option<String> {
    let DataFusionError::SchemaError(known, _) = error else { return None };
    let SchemaError::FieldNotFound { field, .. } = known.as_ref() else { return None };
    Some(format!("there is no column `{}`", field.flat_name()))
}

/// Line and column of a mistake, from the engine's diagnostic or the parser's message.
fn place_of(error: &DataFusionError, message: &str) -> Option<(u64, u64)> {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    if let Some(span) = span.filter(|span| span.start.line > 0) {
        return Some((span.start.line, span.start.column));
    }
    let number_after = |label: &str| -> Option<u64> {
        let rest = &message[message.find(label)? + label.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some((number_after("Line: ")?, number_after("Column: ")?))
}

/// The existing name that a missing one is most like.
fn suggestion(error: &DataFusionError, message: &str, guarded: &Guarded) -> Option<String> {
    let nearest = |missing: &str, names: Vec<String>| -> Option<String> {
        let missing = missing.to_lowercase();
        let likeness = |name: &String| normalized_levenshtein(&missing, &name.to_lowercase());
        names
            .into_iter()
            .map(|name| (likeness(&name), name))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .max_by(|one, two| one.0.total_cmp(&two.0))
            .map(|(_, name)| name)
    };
    if let DataFusionError::SchemaError(known, _) = error
        && let SchemaError::FieldNotFound { field, valid_fields } = known.as_ref()
    {
        let names = valid_fields.iter().map(|field| field.name.clone()).collect();
        return nearest(&field.name, names);
    }
    let missing = message.split_once("table '")?.1.split_once("' not found")?.0;
    nearest(missing.rsplit('.').next()?, guarded.table_names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_says_where_it_is_and_what_was_meant() {
        let mistake = Mistake {
            message: "there is no column `orgid`".to_owned(),
            place: Some((2, 8)),
            suggestion: Some("org_id".to_owned()),
        };
        let text = "there is no column `orgid` (line 2, column 8); did you mean `org_id`?";
        assert_eq!(mistake.to_string(), text);
    }

    #[test]
    fn the_parser_s_own_place_is_found_and_not_said_twice() {
        let message =
            "sql parser error: Expected: an expression, found: from at Line: 1, Column: 8";
        let error = DataFusionError::Plan(message.to_owned());
        assert_eq!(place_of(&error, message), Some((1, 8)));
        let mistake =
            Mistake { message: message.to_owned(), place: Some((1, 8)), suggestion: None };
        assert_eq!(mistake.to_string(), message);
    }
}
