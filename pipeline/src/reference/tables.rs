//! The reference tables that a lake can hold.

use super::Definition;
use super::Kind::{Date, Flag, Number, Text, Whole};

/// Every reference table.
pub const TABLES: &[Definition] = &[
    // Units and the tree that they form.
    Definition {
        name: "orgs",
        key: &["org_id", "valid_from"],
        columns: &[
            ("org_id", Text),
            ("name", Text),
            ("name_en", Text),
            ("kind", Text),
            ("town_type", Text),
            ("area", Text),
            ("parent_id", Text),
            ("domain", Text),
            ("is_subject", Flag),
            ("subject_type", Text),
            ("established_by", Text),
            ("successor_id", Text),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // Postings with certificate and account.
    Definition {
        name: "officers",
        key: &["officer_id", "org_id", "valid_from"],
        columns: &[
            ("officer_id", Text),
            ("org_id", Text),
            ("post_class", Text),
            ("certificate_no", Text),
            ("certificate_from", Date),
            ("certificate_to", Date),
            ("onboarded_on", Date),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // Approved leave of officers.
    Definition {
        name: "leaves",
        key: &["officer_id", "from_date"],
        columns: &[
            ("officer_id", Text),
            ("from_date", Date),
            ("to_date", Date),
            ("kind", Text),
            ("is_synthetic", Flag),
        ],
    },
    // Inspected and penalised parties; of several districts each counts its own firms and those without a `district_id`.
    Definition {
        name: "parties",
        key: &["party_id", "valid_from"],
        columns: &[
            ("party_id", Text),
            ("name", Text),
            ("kind", Text),
            ("credit_class", Text),
            ("risk_tier", Text),
            ("area", Text),
            ("district_id", Text),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // The lists of enforcement items: who may exercise which, by list version. As in the tables below, a row without a
    // `district_id` is for the whole tree, one with it for that district of several.
    Definition {
        name: "items",
        key: &["item_code", "district_id", "valid_from"],
        columns: &[
            ("item_code", Text),
            ("district_id", Text),
            ("name", Text),
            ("domain", Text),
            ("kind", Text),
            ("origin", Text),
            ("holder_id", Text),
            ("for_zhen", Flag),
            ("for_jiedao", Flag),
            ("list_version", Text),
            ("is_published", Flag),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // Yearly inspection plans and plans of double-random checks.
    Definition {
        name: "plans",
        key: &["plan_id"],
        columns: &[
            ("plan_id", Text),
            ("org_id", Text),
            ("kind", Text),
            ("planned_inspections", Whole),
            ("approved_on", Date),
            ("period_start", Date),
            ("period_end", Date),
            ("is_synthetic", Flag),
        ],
    },
    // Published yearly caps of inspections by domain and risk tier.
    Definition {
        name: "inspection_caps",
        key: &["domain", "risk_tier", "district_id", "valid_from"],
        columns: &[
            ("domain", Text),
            ("district_id", Text),
            ("risk_tier", Text),
            ("max_per_year", Whole),
            ("source", Text),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // What units say that they recorded, to be compared with what arrived.
    Definition {
        name: "declarations",
        key: &["org_id", "kind", "period_start"],
        columns: &[
            ("org_id", Text),
            ("kind", Text),
            ("period_start", Date),
            ("period_end", Date),
            ("records", Whole),
            ("is_synthetic", Flag),
        ],
    },
    // Scenes of 监管一件事.
    Definition {
        name: "scenes",
        key: &["scene_id", "district_id"],
        columns: &[
            ("scene_id", Text),
            ("district_id", Text),
            ("name", Text),
            ("status", Text),
            ("items", Whole),
            ("departments", Whole),
            ("towns", Whole),
            ("live_on", Date),
            ("is_synthetic", Flag),
        ],
    },
    // Linked applications and agreed data feeds.
    Definition {
        name: "feeds",
        key: &["feed_id", "valid_from"],
        columns: &[
            ("feed_id", Text),
            ("name", Text),
            ("kind", Text),
            ("from_org_id", Text),
            ("district_id", Text),
            ("cadence_days", Whole),
            ("linked_on", Date),
            ("is_synthetic", Flag),
            ("valid_from", Date),
            ("valid_to", Date),
        ],
    },
    // Figures that a published report states.
    Definition {
        name: "reported",
        key: &["figure_id", "report", "reading", "scope"],
        columns: &[
            ("figure_id", Text),
            ("report", Text),
            ("wording", Text),
            ("metric", Text),
            ("parameters", Text),
            ("scope", Text),
            ("from_date", Date),
            ("to_date", Date),
            ("comparison", Text),
            ("numerator", Number),
            ("denominator", Number),
            ("value", Number),
            ("upper", Number),
            ("decimals", Whole),
            ("reading", Text),
            ("window_note", Text),
        ],
    },
    // Limits of deciding a case by domain.
    Definition {
        name: "case_limits",
        key: &["domain"],
        columns: &[
            ("domain", Text),
            ("base_days", Whole),
            ("extension_days", Whole),
            ("excludes_hearing", Flag),
            ("excludes_appraisal", Flag),
            ("source", Text),
        ],
    },
    // Limits of the statutory clocks.
    Definition {
        name: "clock_rules",
        key: &["clock"],
        columns: &[
            ("clock", Text),
            ("title_zh", Text),
            ("title_en", Text),
            ("limit_days", Whole),
            ("day_kind", Text),
            ("rule", Text),
            ("source", Text),
        ],
    },
    // Rules that say when inspections of one party are too many.
    Definition {
        name: "repeat_rules",
        key: &["rule_id"],
        columns: &[
            ("rule_id", Text),
            ("title_zh", Text),
            ("window_kind", Text),
            ("window_days", Whole),
            ("max_visits", Whole),
            ("min_orgs", Whole),
            ("source", Text),
        ],
    },
    // Types of penalty from light to heavy.
    Definition {
        name: "penalty_types",
        key: &["penalty_type"],
        columns: &[("penalty_type", Text), ("severity", Whole), ("title_en", Text)],
    },
];
