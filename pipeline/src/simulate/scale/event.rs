//! The events of a slice of time: which they are, and what each one says.

use super::platform::{ITEM_COUNT, Platform, party_kind, push_officer, push_org};
use crate::simulate::dice::{mix, spread};
use crate::simulate::rhythm::BusyClock;
use crate::simulate::row::{Row, push_hex, push_number};

/// Longest way of a case from filing to closing, in busy time.
const CASE_SPAN: u64 = 130 * BusyClock::WORKING_DAY;

/// Longest inspection, in busy time.
const INSPECTION_SPAN: u64 = BusyClock::WORKING_DAY / 2;

/// A tenth of a working day, in busy time.
const TENTH: u64 = BusyClock::WORKING_DAY / 10;

/// One event of a file: when it happened in busy time, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    at: u64,
    what: What,
}

/// Which event: its family, its number in the family and the step of its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct What {
    number: u64,
    family: Family,
    step: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Filler,
    Inspection,
    Case,
}

impl What {
    /// Returns a number that no other event of the platform has.
    fn serial(self) -> u64 {
        self.number << 6 | (self.family as u64) << 4 | u64::from(self.step)
    }

    /// Returns a hash that all steps of one inspection or case share.
    fn subject(self, seed: u64) -> u64 {
        mix(seed ^ mix(self.number << 2 | self.family as u64))
    }
}

/// Returns the `count` events of a file in time order, without duplicates.
pub(super) fn keys_of_slice(platform: &Platform, file: u64, count: u64) -> Vec<Key> {
    let slice = (platform.slice_start(file), platform.slice_start(file + 1));
    let mut keys = Vec::with_capacity(count as usize);
    add_steps(platform, Family::Inspection, slice, &mut keys);
    add_steps(platform, Family::Case, slice, &mut keys);
    keys.truncate(count as usize);
    let fillers = count - keys.len() as u64;
    for index in 0..fillers {
        let what = What { number: file << 32 | index, family: Family::Filler, step: 0 };
        let within = spread(what.subject(platform.seed), slice.1 - slice.0);
        keys.push(Key { at: slice.0 + within, what });
    }
    keys.sort_unstable();
    keys
}

/// Adds the steps of one family that fall into `slice`.
fn add_steps(platform: &Platform, family: Family, slice: (u64, u64), keys: &mut Vec<Key>) {
    let (count, span) = match family {
        Family::Filler => return,
        Family::Inspection => (platform.inspections, INSPECTION_SPAN),
        Family::Case => (platform.cases, CASE_SPAN),
    };
    let total = platform.clock.total();
    let rank = |at: u64| (u128::from(at) * u128::from(count) / u128::from(total)) as u64;
    let first = rank(slice.0.saturating_sub(span)).saturating_sub(1);
    let last = (rank(slice.1) + 1).min(count);
    for number in first..last {
        let subject = What { number, family, step: 0 }.subject(platform.seed);
        let jitter = subject & 0xffff_ffff;
        let place = (u128::from(number) << 32) + u128::from(jitter);
        let start = ((place * u128::from(total) / u128::from(count)) >> 32) as u64;
        let mut add = |step: u8, after: u64| {
            let at = start + after;
            if slice.0 <= at && at < slice.1 {
                keys.push(Key { at, what: What { number, family, step } });
            }
        };
        match family {
            Family::Case => {
                case_steps(subject, &mut |step, after| add(step as u8, after.min(CASE_SPAN)));
            }
            _ => inspection_steps(subject, &mut add),
        }
    }
}

/// Steps: 0 credential shown, 1 started, 2 finished. One inspection in twenty begins without a credential.
fn inspection_steps(subject: u64, add: &mut impl FnMut(u8, u64)) {
    let hash = mix(subject ^ 0x11);
    if spread(hash, 20) > 0 {
        add(0, 0);
    }
    let start = 1 + TENTH / 60 + hash % (TENTH / 20);
    add(1, start);
    if spread(mix(hash), 200) > 0 {
        add(2, start + TENTH / 3 + (hash >> 8) % (TENTH * 2));
    }
}

/// The steps of a case in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaseStep {
    Filed,
    Investigated,
    Advanced,
    Notified,
    Reviewed,
    Decided,
    Served,
    Published,
    Paid,
    Closed,
    Withdrawn,
}

impl CaseStep {
    const ALL: [Self; 11] = [
        Self::Filed,
        Self::Investigated,
        Self::Advanced,
        Self::Notified,
        Self::Reviewed,
        Self::Decided,
        Self::Served,
        Self::Published,
        Self::Paid,
        Self::Closed,
        Self::Withdrawn,
    ];

    fn event_type(self) -> &'static str {
        match self {
            Self::Filed => "case.filed",
            Self::Investigated => "case.investigated",
            Self::Advanced => "case.advanced",
            Self::Notified => "case.notified",
            Self::Reviewed => "case.reviewed",
            Self::Decided => "case.decided",
            Self::Served => "case.served",
            Self::Published => "case.published",
            Self::Paid => "case.paid",
            Self::Closed => "case.closed",
            Self::Withdrawn => "case.withdrawn",
        }
    }
}

fn is_simple(subject: u64) -> bool {
    spread(mix(subject ^ 0x51), 100) < 30
}

/// Calls `add` with each step of a case and its busy time after filing.
fn case_steps(subject: u64, add: &mut impl FnMut(CaseStep, u64)) {
    let hash = mix(subject ^ 0x22);
    add(CaseStep::Filed, 0);
    if is_simple(subject) {
        add(CaseStep::Decided, TENTH / 4);
        add(CaseStep::Served, TENTH / 3);
        add(CaseStep::Paid, TENTH / 2);
        add(CaseStep::Closed, TENTH + hash % (20 * TENTH));
        return;
    }
    // The sum of three dice, cubed, has the long right tail of real cases: median about 24 working days.
    let dice = (0..3).map(|die| hash >> (die * 16) & 0xffff).sum::<u64>() as f64 / 196_605.0;
    let days = 3.0 + 150.0 * dice.powi(3) + 2.0 * dice;
    let decided = (days * BusyClock::WORKING_DAY as f64) as u64;
    add(CaseStep::Investigated, decided * 3 / 10);
    if spread(mix(hash ^ 1), 100) < 3 {
        add(CaseStep::Withdrawn, decided / 2);
        return;
    }
    if spread(mix(hash ^ 2), 100) < 60 {
        add(CaseStep::Advanced, decided / 2);
    }
    add(CaseStep::Notified, decided * 7 / 10);
    if spread(mix(hash ^ 3), 100) < 45 {
        add(CaseStep::Reviewed, decided * 8 / 10);
    }
    add(CaseStep::Decided, decided);
    let days_after = |salt: u64, from: u64, to: u64| {
        let span = (to - from) * BusyClock::WORKING_DAY;
        decided + from * BusyClock::WORKING_DAY + spread(mix(hash ^ salt), span)
    };
    let served = decided + TENTH + spread(mix(hash ^ 4), 6 * BusyClock::WORKING_DAY);
    add(CaseStep::Served, served);
    add(CaseStep::Published, days_after(5, 1, 8));
    if spread(mix(hash ^ 6), 100) < 90 {
        add(CaseStep::Paid, days_after(7, 8, 12));
    }
    if spread(mix(hash ^ 8), 100) < 97 {
        add(CaseStep::Closed, days_after(9, 12, 24));
    }
}

/// Fills `row` with all that is known about an event.
pub(super) fn describe(platform: &Platform, key: Key, row: &mut Row) {
    row.clear();
    let own = mix(platform.seed ^ mix(key.what.serial()));
    push_hex(&mut row.event_id, mix(key.what.serial() ^ platform.seed));
    row.occurred_at = platform.clock.moment(key.at);
    row.received_at = row.occurred_at + landing_delay(own);
    let subject = key.what.subject(platform.seed);
    let org = platform.org(mix(subject ^ 0x33));
    push_org(&mut row.org_id, org);
    match key.what.family {
        Family::Filler => describe_filler(platform, org, key.what, own, row),
        Family::Inspection => describe_inspection(platform, org, key.what, subject, row),
        Family::Case => describe_case(platform, org, key.what, subject, row),
    }
}

/// Most lines arrive within a minute, one in a hundred within days.
fn landing_delay(own: u64) -> i64 {
    let delay = mix(own ^ 0x44);
    let seconds = match delay % 1000 {
        0..10 => 86_400 + spread(delay, 20 * 86_400),
        10..60 => 300 + spread(delay, 30_000),
        _ => 1 + spread(delay, 60),
    };
    seconds as i64
}

/// Names two officers of the unit; one act in a hundred has only one. A tenth of a unit never acts.
fn push_team(platform: &Platform, org: usize, hash: u64, row: &mut Row) {
    let (first, count) = platform.officers(org);
    let at = row.occurred_at;
    let acting = (count * 89).div_ceil(100);
    let lead = skewed(mix(hash ^ 0x55), acting);
    push_officer(&mut row.officer_ids[0], platform.posted(org, first + lead, at));
    if acting > 1 && spread(hash, 100) > 0 {
        let other = (lead + 1 + spread(mix(hash ^ 0x66), acting - 1)) % acting;
        push_officer(&mut row.officer_ids[1], platform.posted(org, first + other, at));
    }
}

/// Spreads a hash over `0..len` so that low numbers come more often.
fn skewed(hash: u64, len: u64) -> u64 {
    let unit = (hash >> 32) as f64 / 4_294_967_296.0;
    ((unit * unit * len as f64) as u64).min(len.saturating_sub(1))
}

fn describe_inspection(platform: &Platform, org: usize, what: What, subject: u64, row: &mut Row) {
    push_team(platform, org, subject, row);
    // Of a hundred inspections two neighbours are one joint visit: one task, one party.
    let joint_task = (what.number % 100 < 2).then_some(what.number / 100);
    let visited = joint_task.map_or(subject, |task| mix(platform.seed ^ 0x99 ^ task));
    let party = push_subject(platform, visited, row);
    row.channel = if spread(subject, 10) > 0 { "app" } else { "pc" };
    row.object_id.push_str("insp-");
    push_number(&mut row.object_id, what.number, 9);
    if what.step == 0 {
        row.event_type = "credential.shown";
        return;
    }
    let kinds = ["routine", "routine", "routine", "special", "special", "clue", "immediate"];
    row.attributes.push_str("{\"kind\":\"");
    row.attributes.push_str(kinds[spread(mix(subject ^ 0x77), 7) as usize]);
    row.attributes.push_str("\",\"party_kind\":\"");
    row.attributes.push_str(party_kind(party));
    let mut has_problem = false;
    if what.step == 1 {
        row.event_type = "inspection.started";
    } else {
        row.event_type = "inspection.finished";
        let result = match spread(mix(subject ^ 0x88), 100) {
            0..66 => "no_problem",
            66..86 => "ordered",
            86..98 => "pending",
            _ => "no_entry",
        };
        row.attributes.push_str("\",\"result\":\"");
        row.attributes.push_str(result);
        has_problem = matches!(result, "ordered" | "pending");
        if let Some(task) = joint_task {
            row.attributes.push_str("\",\"joint_task_id\":\"joint-");
            push_number(&mut row.attributes, task, 7);
        }
    }
    row.attributes.push_str("\",\"double_random\":");
    row.attributes.push_str(if spread(mix(subject ^ 0xaa), 6) == 0 { "true" } else { "false" });
    if has_problem {
        row.attributes.push_str(",\"problems\":");
        push_number(&mut row.attributes, 1 + spread(mix(subject ^ 0x89), 3), 1);
    }
    row.attributes.push('}');
}

/// Names the inspected or penalised party, which it returns, and the item.
fn push_subject(platform: &Platform, subject: u64, row: &mut Row) -> u64 {
    let party = skewed(mix(subject ^ 0xbb), platform.parties);
    row.party_id.push_str("party-");
    push_number(&mut row.party_id, party + 1, 6);
    row.item_code.push_str("item-");
    push_number(&mut row.item_code, skewed(mix(subject ^ 0xcc), ITEM_COUNT) + 1, 4);
    party
}

fn describe_case(platform: &Platform, org: usize, what: What, subject: u64, row: &mut Row) {
    let step = CaseStep::ALL[usize::from(what.step)];
    row.event_type = step.event_type();
    if step != CaseStep::Paid {
        push_team(platform, org, subject, row);
    }
    let party = push_subject(platform, subject, row);
    row.object_id.push_str("case-");
    push_number(&mut row.object_id, what.number, 9);
    row.channel = if step == CaseStep::Paid { "import" } else { "pc" };
    let simple = is_simple(subject);
    let fine_fen = if simple {
        5_000 + spread(mix(subject ^ 0xdd), 30) * 500
    } else {
        50_000 + spread(mix(subject ^ 0xdd), 600) * 5_000
    };
    let attributes = &mut row.attributes;
    match step {
        CaseStep::Filed => {
            attributes.push_str("{\"procedure\":\"");
            attributes.push_str(if simple { "simple" } else { "ordinary" });
            let origins = ["inspection", "inspection", "patrol", "complaint", "transfer"];
            attributes.push_str("\",\"origin\":\"");
            attributes.push_str(origins[spread(subject, 5) as usize]);
            attributes.push_str("\",\"party_kind\":\"");
            attributes.push_str(party_kind(party));
            attributes.push_str("\",\"documents\":2}");
        }
        CaseStep::Decided => {
            attributes.push_str("{\"penalty_types\":[\"罚款\"],\"fine_fen\":");
            push_number(attributes, fine_fen, 1);
            attributes.push_str(",\"document_no\":\"罚决");
            push_number(attributes, what.number, 9);
            // One decision in twelve of the ordinary ones is of the most expensive.
            let is_major = fine_fen >= 2_800_000;
            attributes.push_str("\",\"is_major\":");
            attributes.push_str(if is_major { "true" } else { "false" });
            attributes.push_str(",\"documents\":1}");
        }
        CaseStep::Paid => {
            attributes.push_str("{\"paid_fen\":");
            push_number(attributes, fine_fen, 1);
            attributes.push('}');
        }
        CaseStep::Advanced => attributes.push_str("{\"step\":\"evidence_uploaded\"}"),
        CaseStep::Reviewed => attributes.push_str("{\"opinion\":\"agree\",\"documents\":1}"),
        CaseStep::Served => attributes.push_str("{\"method\":\"direct\",\"documents\":1}"),
        CaseStep::Closed => attributes.push_str("{\"method\":\"paid\",\"documents\":1}"),
        CaseStep::Withdrawn => attributes.push_str("{\"reason\":\"not_established\"}"),
        CaseStep::Investigated => attributes.push_str("{\"documents\":3}"),
        CaseStep::Notified => attributes.push_str("{\"documents\":1}"),
        CaseStep::Published => {}
    }
}

/// Describes an event that stands alone. Most are logins and logouts.
fn describe_filler(platform: &Platform, org: usize, what: What, own: u64, row: &mut Row) {
    row.channel = if spread(own, 3) > 0 { "app" } else { "pc" };
    let (first, count) = platform.officers(org);
    let anyone = platform.posted(org, first + skewed(mix(own ^ 0xee), count), row.occurred_at);
    match spread(mix(own ^ 0xff), 1000) {
        0..45 => {
            row.event_type = "patrol.recorded";
            push_team(platform, org, own, row);
            row.object_id.push_str("patrol-");
            push_number(&mut row.object_id, what.number, 9);
            let has_problem = spread(own, 4) == 0;
            let result = if has_problem { "problem" } else { "none" };
            row.attributes.push_str("{\"result\":\"");
            row.attributes.push_str(result);
            row.attributes.push_str("\"}");
        }
        45..65 => {
            row.event_type = "training.completed";
            push_officer(&mut row.officer_ids[0], anyone);
            row.attributes.push_str("{\"course\":\"course-");
            push_number(&mut row.attributes, spread(own, 40), 2);
            row.attributes.push_str("\",\"hours\":");
            push_number(&mut row.attributes, 4 + spread(mix(own), 28), 1);
            row.attributes.push_str(",\"mode\":\"online\"}");
        }
        65..67 if platform.cases > 0 => {
            row.event_type = "dossier.reviewed";
            push_team(platform, org, own, row);
            row.object_id.push_str("dossier-");
            push_number(&mut row.object_id, mix(own) % 1_000_000_000, 9);
            row.attributes.push_str("{\"case_id\":\"case-");
            push_number(&mut row.attributes, spread(own, platform.cases), 9);
            row.attributes.push_str("\",\"score\":");
            push_number(&mut row.attributes, 60 + spread(mix(own), 30), 1);
            row.attributes.push_str(",\"grade\":\"qualified\"}");
        }
        67..360 => {
            row.event_type = "officer.logout";
            push_officer(&mut row.officer_ids[0], anyone);
        }
        _ => {
            row.event_type = "officer.login";
            push_officer(&mut row.officer_ids[0], anyone);
        }
    }
}

#[cfg(test)]
impl Key {
    /// Says whether the event belongs to no inspection and no case.
    pub(super) fn is_filler(self) -> bool {
        self.what.family == Family::Filler
    }
}
