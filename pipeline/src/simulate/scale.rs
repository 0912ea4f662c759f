//! The `scale` profile: any number of events, officers and units, fast.
//!
//! Nothing is kept from one file to the next. Every inspection and every case has a number, and all about it (unit,
//! officers, the time of each step) is a hash of that number, so each file finds the steps that fall into its slice
//! of time on its own. What is left of the file's share is filled with logins, patrols and the like.

mod event;
mod platform;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::row::Row;
use super::write::EventFile;
use super::{Error, Options, Summary, refuse_stale};
use platform::Platform;

/// Lines of a full file.
const FILE_EVENTS: u64 = 1_000_000;

/// One line in this many is an earlier line again.
const DUPLICATE_EVERY: u64 = 100;

/// Lines between two reports of progress.
const PROGRESS_EVERY: u64 = 1 << 15;

/// Writes the `scale` profile.
pub(super) fn simulate(
    options: &Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, Error> {
    let platform = Platform::new(options)?;
    let files: Vec<PathBuf> = (0..platform.files)
        .map(|file| options.out.join(format!("events-{file:05}.{}", options.format.extension())))
        .collect();
    refuse_stale(&options.out, &files)?;
    let mut summary = platform::write_reference(options, &platform)?;
    summary.bytes += write_events(options, &platform, &files, progress)?;
    summary.events = options.events;
    summary.files.splice(0..0, files);
    Ok(summary)
}

/// Writes all event files on all processors; returns their bytes.
fn write_events(
    options: &Options,
    platform: &Platform,
    files: &[PathBuf],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<u64, Error> {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let bytes = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let file = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(file as usize) else { break };
            let report = |lines| progress(done.fetch_add(lines, Ordering::Relaxed) + lines);
            match write_file(options, platform, file, path.clone(), &report) {
                Ok(written) => {
                    bytes.fetch_add(written, Ordering::Relaxed);
                }
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(bytes.into_inner()),
    }
}

/// Writes the events of one slice of time; returns the bytes of the file.
fn write_file(
    options: &Options,
    platform: &Platform,
    file: u64,
    path: PathBuf,
    report: &dyn Fn(u64),
) -> Result<u64, Error> {
    let lines = platform.first_line(file + 1) - platform.first_line(file);
    let keys = event::keys_of_slice(platform, file, lines - lines / DUPLICATE_EVERY);
    let mut out = EventFile::create(path, options.format)?;
    let mut row = Row::default();
    let mut repeats_left = lines / DUPLICATE_EVERY;
    let mut reported = 0;
    let mut written = 0;
    for (index, key) in keys.iter().enumerate() {
        event::describe(platform, *key, &mut row);
        out.write(&row)?;
        written += 1;
        let is_turn = (index as u64 + 1).is_multiple_of(DUPLICATE_EVERY - 1);
        if is_turn && repeats_left > 0 {
            let back = index % 61;
            event::describe(platform, keys[index - back], &mut row);
            out.write(&row)?;
            written += 1;
            repeats_left -= 1;
        }
        if written - reported >= PROGRESS_EVERY {
            report(written - reported);
            reported = written;
        }
    }
    report(written - reported);
    let (_, bytes) = out.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
