//! What a reader may see of a lake: rows of their units, pseudonyms instead of identities.
//!
//! It is put into the plan, below whatever a query does with the tables: views, subqueries, functions and explained
//! plans are made of the guarded tables and know no others.

mod barrier;
mod veil;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, ScalarUDF, col, lit};
use datafusion::prelude::ident;

use crate::dictionary::{Dictionary, Guard, Rows};
use crate::pseudonym::Identities;
pub(crate) use barrier::{Barrier, BarrierExec};
pub(crate) use veil::Veil;

type DataResult<T> = datafusion::common::Result<T>;

/// What a reader may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// What is shown of persons and parties.
    pub identities: Identities,
    /// The units whose rows and numbers are seen; `None` for all.
    pub orgs: Option<Arc<BTreeSet<String>>>,
    /// Whether rows are seen at all, and not only metrics and what everybody shares.
    pub rows: bool,
    /// Whether the audit log is seen.
    pub audit: bool,
}

impl Access {
    /// Everything, for whoever runs the lake.
    pub fn whole() -> Self {
        Self { identities: Identities::Shown, orgs: None, rows: true, audit: true }
    }

    /// Whether numbers about these units may be asked. A scope without units is nobody's who is kept to some.
    pub fn covers<'o>(&self, org_ids: impl IntoIterator<Item = &'o str>) -> bool {
        let Some(orgs) = &self.orgs else { return true };
        let mut org_ids = org_ids.into_iter().peekable();
        org_ids.peek().is_some() && org_ids.all(|org_id| orgs.contains(org_id))
    }

    /// A table as the reader sees it; `None` for one that is not theirs to see.
    ///
    /// A table or a text column that the dictionary does not describe is not shown to those who do not see
    /// everything: it could hold anything.
    pub(crate) fn guard(
        &self,
        name: &str,
        table: &Arc<dyn TableProvider>,
        dictionary: &Arc<Dictionary>,
    ) -> DataResult<Option<Arc<dyn TableProvider>>> {
        let rows = dictionary.rows(name);
        let is_for_all = rows == Some(&Rows::Shared) && is_open(name, table, dictionary);
        if !(self.rows || is_for_all) {
            return Ok(None);
        }
        let restriction = match (&self.orgs, rows) {
            (None, _) | (_, Some(Rows::Shared)) => None,
            (Some(orgs), Some(Rows::OfUnit(column))) => {
                let orgs = orgs.iter().map(|org_id| lit(org_id.as_str())).collect();
                Some(col(ident(column).to_string()).in_list(orgs, false))
            }
            (Some(_), Some(Rows::OfDistrict) | None) => return Ok(None),
        };
        let columns: Vec<(Expr, bool)> = table
            .schema()
            .fields()
            .iter()
            .map(|field| self.column(name, field.name(), field.data_type(), dictionary))
            .collect();
        let is_veiled = columns.iter().any(|(_, is_veiled)| *is_veiled);
        if restriction.is_none() && !is_veiled {
            return Ok(Some(Arc::clone(table)));
        }
        let source = provider_as_source(Arc::clone(table));
        let mut builder = LogicalPlanBuilder::scan(name, source, None)?;
        let is_restricted = restriction.is_some();
        if let Some(restriction) = restriction {
            builder = builder.filter(restriction)?;
        }
        let plan = builder.project(columns.into_iter().map(|(column, _)| column))?.build()?;
        Ok(Some(if is_restricted {
            Arc::new(Barrier::new(plan))
        } else {
            Arc::new(ViewTable::new(plan, None))
        }))
    }

    /// A column as the reader sees it, and whether that is something else than what is there.
    fn column(
        &self,
        table: &str,
        column: &str,
        data_type: &DataType,
        dictionary: &Arc<Dictionary>,
    ) -> (Expr, bool) {
        let plain = ident(column);
        let guard = dictionary
            .guard(table, column)
            .unwrap_or_else(|| if is_text(data_type) { Guard::Withheld } else { Guard::Open });
        if guard == Guard::Open || self.identities == Identities::Shown {
            return (plain, false);
        }
        let veil = ScalarUDF::from(Veil::new(guard, &self.identities, dictionary));
        (veil.call(vec![plain]).alias(column), true)
    }
}

/// Whether nothing of a table is hidden from anybody.
fn is_open(name: &str, table: &Arc<dyn TableProvider>, dictionary: &Arc<Dictionary>) -> bool {
    let schema = table.schema();
    let mut columns = schema.fields().iter();
    columns.all(|field| dictionary.guard(name, field.name()) == Some(Guard::Open))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::List(field) | DataType::LargeList(field) => is_text(field.data_type()),
        // A struct, or bytes, may hold texts; sets of officers are described.
        _ => {
            !(data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean)
        }
    }
}
