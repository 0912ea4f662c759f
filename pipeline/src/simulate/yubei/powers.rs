//! Which unit may use which item on which day.

use super::items::{Item, ItemKind, Version};
use super::units::{Kind, Unit};
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::Day;

/// What one unit may draw from for one kind of item.
#[derive(Debug, Default)]
struct Choices {
    /// Item, first day, first day after, and weight; common ones first.
    rows: Vec<(usize, Day, Day, f64)>,
}

/// The items that each unit may use.
#[derive(Debug)]
pub(super) struct Powers {
    /// By unit and kind of item.
    choices: Vec<[Choices; 3]>,
}

impl Powers {
    /// Towns use the items of their list, teams those that they hold, departments those of their domain.
    pub(super) fn new(units: &[Unit], items: &[Item]) -> Self {
        let choices = (0..units.len()).map(|unit| {
            [ItemKind::Penalty, ItemKind::Inspection, ItemKind::Compulsion]
                .map(|kind| choices_of(units, items, unit, kind))
        });
        Self { choices: choices.collect() }
    }

    /// Draws an item that the unit may use on a day; the first ones of the list are common.
    pub(super) fn draw(
        &self,
        unit: usize,
        kind: ItemKind,
        day: Day,
        dice: &mut Dice,
    ) -> Option<usize> {
        let rows = &self.choices[unit][kind as usize].rows;
        let weight = |row: &(usize, Day, Day, f64)| {
            let (_, from, until, weight) = *row;
            if from <= day && day < until { weight } else { 0.0 }
        };
        let weights: Vec<f64> = rows.iter().map(weight).collect();
        dice.weighted(&weights).map(|place| rows[place].0)
    }
}

/// A department without an item of the kind falls back to any item of its domain.
fn choices_of(units: &[Unit], items: &[Item], index: usize, kind: ItemKind) -> Choices {
    let unit = &units[index];
    let is_own = |item: &Item, version: &Version| match unit.kind {
        Kind::Town if unit.town_type == "镇" => version.for_zhen,
        Kind::Town => version.for_jiedao,
        Kind::Team => version.holder == index,
        Kind::Department => item.domain == unit.domain && version.holder == index,
    };
    let is_domain = |item: &Item, _: &Version| item.domain == unit.domain;
    let of_kind = |item: &Item| item.kind == kind;
    let mut choices = choose(items, of_kind, is_own);
    if choices.rows.is_empty() && unit.kind == Kind::Department {
        choices = choose(items, of_kind, is_domain);
    }
    if choices.rows.is_empty() && unit.kind == Kind::Department && kind != ItemKind::Compulsion {
        choices = choose(items, |_| true, is_domain);
    }
    choices
}

fn choose(
    items: &[Item],
    is_wanted: impl Fn(&Item) -> bool,
    may_use: impl Fn(&Item, &Version) -> bool,
) -> Choices {
    let mut choices = Choices::default();
    let mut place = 0;
    for (index, item) in items.iter().enumerate().filter(|(_, item)| is_wanted(item)) {
        let usable = item.versions.iter().filter(|version| may_use(item, version));
        let rows = usable.map(|version| {
            let until = version.until.unwrap_or(Day::MAX);
            (index, version.from, until, (1.0 + f64::from(place)).powf(-0.8))
        });
        let known = choices.rows.len();
        if !item.is_dead {
            choices.rows.extend(rows);
            place += i32::from(choices.rows.len() > known);
        }
    }
    choices
}
