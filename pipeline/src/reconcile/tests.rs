use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn claim(figure_id: &str, metric: &str) -> Claim {
    Claim {
        figure_id: figure_id.to_owned(),
        report: "2024".to_owned(),
        wording: figure_id.to_owned(),
        reading: None,
        question: Question {
            metric: metric.to_owned(),
            parameters: BTreeMap::new(),
            period: Period { start: day("2024-01-01"), end: day("2025-01-01") },
            scope: "district".to_owned(),
        },
        window_note: None,
        comparison: Comparison::Equal,
        decimals: 0,
        stated: Stated::default(),
    }
}

fn ratio(numerator: f64, denominator: f64) -> std::result::Result<Numbers, Reason> {
    let exact = Exact::of(numerator).unwrap().over(Exact::of(denominator).unwrap());
    Ok(Numbers {
        numerator: Some(numerator),
        denominator: Some(denominator),
        value: numerator / denominator,
        exact,
    })
}

fn count(value: f64) -> std::result::Result<Numbers, Reason> {
    Ok(Numbers { numerator: None, denominator: None, value, exact: Exact::of(value) })
}

/// A share of items as one of the two readings of 71.345 %.
fn share(reading: &str, numerator: f64, denominator: f64) -> Reconciled {
    let claim = Claim {
        reading: Some(reading.to_owned()),
        decimals: 5,
        stated: Stated {
            numerator: Some(numerator),
            denominator: Some(denominator),
            value: Some(0.71345),
            upper: None,
        },
        ..claim("item_share", "item_transfer_ratio")
    };
    judge(claim, true, ratio(732.0, 1026.0))
}

#[track_caller]
fn check(rows: Vec<Reconciled>, expected: &[Status]) -> Vec<Reconciled> {
    let rows = settle(rows);
    let found: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(found, expected, "{rows:#?}");
    rows
}

#[test]
fn neither_reading_of_the_share_of_items_is_settled_though_one_fits() {
    let rows = vec![share("H1", 1026.0, 1438.0), share("H2", 732.0, 1026.0)];
    assert_eq!(rows[1].status, Status::Matched, "alone its arithmetic fits");
    let rows = check(rows, &[Status::Unreconciled, Status::Unreconciled]);
    assert_eq!(rows[0].reported_text(), "71.345% (1026/1438)");
    assert_eq!(rows[0].recomputed_text(), "71.345% (732/1026)");
    assert!(
        rows[0].reason.contains("1026/1438=71.349%，与报告数相差+0.004个百分点"),
        "{}",
        rows[0].reason
    );
    assert!(
        rows[1].reason.contains("732/1026=71.345%，与报告数相差0.000个百分点"),
        "{}",
        rows[1].reason
    );
    assert_eq!(rows[1].own_delta.map(|delta| (delta * 1e8).round()), Some(29.0));
}

#[test]
fn a_note_on_the_window_does_not_settle_readings_that_state_different_terms() {
    let mut rows = vec![share("H1", 1026.0, 1438.0), share("H2", 732.0, 1026.0)];
    rows[0].status = Status::Explained;
    check(rows, &[Status::Unreconciled, Status::Unreconciled]);
}

fn activity(scope: &str, found: std::result::Result<Numbers, Reason>) -> Reconciled {
    let mut claim = claim("activity", "officer_activity_ratio");
    claim.reading = Some(scope.to_owned());
    claim.question.scope = scope.to_owned();
    (claim.stated.value, claim.decimals) = (Some(0.89), 2);
    judge(claim, true, found)
}

#[test]
fn readings_that_all_hold_are_all_matched() {
    let rows =
        vec![activity("district", ratio(1424.0, 1600.0)), activity("towns", ratio(356.0, 400.0))];
    check(rows, &[Status::Matched, Status::Matched]);
    let rows =
        vec![activity("district", ratio(1424.0, 1600.0)), activity("towns", ratio(300.0, 400.0))];
    check(rows, &[Status::Unreconciled, Status::Unreconciled]);
    let missing = Err("分母为零".into());
    let rows = vec![activity("district", ratio(1424.0, 1600.0)), activity("towns", missing)];
    check(rows, &[Status::Unreconciled, Status::NotComputable]);
}

#[test]
fn a_value_is_compared_at_the_decimals_that_the_report_prints() {
    let reduction = |value, decimals| {
        let mut claim = claim("teams", "team_reduction_ratio");
        (claim.decimals, claim.stated.value) = (decimals, Some(value));
        judge(claim, true, ratio(7.0, 12.0)).status
    };
    assert_eq!(reduction(0.5833, 4), Status::Matched);
    assert_eq!(reduction(0.583, 3), Status::Matched);
    assert_eq!(reduction(0.5834, 4), Status::Unreconciled);
    assert_eq!(reduction(0.58, 2), Status::Matched);
}

#[test]
fn a_count_is_exact_or_at_least_and_below() {
    let patrols = |events| {
        let mut claim = claim("patrols", "patrols");
        claim.stated.value = Some(3253.0);
        judge(claim, false, count(events)).status
    };
    assert_eq!(patrols(3253.0), Status::Matched);
    assert_eq!(patrols(3254.0), Status::Unreconciled);
    let joint = |events| {
        let mut claim = claim("joint", "joint_inspections");
        claim.comparison = Comparison::AtLeastBelow;
        (claim.stated.value, claim.stated.upper) = (Some(20.0), Some(30.0));
        judge(claim, false, count(events))
    };
    assert_eq!(joint(20.0).status, Status::Matched);
    assert_eq!(joint(29.0).status, Status::Matched);
    assert_eq!(joint(30.0).status, Status::Unreconciled);
    assert_eq!(joint(19.0).status, Status::Unreconciled);
    assert_eq!(joint(23.0).reported_text(), "≥ 20, < 30");
}

#[test]
fn a_note_on_the_window_explains_a_difference_and_a_missing_number_is_not_computable() {
    let mut patrols = claim("patrols", "patrols");
    patrols.stated.value = Some(3253.0);
    patrols.window_note = Some("自改革启动起累计".to_owned());
    assert_eq!(judge(patrols.clone(), false, count(3253.0)).status, Status::Matched);
    let explained = judge(patrols.clone(), false, count(2800.0));
    assert_eq!(explained.status, Status::Explained);
    assert_eq!(explained.reason, "与按事件计算的结果不同：自改革启动起累计");
    let missing = judge(patrols, false, Err("没有定义指标 patrols".into()));
    assert_eq!(
        (missing.status, missing.reason.as_str()),
        (Status::NotComputable, "没有定义指标 patrols")
    );
    let silent = judge(claim("patrols", "patrols"), false, count(1.0));
    assert_eq!(silent.status, Status::NotComputable);
}

#[test]
fn the_table_has_a_line_for_each_reading_and_escapes_its_cells() {
    let rows = settle(vec![share("H1|x", 1026.0, 1438.0)]);
    let table = table_markdown(&rows);
    let last = table.lines().last().unwrap();
    assert_eq!(
        last,
        "| item_share [H1\\|x] | `item_transfer_ratio` | district | 71.345% (1026/1438) | 71.345% (732/1026) | unreconciled |"
    );
    assert_eq!(table.lines().count(), 3);
}

#[test]
fn parameters_are_pairs() {
    let pairs = parameters("level=L2; list = zhen ").unwrap();
    assert_eq!(
        pairs.into_iter().map(|(k, v)| k + "=" + &v).collect::<Vec<_>>(),
        ["level=L2", "list=zhen"]
    );
    assert_eq!(parameters("level"), None);
    assert!(parameters("").unwrap().is_empty());
}
