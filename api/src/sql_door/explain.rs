//! What an explained plan does not tell.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use pipeline::query::View;

/// Where a lake is, which plans name with every file.
#[derive(Debug)]
pub(super) struct Folder(String);

impl Folder {
    pub(super) fn of(view: &View) -> Self {
        Self(view.location().path_in_plans())
    }

    /// Rows of a plan that do not say where the lake is.
    pub(super) fn hidden_in(&self, plan: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let hide = |column: &ArrayRef| -> ArrayRef {
            if *column.data_type() != DataType::Utf8 || self.0.is_empty() {
                return Arc::clone(column);
            }
            let lines = column.as_string::<i32>().iter();
            let lines = lines.map(|line| line.map(|line| line.replace(&self.0, "LAKE")));
            Arc::new(lines.collect::<StringArray>())
        };
        RecordBatch::try_new(plan.schema(), plan.columns().iter().map(hide).collect())
    }
}
