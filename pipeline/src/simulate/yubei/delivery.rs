//! How the acts reach the platform: mostly at once, sometimes late, twice, corrected, deleted or broken.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::world::{Act, World};
use crate::simulate::dice::{Dice, mix};
use crate::simulate::rhythm::{DAY, DAYS, END, Moment, civil, day, day_of};
use crate::simulate::row::{Row, push_hex};
use crate::simulate::write::EventFile;
use crate::simulate::{Error, Format, Options, Summary, refuse_stale};

/// Share of lines that are sent a second time.
const DUPLICATE_SHARE: f64 = 0.008;

/// Share of the delivered lines that are broken. A broken line is always a login or logout of its own.
const BROKEN_SHARE: f64 = 0.001;

/// Share of patrols, finished inspections and decisions that are corrected later.
const CORRECTED_SHARE: f64 = 0.0012;

/// Units that enter much of their work in the last days of the month.
const BACKFILLERS: [&str; 4] = ["town-wangjia", "town-gulu", "dept-water", "team-agriculture"];

/// Lines between two reports of progress.
const PROGRESS_EVERY: u64 = 1 << 14;

/// What a line does with its act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Original,
    Corrected,
    Deleted,
    Broken(Fault),
}

/// How a broken line is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Truncated,
    NoTime,
    ImpossibleTime,
    FutureTime,
    WrongTypes,
    InvalidUtf8,
}

impl Fault {
    const ALL: [Self; 6] = [
        Self::Truncated,
        Self::NoTime,
        Self::ImpossibleTime,
        Self::FutureTime,
        Self::WrongTypes,
        Self::InvalidUtf8,
    ];
}

/// One line on its way; ordered by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    arrives_at: Moment,
    act: usize,
    version: Version,
    /// What the line says about its arrival; a second copy says the same as the first.
    received_at: Moment,
}

/// Writes the acts as they arrive, one file per month; lines that arrive after 2025 are not there yet.
pub(super) fn deliver(
    options: &Options,
    world: &World,
    acts: &mut [Act],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, Error> {
    // The order of generation breaks ties, so that the numbers of the events are stable.
    acts.sort_by_key(|act| act.at);
    let mut lines = send(world, acts, options.seed);
    lines.retain(|line| line.arrives_at < END);
    lines.sort_unstable();
    let mut months: BTreeMap<(i32, u32), Vec<Line>> = BTreeMap::new();
    for line in lines {
        let (year, month, _) = civil(day_of(line.arrives_at));
        months.entry((year, month)).or_default().push(line);
    }
    let path = |(year, month): &(i32, u32)| {
        let name = format!("events-{year:04}-{month:02}.{}", options.format.extension());
        options.out.join(name)
    };
    let files: Vec<PathBuf> = months.keys().map(path).collect();
    refuse_stale(&options.out, &files)?;
    let mut summary = Summary { events: 0, bytes: 0, files: Vec::new() };
    let mut writer = LineWriter { world, acts, seed: mix(options.seed), row: Row::default() };
    for (month, lines) in &months {
        let mut file = EventFile::create(path(month), options.format)?;
        for (index, line) in lines.iter().enumerate() {
            writer.write(*line, &mut file, options.format)?;
            if (index as u64).is_multiple_of(PROGRESS_EVERY) {
                progress(summary.events + index as u64);
            }
        }
        let (rows, bytes) = file.finish()?;
        summary.events += rows;
        summary.bytes += bytes;
    }
    progress(summary.events);
    summary.files = files;
    Ok(summary)
}

/// Decides when each act arrives, and what else is sent about it.
fn send(world: &World, acts: &[Act], seed: u64) -> Vec<Line> {
    let mut dice = Dice::new(seed, "delivery");
    let mut lines = Vec::with_capacity(acts.len() + acts.len() / 50);
    for (index, act) in acts.iter().enumerate() {
        let received_at = act.at + landing_delay(world, act, &mut dice);
        let original =
            Line { arrives_at: received_at, act: index, version: Version::Original, received_at };
        lines.push(original);
        if dice.chance(DUPLICATE_SHARE) {
            let hours = dice.lognormal(5.0, 2.2).min(1_000.0);
            let arrives_at = received_at + 1 + (hours * 3600.0) as Moment;
            lines.push(Line { arrives_at, ..original });
        }
        let later = received_at + 3_600 + dice.between(0, 12 * DAY);
        let changed = Line { arrives_at: later, received_at: later, ..original };
        if act.is_mistaken {
            lines.push(Line { version: Version::Deleted, ..changed });
        } else if corrected(act).is_some() && dice.chance(CORRECTED_SHARE) {
            lines.push(Line { version: Version::Corrected, ..changed });
        }
        let is_session = matches!(act.event_type, "officer.login" | "officer.logout");
        // Sessions are about half of all acts, and every fault comes equally often.
        if is_session && dice.chance(2.0 * BROKEN_SHARE) {
            let fault = dice.pick(&Fault::ALL);
            lines.push(Line { version: Version::Broken(fault), ..original });
        }
    }
    lines
}

/// Most lines arrive within two minutes; work away from the network, and some units' month-end habit, take longer.
fn landing_delay(world: &World, act: &Act, dice: &mut Dice) -> Moment {
    let at_once = dice.between(1, 110);
    if matches!(act.event_type, "officer.login" | "officer.logout") {
        return if dice.chance(0.997) { at_once } else { dice.between(600, DAY) };
    }
    if act.is_backfilled {
        return dice.between(12 * DAY, 45 * DAY);
    }
    if BACKFILLERS.contains(&world.units[act.unit].id.as_str()) && dice.chance(0.25) {
        let (year, month, _) = civil(day_of(act.at));
        let next = if month == 12 { day(year + 1, 1, 1) } else { day(year, month + 1, 1) };
        let month_end = Moment::from(next.min(DAYS + 1)) * DAY - dice.between(7 * 3600, 40 * 3600);
        return (month_end - act.at).max(at_once);
    }
    match dice.unit() {
        part if part < 0.925 => at_once,
        part if part < 0.97 => dice.between(300, 9 * 3600),
        part if part < 0.993 => dice.between(DAY, 4 * DAY),
        _ => dice.between(6 * DAY, 50 * DAY),
    }
}

/// Returns the attributes of an act after a correction; none for an act that is never corrected.
fn corrected(act: &Act) -> Option<String> {
    let (before, after) = match act.event_type {
        "patrol.recorded" => ("\"none\"", "\"problem\""),
        "inspection.finished" => ("\"pending\"", "\"ordered\""),
        // A digit was left out of the amount.
        "case.decided" => ("\"fine_fen\":", "\"fine_fen\":1"),
        _ => return None,
    };
    act.attributes.contains(before).then(|| act.attributes.replacen(before, after, 1))
}

struct LineWriter<'a> {
    world: &'a World,
    acts: &'a [Act],
    seed: u64,
    row: Row,
}

impl LineWriter<'_> {
    fn write(&mut self, line: Line, file: &mut EventFile, format: Format) -> Result<(), Error> {
        self.describe(line);
        match line.version {
            Version::Broken(fault) if format == Format::Ndjson => {
                let mut bytes = Vec::new();
                self.row.render(&mut bytes);
                file.write_raw(&damage(&bytes, fault))
            }
            Version::Broken(_) => Ok(()),
            _ => file.write(&self.row),
        }
    }

    fn describe(&mut self, line: Line) {
        let act = &self.acts[line.act];
        let row = &mut self.row;
        row.clear();
        // A broken line is about an event of its own.
        let is_broken = matches!(line.version, Version::Broken(_));
        push_hex(&mut row.event_id, mix((line.act as u64) << 1 | u64::from(is_broken)) ^ self.seed);
        row.revision = u32::from(matches!(line.version, Version::Corrected | Version::Deleted));
        row.is_deleted = line.version == Version::Deleted;
        row.event_type = act.event_type;
        row.occurred_at = act.at;
        row.received_at = line.received_at;
        row.org_id.push_str(&self.world.units[act.unit].id);
        for (id, officer) in row.officer_ids.iter_mut().zip(act.team.iter().flatten()) {
            id.push_str(&officer_id(usize::from(*officer)));
        }
        row.object_id.push_str(&act.object_id);
        if let Some(party) = act.party {
            row.party_id.push_str(&party_id(party));
        }
        if let Some(item) = act.item {
            row.item_code.push_str(&item_code(item));
        }
        row.channel = act.channel;
        match corrected(act) {
            Some(attributes) if line.version == Version::Corrected => {
                row.attributes.push_str(&attributes);
            }
            _ => row.attributes.push_str(&act.attributes),
        }
    }
}

/// Breaks a rendered line so that no reader can take it for an event.
fn damage(rendered: &[u8], fault: Fault) -> Vec<u8> {
    let text = String::from_utf8_lossy(rendered);
    let line = text.trim_end();
    let field = "\"occurred_at\":\"";
    let (head, rest) = line.split_once(field).unwrap_or((line, ""));
    // What follows the time and its closing quote and comma.
    let tail = rest.split_once("\",").map_or("", |(_, tail)| tail);
    let with_time = |time: &str| format!("{head}{field}{time}\",{tail}").into_bytes();
    match fault {
        Fault::Truncated => line.as_bytes()[..line.len() * 3 / 5].to_vec(),
        Fault::NoTime => format!("{head}{tail}").into_bytes(),
        Fault::ImpossibleTime => with_time("2024-02-30T25:61:00+08:00"),
        Fault::FutureTime => with_time("2099-01-01T08:00:00+08:00"),
        Fault::WrongTypes => line
            .replace("\"org_id\":\"", "\"org_id\":17,\"unit\":\"")
            .replace("\"officer_ids\":[", "\"officer_ids\":[17,")
            .into_bytes(),
        Fault::InvalidUtf8 => {
            let mut bytes = line.as_bytes().to_vec();
            let place = head.len().saturating_sub(30);
            bytes[place] = 0xff;
            bytes[place + 1] = 0xfe;
            bytes
        }
    }
}

/// Returns the identifier of an officer.
pub(super) fn officer_id(index: usize) -> String {
    format!("officer-{:04}", index + 1)
}

/// Returns the identifier of a party.
pub(super) fn party_id(index: usize) -> String {
    format!("party-{:04}", index + 1)
}

/// Returns the code of an item.
pub(super) fn item_code(index: usize) -> String {
    format!("item-{:04}", index + 1)
}
