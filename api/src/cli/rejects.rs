//! `lawpulse rejects`: what was refused and why, its own words, and another try.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use clap::{Args, Subcommand};
use pipeline::definition::Definitions;
use pipeline::lake::Lake;
use pipeline::land::{self, Selection};
use pipeline::location::Location;
use pipeline::refresh;
use pipeline::source::mapping::Mapping;

use super::{ask, print_query, say};
use crate::clock::Clock;
use crate::output::Format;

#[derive(Debug, Subcommand)]
pub(super) enum RejectsCommand {
    /// List refused lines with their reasons.
    List(ListArgs),
    /// Write the original lines to standard output, one after the other, under their CSV header if they share one.
    Export(RejectsArgs),
    /// Try refused lines again, after their mapping was mended or their units were registered; what is accepted lands once.
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(super) struct RejectsArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// Only those with this reason code.
    #[arg(long)]
    reason: Option<String>,
    /// Only those of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only those of this file, in full as `list` names it.
    #[arg(long)]
    file: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    rejects: RejectsArgs,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// Whose lines: a name from sql/sources, or the mapping FILE.toml that they came by.
    #[arg(long, default_value = "native", value_name = "NAME|FILE.toml")]
    source: String,
    /// Only those with this reason code.
    #[arg(long)]
    reason: Option<String>,
    /// Only those of this file, in full as `list` names it.
    #[arg(long)]
    file: Option<String>,
}

pub(super) async fn run(
    command: RejectsCommand,
    definitions: Arc<Definitions>,
) -> anyhow::Result<()> {
    match command {
        RejectsCommand::List(args) => list(args, definitions).await,
        RejectsCommand::Export(args) => export(args, definitions).await,
        RejectsCommand::Replay(args) => replay(args, &definitions).await,
    }
}

fn query(args: &RejectsArgs, columns: &str) -> String {
    let mut query = format!("select {columns} from rejects where true");
    let conditions = [("reason", &args.reason), ("source", &args.source), ("file", &args.file)];
    for (column, value) in conditions {
        if let Some(value) = value {
            query.push_str(&format!(" and {column} = '{}'", value.replace('\'', "''")));
        }
    }
    query.push_str(" order by landed_at, file, line");
    query
}

async fn list(args: ListArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let columns = "source, file, line, reason, detail, \
        substr(coalesce(try_cast(text as varchar), '(not UTF-8)'), 1, 80) as text";
    let query = query(&args.rejects, columns);
    print_query(&args.rejects.lake, &query, args.format, definitions).await
}

async fn export(args: RejectsArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let columns = "arrow_cast(text, 'Binary') as text, arrow_cast(source, 'Utf8') as source, \
        arrow_cast(file, 'Utf8') as file, landed_at";
    let rows = ask(&args.lake, &query(&args, columns), definitions).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    match shared_header(&args.lake, &rows.batches).await? {
        Header::None => {}
        Header::One(header) => writeln!(out, "{header}")?,
        Header::Several => writeln!(
            io::stderr(),
            "the lines come from files with different headers, so that none is written: choose one with --file"
        )?,
    }
    for batch in &rows.batches {
        for text in batch.column(0).as_binary::<i32>().iter().flatten() {
            out.write_all(text)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The headers of some refused lines.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// None of them comes from a CSV file.
    None,
    /// All of them stood under this one.
    One(String),
    /// They stood under several, or some under one and others under none.
    Several,
}

async fn shared_header(lake: &Location, rows: &[RecordBatch]) -> anyhow::Result<Header> {
    let lake = Lake::open(lake).await?;
    let mut by_source: HashMap<String, HashMap<land::Place, String>> = HashMap::new();
    let mut shared: Option<Option<String>> = None;
    for batch in rows {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let landed = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let source = text(1).value(row);
            if !by_source.contains_key(source) {
                by_source.insert(source.to_owned(), land::headers_of(&lake, source).await?);
            }
            let place = (text(2).value(row).to_owned(), landed.value(row));
            let header = by_source.get(source).and_then(|headers| headers.get(&place)).cloned();
            if shared.as_ref().is_some_and(|shared| *shared != header) {
                return Ok(Header::Several);
            }
            shared = Some(header);
        }
    }
    Ok(shared.flatten().map_or(Header::None, Header::One))
}

async fn replay(args: ReplayArgs, definitions: &Definitions) -> anyhow::Result<()> {
    let mapping = Mapping::find(definitions, &args.source)?;
    let mut lake = Lake::open(&args.lake).await?;
    let lock = lake.lock().await?;
    let selection = Selection { reason: args.reason, file: args.file };
    let now = Clock::Machine.now();
    let replayed = land::replay(&mut lake, &lock, &mapping, &selection, now).await?;
    refresh::refresh(&mut lake, &lock, definitions).await?;
    lake.publish(&lock, now).await?;
    say(&format!(
        "tried {}: landed {}, duplicate {}, rejected again {}",
        replayed.tried, replayed.landed, replayed.duplicate, replayed.rejected
    ))?;
    if replayed.cut > 0 {
        let cut = replayed.cut;
        writeln!(
            io::stderr(),
            "{cut} lines were too long to be kept whole: land them again from their files"
        )?;
    }
    Ok(())
}
