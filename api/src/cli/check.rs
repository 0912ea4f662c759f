//! `lawpulse check`: what is wrong with the data, and with the work that it records.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use pipeline::check::{self, Checks, Outcome};
use pipeline::definition::Definitions;
use pipeline::metric::Catalogue;
use pipeline::pseudonym::Identities;
use pipeline::query::Reader;

use super::{CheckArgs, looked_at_on};
use crate::output::{self, Format};
use crate::standing::{self, CheckOutcome};

/// A check found something, and has said so: the exit code is 1.
#[derive(Debug, thiserror::Error)]
#[error("checks found something")]
pub(super) struct Found;

pub(super) async fn run(args: CheckArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&definitions)?;
    let all = Checks::load(&definitions)?;
    let identities = if args.identities {
        Identities::Shown
    } else {
        Identities::pseudonyms_of(&args.lake).await?
    };
    let reader = Reader::open(&args.lake, definitions).await?;
    let view = reader.view();
    let as_of = looked_at_on(&view, None);
    let outcomes = match args.check.as_deref() {
        Some(check::ADDITIVITY) => vec![check::run_additivity(&view, &catalogue, as_of).await?],
        Some(id) => check::run(&view, &all.only(id)?, args.rows).await?,
        None => standing::checks(&view, &catalogue, &all, as_of, args.rows).await?,
    };
    let outcomes = outcomes
        .into_iter()
        .map(|outcome| outcome.shown_to(&identities))
        .collect::<Result<Vec<_>, _>>()?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.format == Format::Json {
        let told: Vec<_> = outcomes.iter().map(CheckOutcome::of).collect::<anyhow::Result<_>>()?;
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        output::write_batches(&mut out, &[batch(&outcomes)?], args.format)?;
        let rows = args.check.is_some().then(|| outcomes.first()).flatten();
        if let Some(outcome) = rows.filter(|outcome| outcome.rows.num_rows() > 0) {
            writeln!(out, "\n{}\n", outcome.check.definition())?;
            output::write_batches(&mut out, std::slice::from_ref(&outcome.rows), args.format)?;
        }
    }
    out.flush()?;
    if outcomes.iter().all(Outcome::holds) { Ok(()) } else { Err(Found.into()) }
}

fn batch(outcomes: &[Outcome]) -> anyhow::Result<RecordBatch> {
    let text = |pick: &dyn Fn(&Outcome) -> Option<String>| -> ArrayRef {
        Arc::new(outcomes.iter().map(pick).collect::<StringArray>())
    };
    let violations: Int64Array =
        outcomes.iter().map(|outcome| Some(outcome.violations.cast_signed())).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("check", text(&|it| Some(it.check.id().to_owned()))),
        ("title", text(&|it| Some(it.check.title_zh().to_owned()))),
        ("severity", text(&|it| Some(it.check.severity().name().to_owned()))),
        ("status", text(&|it| Some(standing::status_of(it).to_owned()))),
        ("violations", Arc::new(violations)),
        (
            "remedy",
            text(&|it| {
                let remedy = || (!it.holds()).then(|| it.check.remedy().to_owned());
                it.failed.clone().or_else(remedy)
            }),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .context("failed to build the result")
}
