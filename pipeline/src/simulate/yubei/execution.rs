//! What follows a decision: service, publication, payment, enforcement, correction.

use super::attributes::Attributes;
use super::decision::Penalty;
use super::procedure::Case;
use crate::simulate::dice::Dice;
use crate::simulate::rhythm::{DAYS_2024, Moment, day_of};

impl Case<'_> {
    /// Electronic service needs the party's consent; who cannot be found is served by announcement.
    pub(super) fn serve(&mut self, dice: &mut Dice) -> Option<()> {
        let is_later = day_of(self.at) >= DAYS_2024;
        let pace = if is_later { 0.85 } else { 1.0 };
        let (method, days) = match dice.unit() {
            part if part < 0.60 => ("direct", pace * dice.lognormal(2.0, 0.7)),
            part if part < 0.79 => ("mail", pace * dice.lognormal(4.5, 0.7)),
            part if part < 0.99 => ("electronic", pace * dice.lognormal(3.5, 0.7)),
            _ => ("announcement", 34.0),
        };
        let served = Attributes::default().text("method", method);
        let has_consent = method == "electronic" && dice.chance(if is_later { 0.97 } else { 0.92 });
        let served = self.documented(served.flag_if("consent", has_consent), dice);
        self.step("case.served", days, served, dice)
    }

    /// Published and reported to the credit platform, mostly within seven working days.
    pub(super) fn publish(
        &mut self,
        penalty: &Penalty,
        decided_at: Moment,
        dice: &mut Dice,
    ) -> Option<()> {
        if !penalty.is_publishable {
            return Some(());
        }
        let is_later = day_of(decided_at) >= DAYS_2024;
        let pace = if is_later { 0.82 } else { 1.0 };
        if dice.chance(0.985) {
            self.at = decided_at;
            let days = pace * dice.lognormal(4.6, 0.5);
            self.step("case.published", days, Attributes::default(), dice)?;
        }
        if dice.chance(if is_later { 0.97 } else { 0.93 }) {
            self.at = decided_at;
            let days = pace * dice.lognormal(4.2, 0.55);
            self.step("case.uploaded", days, Attributes::default(), dice)?;
        }
        Some(())
    }

    /// The fine is paid at once, in parts, or by order of the court after half a year, and the case closed.
    pub(super) fn collect(&mut self, penalty: &Penalty, dice: &mut Dice) -> Option<()> {
        let fine_fen = penalty.fine_fen;
        let method = if dice.chance(0.92) {
            self.pay(fine_fen, dice.lognormal(6.0, 0.7), dice)?;
            "paid"
        } else if dice.chance(0.6) {
            self.pay(fine_fen / 2, 12.0, dice)?;
            self.pay(fine_fen - fine_fen / 2, 30.0, dice)?;
            "instalments"
        } else {
            let applied = self.documented(Attributes::default(), dice);
            let days = dice.between(188, 285) as f64;
            self.step("case.enforcement_applied", days, applied, dice)?;
            "enforced"
        };
        self.close(method, dice.lognormal(4.0, 0.8), dice)
    }

    /// The bank reports a payment; no officer takes part.
    pub(super) fn pay(&mut self, paid_fen: i64, days: f64, dice: &mut Dice) -> Option<()> {
        let paid = Attributes::default().number("paid_fen", paid_fen).text("method", "bank");
        self.step("case.paid", days, paid, dice)
    }

    /// A fine of up to a hundred yuan is collected on the spot and handed in within two working days.
    pub(super) fn pay_cash(&mut self, paid_fen: i64, dice: &mut Dice) -> Option<()> {
        let paid = Attributes::default().number("paid_fen", paid_fen).text("method", "cash");
        self.step("case.paid", 0.0, paid, dice)?;
        let paid_at = self.at;
        if dice.chance(0.97) {
            let days = dice.pick(&[0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 5.0]);
            self.step("case.cash_handed_in", days, Attributes::default(), dice)?;
        }
        self.at = paid_at;
        Some(())
    }

    /// A few decisions are found wrong later, changed, and their publication taken back.
    pub(super) fn correct(&mut self, penalty: &Penalty, dice: &mut Dice) -> Option<()> {
        if !penalty.is_publishable || !dice.chance(0.006) {
            return Some(());
        }
        let kind = dice.pick(&["changed", "changed", "annulled"]);
        let changed = Attributes::default().text("kind", kind);
        self.step("case.changed", dice.between(15, 80) as f64, changed, dice)?;
        if dice.chance(0.92) {
            self.step("case.retracted", dice.lognormal(1.6, 0.7), Attributes::default(), dice)?;
        }
        Some(())
    }
}
