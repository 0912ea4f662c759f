//! A mapping as its file writes it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::amount::Unit;
use super::times::Times;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) name: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for the people who read the file")]
    title: Option<String>,
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) time_formats: Vec<String>,
    #[serde(default)]
    pub(super) times: Times,
    /// Texts that stand for an empty cell.
    pub(super) empty: Option<Vec<String>>,
    #[serde(default)]
    pub(super) rest: Rest,
    #[serde(default)]
    pub(super) orgs: Orgs,
    #[serde(default = "default_max_line_bytes")]
    pub(super) max_line_bytes: usize,
    pub(super) encoding: Option<String>,
    pub(super) required: Option<Vec<String>>,
    /// Columns with the other names that a header may have for them.
    #[serde(default)]
    pub(super) columns: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) lists: BTreeMap<String, List>,
    pub(super) batch: Option<BatchSpec>,
    #[serde(default)]
    pub(super) rule: Vec<RuleSpec>,
    pub(super) event: Vec<EventSpec>,
    #[serde(default)]
    pub(super) reference: ReferenceSpec,
}

fn default_max_line_bytes() -> usize {
    1 << 20
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rest {
    #[default]
    Attributes,
    Ignore,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Orgs {
    #[default]
    Any,
    Known,
}

/// A list of codes, with or without what they stand for.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum List {
    Values(HashMap<String, String>),
    Codes(Vec<String>),
}

/// A list, or the name of one of the mapping's `[lists]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ListSpec {
    Named(String),
    Own(List),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Separators {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchSpec {
    pub(super) number: TextSpec,
    pub(super) operation: TextSpec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// The row does not land.
    Refuse,
    /// The row lands and says what is wrong with it.
    Warn,
}

/// A number with an inner rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Uscc,
    IdCard,
    ItemCode,
    ImplementationCode,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSpec {
    pub(super) column: Option<String>,
    #[serde(default)]
    pub(super) columns: Vec<String>,
    pub(super) severity: Severity,
    pub(super) when: Option<WhenSpec>,
    #[serde(default)]
    pub(super) filled: bool,
    pub(super) one_of: Option<ListSpec>,
    pub(super) separator: Option<Separators>,
    pub(super) max_length: Option<usize>,
    pub(super) format: Option<Format>,
    pub(super) not_before: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceSpec {
    pub(super) orgs: Option<OrgSpec>,
    pub(super) officers: Option<OfficerSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgSpec {
    pub(super) org_id: TextSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfficerSpec {
    pub(super) officer_id: TextSpec,
    pub(super) org_id: TextSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventSpec {
    pub(super) when: Option<WhenSpec>,
    #[serde(default)]
    pub(super) once: bool,
    pub(super) event_id: Option<TextSpec>,
    pub(super) revision: Option<TextSpec>,
    pub(super) operation: Option<TextSpec>,
    pub(super) event_type: TextSpec,
    pub(super) occurred_at: TextSpec,
    pub(super) received_at: Option<TextSpec>,
    pub(super) org_id: TextSpec,
    pub(super) officer_ids: Option<TextSpec>,
    pub(super) object_id: Option<TextSpec>,
    pub(super) party_id: Option<TextSpec>,
    pub(super) item_code: Option<TextSpec>,
    pub(super) channel: Option<TextSpec>,
    pub(super) attributes: Option<AttributesSpec>,
}

/// `"column"`, a table with one of `column`, `value` and `template`, or a list of these: the first that is filled.
#[derive(Debug)]
pub(super) enum TextSpec {
    Column(String),
    Table(Box<TextTable>),
    First(Vec<TextSpec>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextTable {
    pub(super) column: Option<String>,
    pub(super) value: Option<String>,
    pub(super) template: Option<String>,
    /// One spelling of a document's number.
    #[serde(default)]
    pub(super) document_no: bool,
    /// Only this many characters from the start.
    pub(super) first: Option<usize>,
    pub(super) separator: Option<Separators>,
    pub(super) values: Option<ListSpec>,
    pub(super) others: Option<Others>,
    pub(super) default: Option<String>,
    /// The text that stands for whatever fills the cell.
    pub(super) filled: Option<String>,
    /// What pseudonyms of the text begin with.
    pub(super) pseudonym: Option<String>,
    pub(super) except: Option<Except>,
    pub(super) amount: Option<Unit>,
    #[serde(default)]
    pub(super) date: bool,
    #[serde(default)]
    pub(super) epoch_seconds: bool,
}

/// What becomes of a text that is not among the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Others {
    Keep,
    Drop,
}

/// Texts that stay as they are where all others become pseudonyms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Except {
    Uscc,
}

/// When a row makes an event or a rule holds: a column that is filled, or conditions that all hold.
#[derive(Debug)]
pub(super) enum WhenSpec {
    Filled(String),
    Table(ConditionSpec),
    All(Vec<WhenSpec>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionSpec {
    pub(super) column: String,
    pub(super) is: Option<ListSpec>,
    pub(super) is_not: Option<ListSpec>,
}

#[derive(Debug)]
pub(super) enum AttributesSpec {
    Object(String),
    Named(BTreeMap<String, TextSpec>),
}

impl<'de> Deserialize<'de> for TextSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = TextSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a column name, or a table with `column`, `value` or `template`, or a list of these",
                )
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<TextSpec, E> {
                Ok(TextSpec::Column(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextSpec, A::Error> {
                TextTable::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|table| TextSpec::Table(Box::new(table)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<TextSpec, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(TextSpec::First)
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for WhenSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WhenVisitor;
        impl<'de> Visitor<'de> for WhenVisitor {
            type Value = WhenSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a column name, or a table with `column` and `is` or `is_not`, or a list of these",
                )
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<WhenSpec, E> {
                Ok(WhenSpec::Filled(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WhenSpec, A::Error> {
                ConditionSpec::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(WhenSpec::Table)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<WhenSpec, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(WhenSpec::All)
            }
        }
        deserializer.deserialize_any(WhenVisitor)
    }
}

impl<'de> Deserialize<'de> for AttributesSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = AttributesSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "the name of a column with a JSON object, or a table of attribute = column",
                )
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<AttributesSpec, E> {
                Ok(AttributesSpec::Object(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AttributesSpec, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(AttributesSpec::Named)
            }
        }
        deserializer.deserialize_any(AttributesVisitor)
    }
}
