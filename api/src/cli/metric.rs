//! `lawpulse metric`: the catalogue, the numbers, and how they come about.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use pipeline::definition::Definitions;
use pipeline::metric::{
    self, Catalogue, Coverage, Evidence, Grain, Metric, Period, Request, Sample,
};
use pipeline::pseudonym::Identities;
use pipeline::query::{Reader, View};

use super::{MetricArgs, looked_at_on, print_batch};
use crate::explained;
use crate::output::{self, Format};

pub(super) async fn run(args: MetricArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&definitions)?;
    if args.id == "list" {
        return print_batch(list(&catalogue)?, args.format);
    }
    let metric = catalogue.get(&args.id)?;
    let lake = args.lake.as_ref().context("--lake DIR is missing")?;
    let reader = Reader::open(lake, definitions).await?;
    let view = reader.view();
    let whole = whole_period(&view, args.from, args.to)?;
    let grain = Grain::parse(&args.grain)?;
    metric.check_grain(grain)?;
    let mut periods = metric::periods(whole, grain);
    if let Some(days) = args.window {
        anyhow::ensure!(days > 0, "--window is at least 1");
        periods = metric::trailing(&periods, days);
    }
    let scopes = view.tree().resolve(&args.scope)?;
    let parameters = parse_parameters(&args.parameters)?;
    let as_of = looked_at_on(&view, args.as_of);
    let request = Request { periods: &periods, scopes: &scopes, parameters: &parameters, as_of };
    let samples = metric::evaluate(&view, metric, &request).await?;
    if !args.explain {
        let mut batch = output::sample_batch(metric, &samples)?;
        if args.peers {
            batch = with_peers(batch, &metric::compare(&view, metric, &request, &samples).await?)?;
        }
        return print_batch(batch, args.format);
    }
    let identities =
        if args.identities { Identities::Shown } else { Identities::pseudonyms_of(lake).await? };
    let evidence = metric::explain(&view, metric, &request, &identities, args.rows).await?;
    let coverage = metric::coverage(&view, &request).await?;
    let explanation = Explanation { metric, view: &view, samples, evidence, coverage };
    let mut out = BufWriter::new(io::stdout().lock());
    if args.format == Format::Json {
        let Explanation { samples, evidence, coverage, .. } = &explanation;
        let told = explained::Explanation::of(metric, &view, samples, evidence.as_ref(), coverage)?;
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        explanation.write(&mut out, args.format)?;
    }
    out.flush()?;
    Ok(())
}

/// Everything that can be said about numbers of a metric.
struct Explanation<'m> {
    metric: &'m Metric,
    view: &'m View,
    samples: Vec<Sample>,
    evidence: Option<Evidence>,
    coverage: Vec<Coverage>,
}

impl Explanation<'_> {
    fn write(&self, out: &mut dyn Write, format: Format) -> anyhow::Result<()> {
        let metric = self.metric;
        writeln!(out, "{} {} ({})", metric.title_zh(), metric.title_en(), metric.id())?;
        writeln!(out, "definition: {}", metric.definition())?;
        writeln!(out, "source: {}", metric.source())?;
        writeln!(out, "unit: {}, direction: {}", metric.unit(), metric.direction().name())?;
        writeln!(out, "\nnumbers:")?;
        output::write_batches(out, &[output::sample_batch(metric, &self.samples)?], format)?;
        if self.samples.iter().any(|sample| sample.is_withheld) {
            writeln!(
                out,
                "numbers about fewer than {} persons are withheld, and those that would tell them by subtraction",
                metric.suppress_below().unwrap_or_default()
            )?;
        }
        writeln!(out, "\ncoverage:")?;
        output::write_batches(out, &[explained::coverage_batch(&self.coverage)?], format)?;
        for (what, instant) in explained::freshness(self.view) {
            writeln!(out, "{what}: {}", instant.as_deref().unwrap_or("-"))?;
        }
        match &self.evidence {
            Some(Evidence { rows, total }) => {
                writeln!(out, "\nrows behind the numbers ({} of {total}):", rows.num_rows())?;
                output::write_batches(out, std::slice::from_ref(rows), format)?;
            }
            None => writeln!(out, "\nthe metric keeps no rows to show")?,
        }
        writeln!(out, "\nSQL:\n{}", metric.sql().trim_end())?;
        Ok(())
    }
}

fn with_peers(batch: RecordBatch, peers: &[Option<metric::Peers>]) -> anyhow::Result<RecordBatch> {
    let numbers = |pick: fn(&metric::Peers) -> f64| -> ArrayRef {
        Arc::new(peers.iter().map(|peers| peers.as_ref().map(pick)).collect::<Float64Array>())
    };
    let kinds: StringArray =
        peers.iter().map(|peers| peers.as_ref().map(|it| it.kind.as_str())).collect();
    let units: Int64Array =
        peers.iter().map(|peers| peers.as_ref().map(|it| it.units as i64)).collect();
    let mut columns: Vec<(String, ArrayRef)> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .zip(batch.columns().iter().cloned())
        .collect();
    let more: [(&str, ArrayRef); 5] = [
        ("peers", Arc::new(kinds)),
        ("peer_units", Arc::new(units)),
        ("peer_p25", numbers(|peers| peers.p25)),
        ("peer_median", numbers(|peers| peers.median)),
        ("peer_p75", numbers(|peers| peers.p75)),
    ];
    columns.extend(more.map(|(name, column)| (name.to_owned(), column)));
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .context("failed to build the result")
}

/// The asked period; without bounds, from the lake's first event to its last.
fn whole_period(
    view: &View,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> anyhow::Result<Period> {
    let facts = view.facts();
    let start = from.or(facts.first_event_date).context("the lake has no event; give --from")?;
    let after_last = facts.last_event_date.and_then(|day| day.succ_opt());
    let end = to.or(after_last).context("the lake has no event; give --to")?;
    anyhow::ensure!(start < end, "the period {start} to {end} is empty: --to is exclusive");
    Ok(Period { start, end })
}

fn parse_parameters(written: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    written
        .iter()
        .map(|pair| {
            let (name, value) =
                pair.split_once('=').with_context(|| format!("`{pair}` is not NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The catalogue as a table.
fn list(catalogue: &Catalogue) -> anyhow::Result<RecordBatch> {
    let column = |text: &dyn Fn(&Metric) -> String| -> ArrayRef {
        Arc::new(StringArray::from(catalogue.iter().map(text).collect::<Vec<_>>()))
    };
    RecordBatch::try_from_iter([
        ("metric", column(&|metric| metric.id().to_owned())),
        ("title_zh", column(&|metric| metric.title_zh().to_owned())),
        ("title_en", column(&|metric| metric.title_en().to_owned())),
        ("group", column(&|metric| metric.group().name().to_owned())),
        ("unit", column(&|metric| metric.unit().to_owned())),
        ("direction", column(&|metric| metric.direction().name().to_owned())),
        ("source", column(&|metric| metric.source().to_owned())),
    ])
    .context("failed to build the list")
}
