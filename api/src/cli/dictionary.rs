//! `lawpulse dictionary`: what every table and column means.

use std::io::{self, Write};
use std::sync::Arc;

use pipeline::access::Access;
use pipeline::definition::Definitions;
use pipeline::lake::Lake;
use pipeline::location::Location;
use pipeline::metric::Catalogue;
use pipeline::query::{Guarded, Reader};
use pipeline::refresh;

use super::{DictionaryArgs, DictionaryFormat, print_batch};
use crate::clock::Clock;
use crate::dictionary::DataDictionary;
use crate::output::Format;
use crate::server::TemporaryFolder;

pub(super) async fn run(args: DictionaryArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let told = match &args.lake {
        Some(lake) => dictionary_of(lake, &definitions).await?,
        None => {
            // What there is follows from the definitions: an empty lake has all of it.
            let folder = TemporaryFolder::create()?;
            let lake = Location::from(folder.path().join("lake"));
            let mut empty = Lake::open_or_create(&lake, None).await?;
            let lock = empty.lock().await?;
            refresh::refresh(&mut empty, &lock, &definitions).await?;
            dictionary_of(&lake, &definitions).await?
        }
    };
    let text = match args.format {
        DictionaryFormat::Md => told.markdown()?,
        DictionaryFormat::Html => told.html(false)?,
        DictionaryFormat::Json => serde_json::to_string_pretty(&told)?,
        DictionaryFormat::Csv => return print_batch(told.batch()?, Format::Csv),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    out.flush()?;
    Ok(())
}

/// What the owner of a lake sees.
async fn dictionary_of(
    lake: &Location,
    definitions: &Arc<Definitions>,
) -> anyhow::Result<DataDictionary> {
    let view = Reader::open(lake, Arc::clone(definitions)).await?.view();
    let catalogue = Catalogue::load(definitions)?;
    let today = Clock::Machine.today(view.zone());
    let audit_log = pipeline::audit::read_only(view.location()).await?;
    let audit_log = audit_log.as_ref();
    let guarded = Guarded::new(&view, &Access::whole(), &catalogue, today, audit_log).await?;
    let viewers = Access { rows: false, ..Access::whole() };
    let of_viewers = Guarded::new(&view, &viewers, &catalogue, today, audit_log).await?;
    Ok(DataDictionary::of(&guarded, &of_viewers))
}
