//! `lawpulse report` and `lawpulse reconcile`.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use pipeline::definition::Definitions;
use pipeline::metric::Catalogue;
use pipeline::query::Reader;
use pipeline::reconcile::{self, Reconciled};
use pipeline::report::Edition;

use super::{ReconcileArgs, ReportArgs, looked_at_on, print_batch};
use crate::standing;

pub(super) async fn run(args: ReportArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let edition = match (args.month, args.unit) {
        (Some(month), _) => Edition::Month(args.year, month),
        (None, Some(unit)) => Edition::Unit(args.year, unit),
        (None, None) => Edition::Year(args.year),
    };
    let catalogue = Catalogue::load(&definitions)?;
    let reader = Reader::open(&args.lake, Arc::clone(&definitions)).await?;
    let view = reader.view();
    let as_of = looked_at_on(&view, args.as_of);
    let report = standing::report(&view, &catalogue, &definitions, &edition, as_of).await?;
    let Some(path) = args.output else {
        io::stdout().lock().write_all(report.markdown.as_bytes())?;
        return Ok(());
    };
    let is_page = path.extension().is_some_and(|extension| extension == "html");
    let text = if is_page { report.html() } else { report.markdown };
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

pub(super) async fn reconcile(
    args: ReconcileArgs,
    definitions: Arc<Definitions>,
) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&definitions)?;
    let reader = Reader::open(&args.lake, definitions).await?;
    let view = reader.view();
    let period = Edition::Year(args.year).period()?;
    let as_of = looked_at_on(&view, None);
    let rows = reconcile::reconcile(&view, &catalogue, period.start, period.end, as_of).await?;
    if args.markdown {
        io::stdout().lock().write_all(reconcile::table_markdown(&rows).as_bytes())?;
        return Ok(());
    }
    print_batch(batch(&rows)?, args.format)
}

fn batch(rows: &[Reconciled]) -> anyhow::Result<RecordBatch> {
    let text = |pick: &dyn Fn(&Reconciled) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(pick).collect::<StringArray>())
    };
    let deltas: Float64Array = rows.iter().map(|row| row.delta).collect();
    let columns: [(&str, ArrayRef); 9] = [
        ("figure", text(&|row| Some(row.figure_id.clone()))),
        ("reading", text(&|row| row.reading.clone())),
        ("metric", text(&|row| Some(row.metric.clone()))),
        ("asked", text(&|row| Some(row.asked()))),
        ("reported", text(&|row| Some(row.reported_text()))),
        ("from_events", text(&|row| Some(row.recomputed_text()))),
        ("delta", Arc::new(deltas)),
        ("status", text(&|row| Some(row.status.name().to_owned()))),
        ("reason", text(&|row| Some(row.reason.clone()))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .context("failed to build the result")
}
