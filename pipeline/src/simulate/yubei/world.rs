//! The district as the acts find it: who may act where on which day, and who is visited about what.

use super::items::{self, Item, ItemKind};
use super::people::{self, Officer};
use super::powers::Powers;
use super::units::{self, AREAS, Kind, SILENCES, Unit};
use crate::simulate::dice::{Dice, mix, spread};
use crate::simulate::rhythm::{
    DAY, DAYS, DAYS_2024, Day, EVENING_HOURS, Moment, OFFICE_HOURS, day_weight, is_working,
};

/// An event before it is delivered.
#[derive(Debug, Clone, Default)]
pub(super) struct Act {
    pub(super) at: Moment,
    pub(super) event_type: &'static str,
    pub(super) unit: usize,
    pub(super) team: Team,
    pub(super) object_id: String,
    /// Index of the party.
    pub(super) party: Option<usize>,
    /// Index of the item.
    pub(super) item: Option<usize>,
    pub(super) channel: &'static str,
    /// A JSON object or nothing.
    pub(super) attributes: String,
    /// Whether the record was a mistake and is deleted later.
    pub(super) is_mistaken: bool,
    /// Whether the record was entered weeks after the act.
    pub(super) is_backfilled: bool,
}

/// The officers of an act: two, or one, or none.
pub(super) type Team = [Option<u16>; 2];

/// A party that is inspected or penalised.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) is_firm: bool,
    /// Index into [`AREAS`].
    pub(super) area: usize,
    pub(super) credit_class: char,
    pub(super) risk_tier: &'static str,
}

/// Share of acts with one officer although the law asks for two.
const ALONE_SHARE: f64 = 0.008;

/// Everything that stands still while the acts happen.
#[derive(Debug)]
pub(super) struct World {
    pub(super) units: Vec<Unit>,
    pub(super) officers: Vec<Officer>,
    pub(super) parties: Vec<Party>,
    pub(super) items: Vec<Item>,
    /// Officers that are ever posted to each unit.
    members: Vec<Vec<u16>>,
    /// Running sum of the weights of all days, per unit; silent days weigh nothing.
    day_sums: Vec<Vec<f64>>,
    /// Firms and persons per area.
    parties_by_area: [[Vec<usize>; 2]; 4],
    powers: Powers,
}

impl World {
    /// Builds the district of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let units = units::all();
        let officers = people::hire(&units, seed);
        let parties = register_parties(seed);
        let mut members = vec![Vec::new(); units.len()];
        for (index, officer) in officers.iter().enumerate() {
            for (unit, _) in &officer.postings {
                members[*unit].push(index as u16);
            }
        }
        let mut parties_by_area = <[[Vec<usize>; 2]; 4]>::default();
        for (index, party) in parties.iter().enumerate() {
            parties_by_area[party.area][usize::from(!party.is_firm)].push(index);
        }
        let day_sums = units.iter().map(day_sums).collect();
        let items = items::list(&units);
        let powers = Powers::new(&units, &items);
        Self { units, officers, parties, items, members, day_sums, parties_by_area, powers }
    }

    /// Returns the units of one kind.
    pub(super) fn units_of(&self, is_wanted: impl Fn(Kind) -> bool) -> Vec<usize> {
        (0..self.units.len()).filter(|unit| is_wanted(self.units[*unit].kind)).collect()
    }

    /// Returns the unit with this identifier; the first unit if there is none.
    pub(super) fn unit(&self, id: &str) -> usize {
        self.units.iter().position(|unit| unit.id == id).unwrap_or(0)
    }

    /// Says whether a unit works on a day.
    pub(super) fn is_open(&self, unit: usize, day: Day) -> bool {
        is_open(&self.units[unit], day)
    }

    /// Draws a day in `from..until` on which the unit is open, busy days more often.
    pub(super) fn draw_day(
        &self,
        unit: usize,
        from: Day,
        until: Day,
        dice: &mut Dice,
    ) -> Option<Day> {
        let sums = &self.day_sums[unit];
        let (low, high) = (sums[from.max(0) as usize], sums[until.clamp(0, DAYS) as usize]);
        let target = low + dice.unit() * (high - low);
        let day = sums.partition_point(|sum| *sum <= target) as Day - 1;
        (high > low).then_some(day.clamp(from.max(0), until - 1))
    }

    /// Draws an officer who may act for the unit on a day, keen ones more often.
    pub(super) fn draw_officer(
        &self,
        unit: usize,
        day: Day,
        other: Option<u16>,
        dice: &mut Dice,
    ) -> Option<u16> {
        let members = &self.members[unit];
        let weights: Vec<f64> = members
            .iter()
            .map(|index| {
                let officer = &self.officers[usize::from(*index)];
                let may =
                    officer.may_act(day) && officer.unit_on(day) == unit && Some(*index) != other;
                if may { officer.zeal * mood(*index, day) } else { 0.0 }
            })
            .collect();
        dice.weighted(&weights).map(|place| members[place])
    }

    /// Draws the two officers of an act; one act in a hundred has only one.
    pub(super) fn draw_team(&self, unit: usize, day: Day, dice: &mut Dice) -> Option<Team> {
        let lead = self.draw_officer(unit, day, None, dice)?;
        Some(self.team_of(lead, unit, day, dice))
    }

    /// Draws the one officer of an act at a desk; a few colleagues do this work for the whole unit.
    pub(super) fn draw_clerk(&self, unit: usize, day: Day, dice: &mut Dice) -> Option<Team> {
        let may = |index: u16| {
            let officer = &self.officers[usize::from(index)];
            officer.may_act(day) && officer.unit_on(day) == unit
        };
        let mut able = self.members[unit].iter().copied().filter(|index| may(*index));
        let desk: Vec<u16> = able.by_ref().take(1 + self.units[unit].officers / 30).collect();
        (!desk.is_empty()).then(|| [Some(dice.pick(&desk)), None])
    }

    /// Gives an officer a colleague.
    pub(super) fn team_of(&self, lead: u16, unit: usize, day: Day, dice: &mut Dice) -> Team {
        let is_alone = dice.chance(ALONE_SHARE);
        let second = self.draw_officer(unit, day, Some(lead), dice);
        [Some(lead), second.filter(|_| !is_alone)]
    }

    /// Returns `team` as far as it may still act, with others in place of those who may not.
    pub(super) fn renew_team(&self, team: Team, unit: usize, day: Day, dice: &mut Dice) -> Team {
        let may_stay = |officer: u16| {
            let officer = &self.officers[usize::from(officer)];
            officer.may_act(day) && officer.unit_on(day) == unit
        };
        if team.iter().flatten().all(|officer| may_stay(*officer)) && team[0].is_some() {
            return team;
        }
        self.draw_team(unit, day, dice).unwrap_or_default()
    }

    /// Draws a party that the unit can meet; a few parties are met again and again.
    pub(super) fn draw_party(&self, unit: usize, is_firm: bool, dice: &mut Dice) -> usize {
        self.draw_party_by(unit, is_firm, 1.8, dice)
    }

    /// The higher the skew, the more often the same parties come up.
    fn draw_party_by(&self, unit: usize, is_firm: bool, skew: f64, dice: &mut Dice) -> usize {
        let home = AREAS.iter().position(|area| *area == self.units[unit].area);
        let area = home.unwrap_or_else(|| dice.below(AREAS.len()));
        let parties = &self.parties_by_area[area][usize::from(!is_firm)];
        let place = (dice.unit().powf(skew) * parties.len() as f64) as usize;
        parties[place.min(parties.len() - 1)]
    }

    /// Draws a firm to inspect. In 2025 visits are spread more evenly, and go by credit class and risk.
    pub(super) fn draw_visited(&self, unit: usize, day: Day, dice: &mut Dice) -> usize {
        if day < DAYS_2024 {
            return self.draw_party(unit, true, dice);
        }
        let mut party = self.draw_party_by(unit, true, 1.35, dice);
        for _ in 0..4 {
            let Party { credit_class, risk_tier, .. } = self.parties[party];
            let by_credit = match credit_class {
                'A' => 0.3,
                'B' => 0.55,
                'C' => 0.85,
                _ => 1.0,
            };
            let by_risk = match risk_tier {
                "low" => 0.55,
                "medium" => 0.8,
                _ => 1.0,
            };
            if dice.chance(by_credit * by_risk) {
                break;
            }
            party = self.draw_party_by(unit, true, 1.35, dice);
        }
        party
    }

    /// Draws an item that the unit may use on a day.
    pub(super) fn draw_item(
        &self,
        unit: usize,
        kind: ItemKind,
        day: Day,
        dice: &mut Dice,
    ) -> Option<usize> {
        self.powers.draw(unit, kind, day, dice)
    }

    /// Draws a moment of the first working day on or after `day` on which the unit is open.
    pub(super) fn working_moment(&self, unit: usize, day: Day, dice: &mut Dice) -> Option<Moment> {
        let mut days = day.max(0)..DAYS;
        let day = days.find(|day| is_working(*day) && self.is_open(unit, *day))?;
        Some(draw_time(day, &OFFICE_HOURS, dice))
    }

    /// Draws a time of day for a visit: evenings for street work in the warm months, office hours otherwise.
    pub(super) fn draw_visit_time(&self, unit: usize, day: Day, dice: &mut Dice) -> Moment {
        let unit = &self.units[unit];
        let is_street =
            unit.kind == Kind::Town || ["城市管理", "文化旅游", "公安"].contains(&unit.domain);
        let is_warm = (120..290).contains(&(day % DAYS_2024));
        let evening = match (is_street, is_warm, is_working(day)) {
            (true, true, false) => 0.55,
            (true, true, true) => 0.17,
            (true, false, _) => 0.08,
            (false, ..) => 0.01,
        };
        let hours = if dice.chance(evening) { &EVENING_HOURS } else { &OFFICE_HOURS };
        draw_time(day, hours, dice)
    }
}

/// Draws a moment of a day by the weights of its hours.
pub(super) fn draw_time(day: Day, hours: &[u32; 24], dice: &mut Dice) -> Moment {
    let weights: [f64; 24] = std::array::from_fn(|hour| f64::from(hours[hour]));
    let hour = dice.weighted(&weights).unwrap_or(0) as Moment;
    Moment::from(day) * DAY + hour * 3600 + dice.between(0, 3599)
}

/// An officer has good and bad months: the same officer and month always give the same factor.
fn mood(officer: u16, day: Day) -> f64 {
    match spread(mix(u64::from(officer) << 32 | (day / 30) as u64), 10) {
        0..3 => 0.01,
        3..6 => 0.1,
        _ => 1.7,
    }
}

fn is_open(unit: &Unit, day: Day) -> bool {
    unit.live_from <= day
        && !SILENCES
            .iter()
            .any(|silence| silence.org_id == unit.id && silence.from <= day && day < silence.until)
}

/// Use of the platform grows through 2024 and then stays.
fn growth(day: Day) -> f64 {
    0.72 + 0.42 * f64::from(day.min(DAYS_2024)) / f64::from(DAYS_2024)
}

fn day_sums(unit: &Unit) -> Vec<f64> {
    let mut sum = 0.0;
    let mut sums = vec![0.0];
    for day in 0..DAYS {
        if is_open(unit, day) {
            sum += day_weight(day) * growth(day);
        }
        sums.push(sum);
    }
    sums
}

fn register_parties(seed: u64) -> Vec<Party> {
    let mut dice = Dice::new(seed, "parties");
    let party = |number: usize| Party {
        is_firm: number % 5 < 4,
        area: dice.below(AREAS.len()),
        credit_class: dice.pick(&['A', 'A', 'A', 'B', 'B', 'B', 'B', 'B', 'C', 'C', 'D']),
        risk_tier: dice.pick(&["low", "low", "medium", "medium", "high"]),
    };
    (0..6_000).map(party).collect()
}
