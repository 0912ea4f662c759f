//! `lawpulse goals`: how the goals of a year stand.

use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use pipeline::definition::Definitions;
use pipeline::goal::{self, Goal, Goals, Progress};
use pipeline::lake::Lake;
use pipeline::metric::Catalogue;
use pipeline::query::Reader;
use pipeline::zone::days_of;

use super::{GoalsArgs, looked_at_on, print_batch, print_query};
use crate::clock::Clock;
use crate::standing;

pub(super) async fn run(args: GoalsArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&definitions)?;
    let goals = Goals::load(&definitions, &catalogue, args.year)?;
    record(&args, &goals).await?;
    if args.changes {
        let query =
            format!("select * from goal_changes where year = {} order by change_no", args.year);
        return print_query(&args.lake, &query, args.format, definitions).await;
    }
    let reader = Reader::open(&args.lake, Arc::clone(&definitions)).await?;
    let view = reader.view();
    if let Some(scopes) = &args.backtest {
        let tried = goal::try_forecasts(&view, &catalogue, &goals, scopes).await?;
        return print_batch(backtest_batch(&tried)?, args.format);
    }
    let as_of = looked_at_on(&view, args.as_of);
    let standing = standing::goals(&view, &catalogue, &definitions, args.year, as_of).await?;
    print_batch(batch(&standing)?, args.format)
}

/// Keeps what changed in the goals since they were last looked at, unless a server writes to the lake: then it does.
async fn record(args: &GoalsArgs, goals: &Goals) -> anyhow::Result<()> {
    let mut lake = Lake::open(&args.lake).await?;
    if let Ok(lock) = lake.lock().await {
        let today = Clock::Machine.today(lake.zone());
        for change in goal::record(&lake, &lock, goals, today).await? {
            tracing::debug!(goal = change.goal_id, kind = change.kind.name(), "goal changed");
        }
    }
    Ok(())
}

fn batch(standing: &[(Goal, Progress)]) -> anyhow::Result<RecordBatch> {
    let text = |pick: &dyn Fn(&Goal, &Progress) -> Option<String>| -> ArrayRef {
        Arc::new(standing.iter().map(|(goal, it)| pick(goal, it)).collect::<StringArray>())
    };
    let number = |pick: &dyn Fn(&Progress) -> Option<f64>| -> ArrayRef {
        Arc::new(standing.iter().map(|(_, it)| pick(it)).collect::<Float64Array>())
    };
    let due: Date32Array = standing.iter().map(|(_, it)| Some(days_of(it.due))).collect();
    let columns: [(&str, ArrayRef); 14] = [
        ("goal", text(&|goal, _| Some(goal.id.clone()))),
        ("title", text(&|goal, _| Some(goal.title_zh.clone()))),
        ("scope", text(&|_, it| Some(it.scope_id.clone()))),
        ("status", text(&|_, it| Some(it.status.name().to_owned()))),
        ("value", number(&|it| it.value)),
        ("should_be", number(&|it| it.should_be)),
        ("target", number(&|it| it.target)),
        ("baseline", number(&|it| it.baseline)),
        ("forecast", number(&|it| it.forecast.map(|forecast| forecast.value))),
        ("forecast_low", number(&|it| it.forecast.map(|forecast| forecast.low))),
        ("forecast_high", number(&|it| it.forecast.map(|forecast| forecast.high))),
        ("due", Arc::new(due)),
        ("owner", text(&|goal, _| Some(goal.owner.clone()))),
        ("reason", text(&|_, it| it.reason.clone())),
    ];
    nullable(columns)
}

fn backtest_batch(tried: &[goal::Tried]) -> anyhow::Result<RecordBatch> {
    let text = |pick: fn(&goal::Tried) -> &str| -> ArrayRef {
        Arc::new(tried.iter().map(|it| Some(pick(it))).collect::<StringArray>())
    };
    let forecasts: Int64Array =
        tried.iter().map(|it| Some(it.backtest.forecasts() as i64)).collect();
    let coverage: Float64Array = tried.iter().map(|it| it.backtest.coverage()).collect();
    let error: Float64Array = tried.iter().map(|it| it.backtest.median_error()).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("goal", text(|it| &it.goal_id)),
        ("metric", text(|it| &it.metric)),
        ("forecasts", Arc::new(forecasts)),
        ("coverage", Arc::new(coverage)),
        ("median_error", Arc::new(error)),
    ];
    nullable(columns)
}

fn nullable<const N: usize>(columns: [(&str, ArrayRef); N]) -> anyhow::Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .context("failed to build the result")
}
