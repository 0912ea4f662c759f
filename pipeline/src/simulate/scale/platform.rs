//! The units, officers and volumes of a `scale` platform, and its reference tables.

use crate::simulate::dice::{mix, spread};
use crate::simulate::rhythm::{BusyClock, DAY, DAYS_2024, Moment};
use crate::simulate::row::push_number;
use crate::simulate::write::{CsvFile, ITEMS, OFFICERS, ORGS, PARTIES};
use crate::simulate::{Error, Options, Summary};

/// Items of the catalogue.
pub(super) const ITEM_COUNT: u64 = 600;

/// Inspections per thousand events, each of about three events.
const INSPECTIONS_PER_MILLE: u64 = 97;

/// Cases per thousand events, each of about seven events.
const CASES_PER_MILLE: u64 = 22;

/// The reform's date: units and postings begin here.
const VALID_FROM: &str = "2023-10-25";

/// What every file needs to know; the same for all of them.
#[derive(Debug)]
pub(super) struct Platform {
    pub(super) seed: u64,
    pub(super) events: u64,
    pub(super) files: u64,
    pub(super) inspections: u64,
    pub(super) cases: u64,
    pub(super) parties: u64,
    pub(super) clock: BusyClock,
    /// First officer of each unit; one entry more than units.
    pub(super) first_officer: Vec<u32>,
    /// Running sum of the units' business; one entry per unit.
    business: Vec<u64>,
    districts: usize,
}

impl Platform {
    /// Plans a platform of the asked size.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        if options.officers == 0 || options.orgs == 0 || options.districts == 0 {
            return Err(Error::Options(
                "a platform needs at least one officer, one unit and one district".to_owned(),
            ));
        }
        if options.districts > options.orgs {
            return Err(Error::Options(format!(
                "{} units are too few for {} districts; every district needs one",
                options.orgs, options.districts
            )));
        }
        let seed = mix(options.seed);
        let first_officer = officer_blocks(seed, options.officers, options.orgs);
        let business = first_officer
            .windows(2)
            .enumerate()
            .scan(0, |total, (org, block)| {
                let officers = u64::from(block[1] - block[0]);
                *total += officers * (20 + spread(mix(seed ^ 0x0b ^ org as u64), 80));
                Some(*total)
            })
            .collect();
        Ok(Self {
            seed,
            events: options.events,
            files: options.events.div_ceil(super::FILE_EVENTS).max(1),
            inspections: options.events / 1000 * INSPECTIONS_PER_MILLE,
            cases: options.events / 1000 * CASES_PER_MILLE,
            parties: (options.events / 150).clamp(50, 500_000),
            clock: BusyClock::new(),
            first_officer,
            business,
            districts: options.districts as usize,
        })
    }

    /// Returns the number of the first line of a file; its lines end where the next file begins.
    pub(super) fn first_line(&self, file: u64) -> u64 {
        portion(file, self.files, self.events)
    }

    /// Returns the busy time at which a file begins; its slice ends where the next file begins.
    pub(super) fn slice_start(&self, file: u64) -> u64 {
        portion(file, self.files, self.clock.total())
    }

    /// Returns the unit that a hash falls on, busy units more often.
    pub(super) fn org(&self, hash: u64) -> usize {
        let total = self.business.last().copied().unwrap_or(0);
        let at = spread(hash, total);
        self.business.partition_point(|sum| *sum <= at).min(self.business.len() - 1)
    }

    /// Returns the officers of a unit: the first one and how many.
    pub(super) fn officers(&self, org: usize) -> (u64, u64) {
        let first = u64::from(self.first_officer[org]);
        (first, u64::from(self.first_officer[org + 1]) - first)
    }

    fn orgs(&self) -> usize {
        self.business.len()
    }

    /// Returns the district of a unit; both are counted from zero.
    fn district(&self, org: usize) -> usize {
        org * self.districts / self.orgs()
    }

    /// Returns the first unit of a district.
    fn first_org(&self, district: usize) -> usize {
        (district * self.orgs()).div_ceil(self.districts)
    }

    /// Returns the unit that the movers of a unit go to: as far on as a district is large.
    fn next_org(&self, org: usize) -> usize {
        (org + self.orgs() / self.districts) % self.orgs()
    }

    /// Returns the unit whose movers come to a unit.
    fn previous_org(&self, org: usize) -> usize {
        (org + self.orgs() - self.orgs() / self.districts) % self.orgs()
    }

    /// Says whether an officer moves to the next district.
    fn is_mover(&self, officer: u64) -> bool {
        self.districts > 1 && officer % MOVERS == MOVERS - 1
    }

    /// Returns who does at `at` what an officer of a unit would do: after a move another one who has
    /// come to the unit.
    pub(super) fn posted(&self, org: usize, officer: u64, at: Moment) -> u64 {
        if at < MOVED_AT || !self.is_mover(officer) {
            return officer;
        }
        let (first, count) = self.officers(self.previous_org(org));
        let came = (first / MOVERS + 1) * MOVERS - 1;
        // Where nobody has come a colleague does it.
        if came < first + count { came } else { officer - 1 }
    }
}

/// One officer in this many moves to another district, where there are several.
const MOVERS: u64 = 50;

/// The day of their move, and its first moment.
const MOVED_ON: &str = "2025-01-01";
const MOVED_AT: Moment = DAYS_2024 as Moment * DAY;

/// Returns `whole * part / parts` without overflow.
fn portion(part: u64, parts: u64, whole: u64) -> u64 {
    (u128::from(whole) * u128::from(part) / u128::from(parts)) as u64
}

/// Cuts the officers into one block per unit, the largest about eight times the smallest.
fn officer_blocks(seed: u64, officers: u32, orgs: u32) -> Vec<u32> {
    let shares: Vec<u64> =
        (0..u64::from(orgs)).map(|org| 10 + spread(mix(seed ^ 0x5e ^ org), 70)).collect();
    let total: u64 = shares.iter().sum();
    let mut firsts = vec![0];
    let mut sum = 0;
    for share in shares {
        sum += share;
        firsts.push(portion(sum, total, u64::from(officers)) as u32);
    }
    firsts
}

/// Writes the reference tables.
pub(super) fn write_reference(options: &Options, platform: &Platform) -> Result<Summary, Error> {
    let mut summary = Summary { events: 0, bytes: 0, files: Vec::new() };
    for csv in [
        write_orgs(options, platform)?,
        write_officers(options, platform)?,
        write_parties(options, platform)?,
        write_items(options, platform)?,
    ] {
        let (path, bytes) = csv.finish()?;
        summary.files.push(path);
        summary.bytes += bytes;
    }
    Ok(summary)
}

/// Of eight units three are towns, four departments, and the last is a team of the department before it. Several
/// districts are under a municipality, and have areas of the same names.
fn write_orgs(options: &Options, platform: &Platform) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "orgs", ORGS)?;
    let has_districts = platform.districts > 1;
    if has_districts {
        csv.row(&format!(
            "municipality-01,模拟市,Model City,municipality,,,,,false,,,,true,{VALID_FROM},"
        ))?;
        for district in 0..platform.districts {
            let (number, id) = (district + 1, district_id(district));
            csv.row(&format!(
                "{id},第{number}区,District {number},district,,,municipality-01,,false,,,,true,{VALID_FROM},"
            ))?;
        }
    }
    for org in 0..platform.orgs() {
        let number = org + 1;
        let domain = org % 36 + 1;
        let district = platform.district(org);
        let first = platform.first_org(district);
        let areas = ((platform.orgs() / platform.districts) / 16).max(4);
        let parent = if has_districts { district_id(district) } else { String::new() };
        let team_parent =
            if org > first || !has_districts { format!("org-{org:04}") } else { parent.clone() };
        let values = match org % 8 {
            0..3 => format!(
                "org-{number:04},第{number}镇街,Town {number},town,{},片区{:02},{parent},镇街综合执法,true,agency,,,true,{VALID_FROM},",
                if org % 2 == 0 { "镇" } else { "街道" },
                (org - first) / 8 % areas + 1,
            ),
            3..7 => format!(
                "org-{number:04},第{number}部门,Department {number},department,,,{parent},领域{domain:02},true,agency,,,true,{VALID_FROM},"
            ),
            _ => format!(
                "org-{number:04},第{number}支队,Team {number},team,,,{team_parent},领域{domain:02},false,entrusted,district,,true,{VALID_FROM},"
            ),
        };
        csv.row(&values)?;
    }
    Ok(csv)
}

fn district_id(district: usize) -> String {
    format!("district-{:03}", district + 1)
}

fn write_officers(options: &Options, platform: &Platform) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "officers", OFFICERS)?;
    let mut values = String::new();
    for org in 0..platform.orgs() {
        let (first, count) = platform.officers(org);
        for officer in first..first + count {
            let moves = platform.is_mover(officer);
            let postings = if moves {
                &[(VALID_FROM, MOVED_ON), (MOVED_ON, "")][..]
            } else {
                &[(VALID_FROM, "")][..]
            };
            for (posting, (from, to)) in postings.iter().enumerate() {
                values.clear();
                push_officer(&mut values, officer);
                values.push(',');
                push_org(&mut values, if posting == 0 { org } else { platform.next_org(org) });
                values.push_str(if officer % 8 == 7 { ",B,500112" } else { ",A,500112" });
                push_number(&mut values, officer + 1, 7);
                values.push_str(",2022-06-01,,2023-12-01,true,");
                values.push_str(from);
                values.push(',');
                values.push_str(to);
                csv.row(&values)?;
            }
        }
    }
    Ok(csv)
}

fn write_parties(options: &Options, platform: &Platform) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "parties", PARTIES)?;
    let areas = u64::from((options.orgs / 16).max(4));
    for party in 0..platform.parties {
        let number = party + 1;
        let hash = mix(platform.seed ^ 0x9a ^ party);
        let kind = party_kind(party);
        let name = if kind == "person" { "相对人" } else { "企业" };
        let class = ["A", "B", "B", "C", "C", "D"][spread(hash, 6) as usize];
        let tier = ["low", "medium", "medium", "high"][spread(mix(hash), 4) as usize];
        let area = hash % areas + 1;
        csv.row(&format!(
            "party-{number:06},{name}{number:06},{kind},{class},{tier},片区{area:02},true,{VALID_FROM},"
        ))?;
    }
    Ok(csv)
}

/// Every district has a list of all items. Its units take turns in exercising them; every sixth is on the list of the
/// 镇, every seventh of the 街道, a little otherwise in each district.
fn write_items(options: &Options, platform: &Platform) -> Result<CsvFile, Error> {
    let has_districts = platform.districts > 1;
    let columns = if has_districts { format!("{ITEMS},district_id") } else { ITEMS.to_owned() };
    let mut csv = CsvFile::create(&options.out, "items", &columns)?;
    for district in 0..platform.districts {
        let first = platform.first_org(district);
        let orgs = (platform.first_org(district + 1) - first) as u64;
        let district_cell =
            if has_districts { format!(",{}", district_id(district)) } else { String::new() };
        for item in 0..ITEM_COUNT {
            let number = item + 1;
            let domain = item % 36 + 1;
            let kind = ["penalty", "penalty", "inspection"][(item % 3) as usize];
            let turn = item + district as u64;
            let holder = first as u64 + turn % orgs + 1;
            let (for_zhen, for_jiedao) = (turn.is_multiple_of(6), turn.is_multiple_of(7));
            csv.row(&format!(
                "item-{number:04},事项{number:04},领域{domain:02},{kind},statutory,org-{holder:04},{for_zhen},{for_jiedao},1,true,true,{VALID_FROM},{district_cell}"
            ))?;
        }
    }
    Ok(csv)
}

/// Returns what a party is: one in six is a person.
pub(super) fn party_kind(party: u64) -> &'static str {
    if party % 6 == 5 { "person" } else { "firm" }
}

/// Appends the identifier of a unit, counted from zero.
pub(super) fn push_org(text: &mut String, org: usize) {
    text.push_str("org-");
    push_number(text, org as u64 + 1, 4);
}

/// Appends the identifier of an officer, counted from zero.
pub(super) fn push_officer(text: &mut String, officer: u64) {
    text.push_str("officer-");
    push_number(text, officer + 1, 7);
}
