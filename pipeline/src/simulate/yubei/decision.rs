//! What a case decides.

use super::attributes::Attributes;
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS_2024, Day};

/// A penalty in 分.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Penalty {
    types: &'static [&'static str],
    pub(super) fine_fen: i64,
    confiscated_fen: i64,
    /// Whether art. 58 asks for a legal review.
    pub(super) is_major: bool,
    /// Whether the decision is of a kind that is published.
    pub(super) is_publishable: bool,
}

/// Penalties beside a fine.
const COMBINED: [&[&str]; 6] = [
    &["警告", "罚款"],
    &["罚款", "没收违法所得"],
    &["罚款", "没收违法所得"],
    &["罚款", "没收非法财物"],
    &["罚款", "责令停产停业"],
    &["罚款", "吊销许可证件"],
];

/// Says whether the party may ask for a hearing in Chongqing: from 5,000 yuan, for firms from 50,000.
pub(super) fn is_above_hearing_threshold(penalty: &Penalty, is_firm: bool) -> bool {
    let threshold = if is_firm { 5_000_000 } else { 500_000 };
    penalty.fine_fen.max(penalty.confiscated_fen) >= threshold
}

impl Penalty {
    /// A warning or a small fine; once in a while one above the ceiling of persons.
    pub(super) fn on_the_spot(is_firm: bool, dice: &mut Dice) -> Self {
        let mut fine_fen = dice.pick(&[0, 5_000, 10_000, 10_000, 15_000, 20_000]);
        if is_firm && fine_fen > 0 {
            fine_fen *= dice.pick(&[1, 1, 2, 5, 10]);
        } else if fine_fen == 20_000 && dice.chance(0.02) {
            fine_fen = 50_000;
        }
        let types: &[&str] = if fine_fen == 0 { &["警告"] } else { &["罚款"] };
        let is_publishable = dice.chance(0.05);
        Self { types, fine_fen, confiscated_fen: 0, is_major: false, is_publishable }
    }

    /// A fine, sometimes with another penalty. Fines of 2025 are lower, so that all together hardly grow.
    pub(super) fn ordinary(is_firm: bool, day: Day, dice: &mut Dice) -> Self {
        let median = if day < DAYS_2024 { 300_000.0 } else { 250_000.0 };
        let fine_fen = (dice.lognormal(median, 1.2) / 10_000.0).ceil() as i64 * 10_000;
        let types: &[&str] = match dice.unit() {
            part if part < 0.80 => &["罚款"],
            part if part < 0.815 => &["通报批评", "罚款"],
            _ => dice.pick(&COMBINED),
        };
        let confiscated_fen = if types.contains(&"没收违法所得") {
            (dice.lognormal(180_000.0, 1.0) / 100.0).ceil() as i64 * 100
        } else {
            0
        };
        let is_heavy = types.contains(&"责令停产停业") || types.contains(&"吊销许可证件");
        let is_publishable = dice.chance(0.975);
        let mut penalty =
            Self { types, fine_fen, confiscated_fen, is_major: false, is_publishable };
        penalty.is_major = is_heavy || is_above_hearing_threshold(&penalty, is_firm);
        penalty
    }

    /// Returns what the decision says.
    pub(super) fn describe(&self, case_number: &str, day: Day) -> Attributes {
        let year = if day < DAYS_2024 { 2024 } else { 2025 };
        let types: Vec<String> = self.types.iter().map(|kind| format!("\"{kind}\"")).collect();
        let decision = Attributes::default()
            .json("penalty_types", &format!("[{}]", types.join(",")))
            .number("fine_fen", self.fine_fen);
        let decision = if self.confiscated_fen > 0 {
            decision.number("confiscated_fen", self.confiscated_fen)
        } else {
            decision
        };
        decision
            .text("document_no", &format!("渝北罚决〔{year}〕{case_number}号"))
            .flag("is_major", self.is_major)
            .flag("is_publishable", self.is_publishable)
    }
}
