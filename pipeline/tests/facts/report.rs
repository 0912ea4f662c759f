//! The report and the reconciliation on a lake: what the text says, where its numbers lead, and what
//! it says of those that there are not.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use pipeline::definition::Definitions;
use pipeline::metric::Catalogue;
use pipeline::query::View;
use pipeline::reconcile::{self, Status};
use pipeline::report::{self, CheckLine, Edition, GoalLine, Report};
use tempfile::TempDir;

use crate::harness::{TestLake, day, line, wait};

/// The day on which the reports are drafted.
const TODAY: &str = "2025-02-01";

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    Definitions::load(Some(&folder)).unwrap()
});

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::load(&DEFINITIONS).unwrap());

/// Towns with six, two and three officers; those of the first recorded patrols in 2024. The other two
/// are too few each, and enough together not to be reckoned from the sum.
fn lake() -> TestLake {
    let mut lake = TestLake::new();
    lake.reference(
        "orgs",
        "org_id,name,kind,is_subject,valid_from,valid_to\n\
         district-yubei,渝北区,district,,,\n\
         longta,龙塔*街道,town,true,,\n\
         dawan,大湾镇,town,true,,\n\
         xinglong,兴隆镇,town,true,,\n\
         closed,已撤单位,town,true,,2023-06-01\n",
    );
    let posting = |officer: &str, org: &str| {
        format!("{officer},{org},A,c-{officer},2020-01-01,,2020-01-01,2020-01-01,\n")
    };
    let officers: String = (0..6)
        .map(|number| posting(&format!("l{number}"), "longta"))
        .chain((0..2).map(|number| posting(&format!("d{number}"), "dawan")))
        .chain((0..3).map(|number| posting(&format!("x{number}"), "xinglong")))
        .collect();
    let header = "officer_id,org_id,post_class,certificate_no,certificate_from,certificate_to,onboarded_on,valid_from,valid_to\n";
    lake.reference("officers", &format!("{header}{officers}"));
    let patrols: Vec<_> = (0..6)
        .map(|number| {
            let officer = format!("l{number}");
            let event_day = format!("2024-03-{:02}", number + 4);
            line(&format!("p{number}"), "patrol.recorded", &event_day, "longta")
                .officers(&[officer])
                .object(&format!("patrol-{number}"))
        })
        .collect();
    lake.land(&patrols);
    lake.refresh();
    lake
}

static VIEW: LazyLock<(TestLake, Arc<View>)> = LazyLock::new(|| {
    let lake = lake();
    let view = lake.view();
    (lake, view)
});

fn view() -> &'static View {
    &VIEW.1
}

fn goals() -> Vec<GoalLine> {
    vec![GoalLine {
        goal_id: "patrols".to_owned(),
        title: "巡查|记录".to_owned(),
        task: "执法监督闭环".to_owned(),
        metric: "two_officer_ratio".to_owned(),
        scope: "全区".to_owned(),
        unit: "ratio".to_owned(),
        value: Some(0.5),
        target: Some(1.0),
        status: "off_course".to_owned(),
        ..GoalLine::default()
    }]
}

fn checks() -> Vec<CheckLine> {
    vec![CheckLine {
        check_id: "orgs_known".to_owned(),
        title: "单位均在册".to_owned(),
        status: "failed".to_owned(),
        rows: Some(3),
        note: None,
    }]
}

/// The shipped definitions with this text as the template.
fn with_template(text: &str) -> Definitions {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("reports")).unwrap();
    std::fs::write(folder.path().join("reports/bureau.md"), text).unwrap();
    Definitions::load(Some(folder.path())).unwrap()
}

fn draft_by(definitions: &Definitions, edition: &Edition) -> pipeline::Result<Report> {
    let (goals, checks, today) = (goals(), checks(), day(TODAY));
    wait(report::draft(view(), &CATALOGUE, definitions, edition, today, &goals, &checks))
}

/// What a template of one line becomes in the edition of 2024.
fn written(template: &str) -> String {
    let report = draft_by(&with_template(template), &Edition::Year(2024)).unwrap();
    report.markdown.trim_end().to_owned()
}

/// Every place that a text links to, and every place that it has.
fn links_and_anchors(markdown: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let after = |mark: &'static str, end: char| {
        markdown
            .match_indices(mark)
            .filter_map(move |(place, _)| markdown[place + mark.len()..].split(end).next())
            .collect()
    };
    (after("](#", ')'), after("<a id=\"", '"'))
}

/// The shipped template asks for nothing that there is not, every number of it has its entry, and the
/// page loads nothing.
#[track_caller]
fn check(edition: &Edition) -> Report {
    let report = draft_by(&DEFINITIONS, edition).unwrap();
    let text = &report.markdown;
    for wrong in ["没有定义指标", "没有范围", "计算出错"] {
        assert!(!text.contains(wrong), "{edition:?} says {wrong}:\n{text}");
    }
    let (links, anchors) = links_and_anchors(text);
    assert!(links.len() > 30, "{edition:?} has {} links", links.len());
    assert_eq!(links.difference(&anchors).collect::<Vec<_>>(), Vec::<&&str>::new());
    for section in ["一、主要工作情况", "二、存在的问题", "三、下一步工作打算", "附录一"]
    {
        assert!(text.contains(section), "{edition:?} has no {section}");
    }
    let has_goal = text.contains("| 巡查\\|记录（`two_officer_ratio`） | 全区 |");
    assert_eq!(has_goal, !matches!(edition, Edition::Unit(..)), "{edition:?}");
    assert!(text.contains("单位均在册"));
    // No case was filed: a share of cases is not 0 but unknown.
    assert!(text.contains("[无法计算](#"), "{edition:?}");
    let html = report.html();
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"zh-CN\">"));
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    assert!(!html.contains("href=\"/"));
    report
}

#[test]
fn the_yearly_edition_leads_each_number_to_its_entry() {
    let text = check(&Edition::Year(2024)).markdown;
    assert!(text.starts_with("# 渝北区2024年度行政执法工作情况报告\n"));
    assert!(text.contains("](#f5)件次"), "{text}");
    assert!(text.contains("附录四 问题判断规则"));
}

#[test]
fn the_monthly_edition_leads_each_number_to_its_entry() {
    let text = check(&Edition::Month(2024, 3)).markdown;
    assert!(text.starts_with("# 渝北区2024年3月行政执法工作情况月报\n"));
    assert!(!text.contains("报告数字对账"), "a report states no figures of a month");
}

#[test]
fn the_unit_edition_is_about_the_unit_and_compares_it_with_its_own_kind() {
    let text = check(&Edition::Unit(2024, "longta".to_owned())).markdown;
    assert!(text.starts_with("# 龙塔\\*街道2024年度行政执法工作情况报告\n"));
    assert!(text.contains("录入日常巡查[6](#f1)件次"), "{text}");
    assert!(text.contains("同类镇街整体为"));
    assert!(!text.contains("“7+1”"), "the district's teams are not the unit's work");
}

#[test]
fn a_number_is_a_link_and_its_entry_says_how_to_get_it_again() {
    let text = written(
        "录入{{ figure(\"patrols\", scope=\"towns\", unit=\"件次\") }}，活跃度{{ figure(\"officer_activity_ratio\", scope=\"longta\", level=\"L2\") }}\n\
         {% for it in appendix() %}{% for entry in it.entries %}\n\
         {{ entry.anchor }} {{ it.id|code }} {{ entry.rows[0].terms }}{{ entry.rows[0].value }} {{ entry.command|code }} {{ entry.api|code }}\n\
         {% endfor %}{% endfor %}",
    );
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "录入[6](#f1)件次，活跃度[100%](#f2)",
            "f2 `officer_activity_ratio` 6/6＝100% `lawpulse metric officer_activity_ratio --lake LAKE --from 2024-01-01 --to 2025-01-01 --scope longta --param level=L2` `/api/v1/metrics/officer_activity_ratio?from=2024-01-01&to=2025-01-01&scope=longta&level=L2`",
            "f1 `patrols` 6 `lawpulse metric patrols --lake LAKE --from 2024-01-01 --to 2025-01-01 --scope towns` `/api/v1/metrics/patrols?from=2024-01-01&to=2025-01-01&scope=towns`",
        ]
    );
}

#[test]
fn a_number_that_there_is_not_says_why() {
    let missing = "](#f1)（期间内没有可计算的记录）";
    assert_eq!(written("{{ figure(\"case_overdue_ratio\") }}"), format!("[无法计算{missing}"));
    assert_eq!(
        written("{{ figure(\"no_such_metric\") }}"),
        "[无法计算](#f1)（没有定义指标 no\\_such\\_metric）"
    );
    assert_eq!(
        written("{{ figure(\"patrols\", scope=\"nowhere\") }}"),
        "[无法计算](#f1)（没有范围 nowhere）"
    );
    let wrong = written("{{ figure(\"officer_activity_ratio\", level=\"L9\") }}");
    assert_eq!(wrong, "[无法计算](#f1)（计算出错）");
}

#[test]
fn a_number_about_few_persons_is_withheld() {
    let template = "{{ figure(\"officer_activity_ratio\", scope=\"dawan\") }}";
    assert_eq!(written(template), "[人数少于5，不予显示](#f1)");
}

#[test]
fn rows_name_the_units_of_the_period_and_only_what_may_be_ranked_is_sorted() {
    // The unit that was closed in 2023 is not silent in 2024, it is gone.
    let silent = "{{ rows(\"patrols\", scope=\"towns/*\").below(1).names() }}";
    assert_eq!(written(silent), "大湾镇（[0](#f1)）、兴隆镇（[0](#f1)）");
    let busy = "{{ rows(\"patrols\", scope=\"towns/*\").above(0).names(numbers=false) }}";
    assert_eq!(written(busy), "龙塔\\*街道");
    let ranked = with_template("{{ rows(\"patrols\", scope=\"towns/*\").lowest_first().names() }}");
    let error = draft_by(&ranked, &Edition::Year(2024)).unwrap_err().to_string();
    assert!(error.contains("metric `patrols` must not be ranked"), "{error}");
    assert!(error.starts_with("sql/reports/bureau.md, line 1: "), "{error}");
}

#[test]
fn a_problem_is_one_only_if_its_numbers_say_so() {
    let rule = |limit: u32| {
        format!(
            "{{% set found = rows(\"patrols\", scope=\"towns/*\").above({limit}) %}}\
             {{% call problem(\"many\", title=\"偏多\", condition=\"高于{limit}\", metric=\"patrols\", basis=\"\", level=1, when=found) %}}\
             {{{{ found.names() }}}}{{% endcall %}}\
             {{% for it in problems() %}}{{{{ it.title }}}}：{{{{ it.text|safe }}}}{{% else %}}没有{{% endfor %}}，\
             规则{{{{ rules()|length }}}}条"
        )
    };
    assert_eq!(written(&rule(5)), "偏多：龙塔\\*街道（[6](#f1)），规则1条");
    assert_eq!(written(&rule(6)), "没有，规则1条");
}

#[test]
fn a_wrong_template_and_a_wrong_edition_are_errors_that_name_what_is_wrong() {
    let error = |template: &str| {
        draft_by(&with_template(template), &Edition::Year(2024)).unwrap_err().to_string()
    };
    let unknown = error("一\n{{ nobody }}");
    assert!(unknown.starts_with("sql/reports/bureau.md, line 2: "), "{unknown}");
    let several = error("{{ figure(\"patrols\", scope=\"towns/*\") }}");
    assert!(several.contains("use rows()"), "{several}");
    let nobody = Edition::Unit(2024, "town-nowhere".to_owned());
    assert!(draft_by(&DEFINITIONS, &nobody).unwrap_err().to_string().contains("`town-nowhere`"));
    let future = draft_by(&DEFINITIONS, &Edition::Year(2026)).unwrap_err().to_string();
    assert!(future.contains("has not begun on 2025-02-01"), "{future}");
}

#[test]
fn a_period_that_is_not_over_is_reported_up_to_today() {
    let definitions = with_template(
        "{{ title }} {{ period.from }} {{ period.to }} {{ \"over\" if is_complete else \"open\" }}",
    );
    let report = draft_by(&definitions, &Edition::Year(2025)).unwrap();
    assert_eq!(
        report.markdown.trim_end(),
        "渝北区2025年度行政执法工作情况报告 2025-01-01 2025-02-02 open"
    );
}

#[test]
fn claims_of_a_report_are_read_from_the_lake_and_put_beside_the_events() {
    let lake = lake();
    lake.reference(
        "reported",
        "figure_id,report,wording,metric,parameters,scope,from_date,to_date,comparison,numerator,denominator,value,upper,decimals,reading,window_note\n\
         activity,2024,活跃度 100%,officer_activity_ratio,level=L2,longta,2024-01-01,2025-01-01,equal,,,1,,2,,\n\
         few,2024,活跃度,officer_activity_ratio,,dawan,2024-01-01,2025-01-01,equal,,,0.5,,1,,\n\
         later,2025,巡查,patrols,,towns,2025-01-01,2026-01-01,equal,,,1,,0,,\n\
         patrols,2024,巡查 6 件次,patrols,,towns,2023-10-25,2025-01-01,equal,,,6,,0,,\n\
         patrols_year,2024,巡查 9 件次,patrols,,towns,2024-01-01,2025-01-01,equal,,,9,,0,,自 2023 年起累计\n\
         rough,2024,10 余件次,patrols,,towns,2024-01-01,2025-01-01,at_least_below,,,10,20,0,,\n\
         share,2024,占比,two_officer_ratio,,longta,2024-01-01,2025-01-01,equal,1,2,0.5,,1,甲,\n\
         share,2024,占比,two_officer_ratio,,longta,2024-01-01,2025-01-01,equal,2,4,0.5,,1,乙,\n",
    );
    let view = lake.view();
    let (from, to, today) = (day("2024-01-01"), day("2025-01-01"), day(TODAY));
    let rows = wait(reconcile::reconcile(&view, &CATALOGUE, from, to, today)).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.figure_id.as_str(), row.status)).collect();
    assert_eq!(
        found,
        [
            ("activity", Status::Matched),
            ("few", Status::NotComputable),
            ("patrols", Status::Matched),
            ("patrols_year", Status::Explained),
            ("rough", Status::Unreconciled),
            ("share", Status::NotComputable),
            ("share", Status::NotComputable),
        ]
    );
    assert_eq!(rows[1].reason, "人数少于5，不予显示");
    let table = reconcile::table_markdown(&rows);
    assert!(table.contains("| 巡查 6 件次 | `patrols` | towns | 6 | 6 | matched |"), "{table}");
}
