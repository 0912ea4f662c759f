//! `lawpulse maintain`: small files become few, and what nobody reads any more goes.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;
use pipeline::lake::{Lake, WriteLock};
use pipeline::location::Location;
use pipeline::maintain::{self, Done, Policy};

use super::print_batch;
use crate::clock::Clock;
use crate::config::Config;
use crate::output::Format;

#[derive(Debug, Args)]
pub(super) struct MaintainArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL", required_unless_present = "config")]
    lake: Option<Location>,
    /// A server's config file: its section maintenance says what is kept.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change nothing; say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) async fn run(args: MaintainArgs) -> anyhow::Result<()> {
    let config = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let lake = args.lake.or(config.lake);
    let lake = lake.context("the config file names no lake; give --lake")?;
    // Whoever asks for it wants all of it done.
    let policy = Policy { small_files: 2, ..config.maintenance.policy.clone() };
    let mut lake = Lake::open(&lake).await?;
    let now = Clock::Machine.now();
    let done = if args.dry_run {
        maintain::rehearse(&lake, policy, now).await?
    } else {
        let told = "a server maintains its lake by itself, see [maintenance] in its config";
        let lock = lock(&mut lake, told).await?;
        let done = maintain::maintain(&mut lake, &lock, policy, now).await?;
        lake.publish(&lock, now).await?;
        done
    };
    print_batch(batch_of(&done)?, args.format)
}

/// The right to write, which a server that runs has; `remedy` says what to do then.
pub(super) async fn lock(lake: &mut Lake, remedy: &str) -> anyhow::Result<WriteLock> {
    let taken = lake.lock().await;
    taken.with_context(|| format!("`{}` is in use; {remedy}", lake.location()))
}

fn batch_of(done: &[Done]) -> anyhow::Result<RecordBatch> {
    type Count = fn(&Done) -> u64;
    let counts: [(&str, Count); 9] = [
        ("files_before", |done| done.files_before),
        ("files_after", |done| done.files_after),
        ("merged_files", |done| done.merged),
        ("removed_files", |done| done.removed_files),
        ("removed_bytes", |done| done.removed_bytes),
        ("removed_log_entries", |done| done.removed_log_entries),
        ("expired_rejects", |done| done.rejects_expired),
        ("packed_files", |done| done.packed),
        ("moved_months", |done| done.moved_months),
    ];
    let mut fields = vec![Field::new("table", DataType::Utf8, false)];
    let names = StringArray::from_iter_values(done.iter().map(|done| &done.table));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(names)];
    for (name, count) in counts {
        fields.push(Field::new(name, DataType::Int64, false));
        let values = done.iter().map(|done| count(done).cast_signed());
        columns.push(Arc::new(Int64Array::from_iter_values(values)));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
