//! The query of an address, read strictly: what nobody knows, or is said twice, is refused instead of passed over.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as Lenient};
use axum::http::request::Parts;
use chrono::{Datelike as _, NaiveDate};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::http::problem::Problem;

/// What a query asks.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Lenient(pairs) = Lenient::<Vec<(String, String)>>::try_from_uri(&parts.uri)?;
        let mut seen = BTreeSet::new();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            return Err(Problem::bad_request(format!("`{name}` is said twice")));
        }
        let Lenient(asked) = Lenient::try_from_uri(&parts.uri)?;
        Ok(Self(asked))
    }
}

/// The query of an address that takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// How a day of the years [`Year::FIRST`] to [`Year::LAST`] is written.
const DAY: &str = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";

/// A day, written as `2024-03-05` and in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let day = exact(&written).filter(|day: &NaiveDate| Year::is_one(day.year()));
        day.map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "`{written}` is no day from {} to {}; write it as 2024-03-05",
                Year::FIRST,
                Year::LAST
            ))
        })
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        let day = ObjectBuilder::new().schema_type(Type::String).pattern(Some(DAY));
        day.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into()
    }
}

impl ToSchema for Day {}

/// A number, or true or false, written in the one way in which it is always written.
///
/// A query holds texts, and `+7`, `07` and `7` are three of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact<N>(pub(super) N);

impl<'de, N: FromStr + ToString> Deserialize<'de> for Exact<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        exact(&written).map(Self).ok_or_else(|| {
            let kind =
                if std::any::type_name::<N>() == "bool" { "true or false" } else { "a number" };
            D::Error::custom(format!("`{written}` is not {kind}"))
        })
    }
}

/// A year that a log may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Year(pub(super) i32);

impl Year {
    pub(super) const FIRST: i32 = 1900;
    pub(super) const LAST: i32 = 2099;

    fn is_one(year: i32) -> bool {
        (Self::FIRST..=Self::LAST).contains(&year)
    }

    /// Reads a year of an address or a query.
    pub(super) fn read(written: &str) -> Result<Self, String> {
        exact(written).filter(|year| Self::is_one(*year)).map(Self).ok_or_else(|| {
            format!("`{written}` is no year; write a number from {} to {}", Self::FIRST, Self::LAST)
        })
    }
}

impl<'de> Deserialize<'de> for Year {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl PartialSchema for Year {
    fn schema() -> RefOr<Schema> {
        let year = ObjectBuilder::new().schema_type(Type::Integer);
        year.minimum(Some(Self::FIRST)).maximum(Some(Self::LAST)).into()
    }
}

impl ToSchema for Year {}

fn exact<N: FromStr + ToString>(written: &str) -> Option<N> {
    written.parse().ok().filter(|number: &N| number.to_string() == written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        day: Option<Day>,
        rows: Option<Exact<u32>>,
        peers: Option<Exact<bool>>,
        year: Option<Year>,
    }

    async fn read(query: &str) -> Result<Asked, String> {
        let uri = format!("/?{query}");
        let request = http::Request::builder().uri(uri).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let read = Query::from_request_parts(&mut parts, &()).await;
        read.map(|Query(asked)| asked).map_err(|problem| format!("{problem:?}"))
    }

    #[tokio::test]
    async fn a_query_that_says_everything_once_and_plainly_is_read() {
        let asked = read("day=2024-03-05&rows=7&peers=true&year=2024").await.unwrap();
        assert_eq!(asked.day.unwrap().0.to_string(), "2024-03-05");
        assert_eq!(asked.rows, Some(Exact(7)));
        assert_eq!(asked.peers, Some(Exact(true)));
        assert_eq!(asked.year, Some(Year(2024)));
        assert_eq!(read("").await.unwrap().year, None);
    }

    #[tokio::test]
    async fn what_is_unknown_said_twice_or_oddly_written_is_refused() {
        for (query, told) in [
            ("days=2024-03-05", "days"),
            ("year=2024&year=2024", "twice"),
            ("year=2024&%79ear=2025", "twice"),
            ("day=2024-3-5", "2024-3-5"),
            ("day=%202024-03-05", "no day"),
            ("day=2024-02-30", "no day"),
            ("day=%2B12024-03-05", "no day"),
            ("day=1899-12-31", "1900"),
            ("rows=07", "07"),
            ("rows=%2B7", "not a number"),
            ("rows=-7", "not a number"),
            ("rows=", "not a number"),
            ("peers=True", "true or false"),
            ("year=1899", "1900"),
            ("year=soon", "soon"),
        ] {
            let refused = read(query).await.unwrap_err();
            assert!(refused.contains(told), "{query}: {refused}");
        }
    }
}
