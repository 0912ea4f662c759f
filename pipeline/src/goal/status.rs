//! Where a goal stands, by rules that anyone can check. Pure.

use super::{Kind, Measure, Side};
use crate::metric::Kind as MetricKind;

/// Where a goal stands today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The target is reached for good, or was on the due day; of a state, reached and likely to last.
    Met,
    /// The target will be met if things go on as they do.
    OnCourse,
    /// It may be met and may be missed.
    AtRisk,
    /// It is missed, or will be if things go on as they do.
    OffCourse,
    /// It cannot be told.
    Unknown,
}

impl Status {
    /// Every status, best first.
    pub const ALL: [Self; 5] =
        [Self::Met, Self::OnCourse, Self::AtRisk, Self::OffCourse, Self::Unknown];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::OnCourse => "on_course",
            Self::AtRisk => "at_risk",
            Self::OffCourse => "off_course",
            Self::Unknown => "unknown",
        }
    }

    /// The name in Chinese.
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Met => "已达成",
            Self::OnCourse => "进度正常",
            Self::AtRisk => "存在风险",
            Self::OffCourse => "偏离目标",
            Self::Unknown => "无法判断",
        }
    }
}

/// How a number behaves that is held against a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// A number since 1 January: it only grows, so what is reached or exceeded stays so.
    Growing,
    /// A ratio since 1 January: it moves until the due day.
    Average,
    /// A value of today.
    State,
}

impl Nature {
    /// The nature of a measure of a metric.
    pub(super) fn of(measure: Measure, metric: MetricKind) -> Self {
        match (measure, metric) {
            (Measure::State(_), _) => Self::State,
            (Measure::YearToDate, MetricKind::Ratio) => Self::Average,
            (Measure::YearToDate, MetricKind::Count | MetricKind::Gauge) => Self::Growing,
        }
    }
}

/// What the rules look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Standing {
    /// The number today.
    pub(super) value: f64,
    /// The target.
    pub(super) target: f64,
    /// The side of the target to be on.
    pub(super) side: Side,
    /// How binding it is.
    pub(super) kind: Kind,
    /// How the number behaves.
    pub(super) nature: Nature,
    /// Where the number should be today.
    pub(super) should_be: f64,
    /// The forecast for the due day: the number, and its interval's lower and upper end.
    pub(super) forecast: Option<(f64, f64, f64)>,
    /// Whether the due day is over.
    pub(super) is_over: bool,
}

/// Decides by the first rule that applies:
///
/// 1. The due day is over: met when the number is on its side of the target, else off course.
/// 2. A number that only grows has reached a target (met) or passed a bound (off course): neither is undone.
/// 3. A warning's bound is passed today: off course.
/// 4. A state is on its side, and the whole interval too: met.
/// 5. No forecast: on course when the number is where it should be today, else at risk.
/// 6. The whole interval is on the target's side: on course.
/// 7. The forecast is: on course when the number is also where it should be today, else at risk.
/// 8. The better end of the interval is: at risk.
/// 9. Nothing is: off course.
pub(super) fn status(standing: Standing) -> Status {
    let Standing { value, target, side, kind, nature, should_be, forecast, is_over } = standing;
    let is_on_side = |number: f64| is_on_side(number, target, side);
    let is_on_path = || self::is_on_side(value, should_be, side);
    if is_over {
        return if is_on_side(value) { Status::Met } else { Status::OffCourse };
    }
    match (nature, side, is_on_side(value)) {
        (Nature::Growing, Side::AtLeast, true) => return Status::Met,
        (Nature::Growing, Side::AtMost, false) => return Status::OffCourse,
        (_, _, false) if kind == Kind::Warning => return Status::OffCourse,
        _ => {}
    }
    let Some((point, low, high)) = forecast else {
        return if is_on_path() { Status::OnCourse } else { Status::AtRisk };
    };
    let (worse, better) = match side {
        Side::AtLeast => (low, high),
        Side::AtMost => (high, low),
    };
    if nature == Nature::State && is_on_side(value) && is_on_side(worse) {
        Status::Met
    } else if is_on_side(worse) || (is_on_side(point) && is_on_path()) {
        Status::OnCourse
    } else if is_on_side(better) {
        Status::AtRisk
    } else {
        Status::OffCourse
    }
}

/// Whether a number is on the right side of a bound; numbers that differ by rounding are equal.
pub(super) fn is_on_side(number: f64, bound: f64, side: Side) -> bool {
    let slack = 1e-9 * bound.abs().max(1.0);
    match side {
        Side::AtLeast => number >= bound - slack,
        Side::AtMost => number <= bound + slack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target of 100 at the year's end, of which 50 should be there.
    fn standing(side: Side, nature: Nature, value: f64, forecast: (f64, f64, f64)) -> Standing {
        Standing {
            value,
            target: 100.0,
            side,
            kind: Kind::Target,
            nature,
            should_be: 50.0,
            forecast: Some(forecast),
            is_over: false,
        }
    }

    #[test]
    fn the_rules_are_read_from_the_top() {
        use Nature::{Average, Growing, State};
        use Side::{AtLeast, AtMost};
        use Status::{AtRisk, Met, OffCourse, OnCourse};
        let table = [
            // side, nature, value, forecast (point, low, high), expected
            (AtLeast, Growing, 100.0, (130.0, 120.0, 140.0), Met),
            (AtLeast, Growing, 60.0, (120.0, 105.0, 140.0), OnCourse),
            (AtLeast, Growing, 60.0, (105.0, 90.0, 120.0), OnCourse),
            (AtLeast, Growing, 40.0, (105.0, 90.0, 120.0), AtRisk),
            (AtLeast, Growing, 40.0, (120.0, 105.0, 140.0), OnCourse),
            (AtLeast, Growing, 60.0, (95.0, 85.0, 110.0), AtRisk),
            (AtLeast, Growing, 60.0, (80.0, 70.0, 90.0), OffCourse),
            (AtMost, Growing, 101.0, (120.0, 110.0, 130.0), OffCourse),
            (AtMost, Growing, 40.0, (80.0, 70.0, 90.0), OnCourse),
            (AtMost, Growing, 40.0, (95.0, 85.0, 110.0), OnCourse),
            (AtMost, Growing, 60.0, (95.0, 85.0, 110.0), AtRisk),
            (AtMost, Growing, 60.0, (105.0, 95.0, 120.0), AtRisk),
            (AtMost, Growing, 60.0, (120.0, 110.0, 130.0), OffCourse),
            (AtLeast, Average, 110.0, (110.0, 105.0, 115.0), OnCourse),
            (AtLeast, Average, 110.0, (90.0, 85.0, 95.0), OffCourse),
            (AtLeast, State, 110.0, (110.0, 105.0, 115.0), Met),
            (AtLeast, State, 110.0, (105.0, 95.0, 115.0), OnCourse),
            (AtLeast, State, 110.0, (95.0, 90.0, 105.0), AtRisk),
            (AtMost, State, 90.0, (90.0, 85.0, 95.0), Met),
        ];
        for (side, nature, value, forecast, expected) in table {
            let found = status(standing(side, nature, value, forecast));
            assert_eq!(found, expected, "{side:?} {nature:?} {value} {forecast:?}");
        }
    }

    #[test]
    fn after_the_due_day_only_the_number_counts() {
        let over = |side, value| Standing {
            is_over: true,
            ..standing(side, Nature::Average, value, (0.0, 0.0, 0.0))
        };
        assert_eq!(status(over(Side::AtLeast, 100.0)), Status::Met);
        assert_eq!(status(over(Side::AtLeast, 99.9)), Status::OffCourse);
        assert_eq!(status(over(Side::AtMost, 100.0)), Status::Met);
        assert_eq!(status(over(Side::AtMost, 100.1)), Status::OffCourse);
    }

    #[test]
    fn without_a_forecast_the_path_decides() {
        let blind = |value| Standing {
            forecast: None,
            ..standing(Side::AtLeast, Nature::Average, value, (0.0, 0.0, 0.0))
        };
        assert_eq!(status(blind(50.0)), Status::OnCourse);
        assert_eq!(status(blind(49.0)), Status::AtRisk);
    }

    #[test]
    fn a_warning_is_off_course_as_soon_as_its_bound_is_passed() {
        let warned = |value| Standing {
            kind: Kind::Warning,
            ..standing(Side::AtMost, Nature::Average, value, (80.0, 70.0, 90.0))
        };
        assert_eq!(status(warned(101.0)), Status::OffCourse);
        assert_eq!(status(warned(100.0)), Status::OnCourse);
    }

    #[test]
    fn numbers_that_differ_by_rounding_are_equal() {
        assert!(is_on_side(0.1 + 0.2, 0.3, Side::AtMost));
        assert!(is_on_side(0.3, 0.1 + 0.2, Side::AtLeast));
        assert!(!is_on_side(0.2999, 0.3, Side::AtLeast));
    }
}
