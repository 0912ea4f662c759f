//! Wording, as people read it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::webhook::tests::{alerts, silent};
use super::*;

fn names() -> Names {
    Names::from([("town-dawan".to_owned(), "大湾镇".to_owned())])
}

fn message(markup: Markup, runbook: Option<&str>, given: &[Value], left_out: u64) -> Message {
    let (names, alerts) = (names(), alerts(given));
    let wording = Wording { names: &names, zone: chrono_tz::Asia::Shanghai, runbook, markup };
    wording.message(&alerts.iter().collect::<Vec<_>>(), left_out)
}

fn stalled() -> Value {
    json!({
        "status": "firing",
        "labels": {"alertname": "LandingStalled", "severity": "critical"},
        "annotations": {
            "summary": "24 小时没有日志落库。No log has landed for 24 hours.",
            "description": "最近一次落库已过去 1d 2h，各单位的活跃度暂不可信。 The last landing was 1d 2h ago.",
            "runbook_url": "dashboards/runbook.md#landingstalled",
        },
        "startsAt": "2025-12-31T17:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "1",
    })
}

#[test]
fn one_alert_names_the_unit_what_since_when_and_what_to_do() {
    let told = message(Markup::WECOM, None, &[silent("town-dawan", "firing")], 0);
    assert_eq!(told.title, "执法脉动【提醒】大湾镇：单位连续五个工作日没有业务活动");
    assert_eq!(
        told.text,
        "### 执法脉动【提醒】大湾镇：单位连续五个工作日没有业务活动\n\
         > 情况：单位 大湾镇 已连续 12 个工作日没有业务活动（检查、巡查、案件步骤等）。\n\
         > 开始：2026-01-01 08:30\n\
         > 处理：见运行手册 OrgSilent 一节"
    );
}

#[test]
fn what_is_over_says_since_when_and_nothing_to_do() {
    let told = message(Markup::DINGTALK, None, &[silent("town-dawan", "resolved")], 0);
    assert_eq!(
        told.text,
        "### 执法脉动【已恢复】大湾镇：单位连续五个工作日没有业务活动\n\
         > 开始：2026-01-01 08:30  \n\
         > 恢复：2026-01-03 09:00"
    );
}

#[test]
fn of_several_the_severe_come_first_and_those_that_are_over_last() {
    let given = [silent("town-other", "resolved"), silent("town-dawan", "firing"), stalled()];
    let told = message(Markup::DINGTALK, Some("https://wiki/runbook"), &given, 2);
    assert_eq!(told.title, "执法脉动：2 条告警，1 条已恢复");
    assert_eq!(
        told.text,
        "### 执法脉动：2 条告警，1 条已恢复\n\
         **【严重】24 小时没有日志落库**  \n\
         > 情况：最近一次落库已过去 1d 2h，各单位的活跃度暂不可信。  \n\
         > 开始：2026-01-01 01:00  \n\
         > 处理：见[运行手册 LandingStalled 一节](https://wiki/runbook#landingstalled)\n\n\
         **【提醒】大湾镇：单位连续五个工作日没有业务活动**  \n\
         > 情况：单位 大湾镇 已连续 12 个工作日没有业务活动（检查、巡查、案件步骤等）。  \n\
         > 开始：2026-01-01 08:30  \n\
         > 处理：见[运行手册 OrgSilent 一节](https://wiki/runbook#orgsilent)\n\n\
         **【已恢复】town-other：单位连续五个工作日没有业务活动**  \n\
         > 开始：2026-01-01 08:30  \n\
         > 恢复：2026-01-03 09:00\n\n\
         另有 2 条"
    );
    let over = [silent("town-1", "resolved"), silent("town-2", "resolved")];
    assert_eq!(message(Markup::PLAIN, None, &over, 0).title, "执法脉动：2 条告警已恢复");
}

#[test]
fn a_plain_message_has_no_markup_and_the_address_of_the_runbook() {
    let told = message(Markup::PLAIN, Some("https://wiki/runbook"), &[stalled()], 0);
    assert_eq!(
        told.text,
        "执法脉动【严重】24 小时没有日志落库\n\
         情况：最近一次落库已过去 1d 2h，各单位的活跃度暂不可信。\n\
         开始：2026-01-01 01:00\n\
         处理：见运行手册 LandingStalled 一节 https://wiki/runbook#landingstalled"
    );
}

#[test]
fn texts_from_outside_have_no_markup_and_are_one_short_line() {
    let escaped = |text: &str| plain(text, 40);
    assert_eq!(escaped("<@all> **x** [y](http://z)"), "＜@all＞ ＊＊x＊＊ ［y］(http://z)");
    assert_eq!(escaped("# a\n> b\t`c`"), "＃ a ＞ b ｀c｀");
    assert_eq!(escaped("decision_85 _x_ &lt;"), "decision_85 ＿x＿ ＆lt;");
    assert_eq!(escaped("a\u{202e}b\u{200b}"), "ab");
    assert_eq!(plain("一二三四五", 5), "一二三四五");
    assert_eq!(plain("一二三四五六", 5), "一二三四…");
    let mut alert = silent("town-dawan", "firing");
    alert["labels"]["scope"] = "<@all>".into();
    alert["annotations"]["summary"] = "**a**\n# b".into();
    alert["annotations"]["runbook_url"] = "https://x/) [y](https://z".into();
    let told = message(Markup::WECOM, None, &[alert], 0);
    assert!(
        told.text.starts_with("### 执法脉动【提醒】＜@all＞：＊＊a＊＊ ＃ b\n"),
        "{}",
        told.text
    );
    assert!(told.text.ends_with("处理：见运行手册 OrgSilent 一节"), "{}", told.text);
}

#[test]
fn a_unit_is_called_by_its_name_only_where_its_id_stands_alone() {
    let named = |text: &str| with_name(text, "town-a", "甲镇");
    assert_eq!(
        named("单位 town-a、town-ab、x-town-a 和town-a"),
        "单位 甲镇、town-ab、x-town-a 和甲镇"
    );
    assert_eq!(with_name("无", "", "甲镇"), "无");
}

/// The rules say everything in Chinese first, so that a message can leave out the English.
#[test]
fn the_shipped_annotations_are_chinese_and_then_english() {
    let rules = include_str!("../../../../dashboards/prometheus/rules.yml");
    let is_chinese = |sign: char| ('\u{4e00}'..='\u{9fff}').contains(&sign);
    let texts: Vec<String> = rules
        .split("annotations:")
        .skip(1)
        .flat_map(|rest| {
            let (summary, rest) = rest.split_once("summary: ").unwrap().1.split_once('\n').unwrap();
            let (_, rest) = rest.split_once("description: >-").unwrap();
            let (description, _) = rest.split_once("runbook_url").unwrap();
            let lines: Vec<&str> = description.lines().map(str::trim).collect();
            [summary.to_owned(), lines.join(" ")]
        })
        .collect();
    assert!(texts.len() >= 36, "{}", texts.len());
    for text in texts {
        let told = chinese(&text);
        assert!(told.ends_with('。') && told.contains(is_chinese), "{text}");
        let english = text.trim().strip_prefix(told).unwrap();
        assert!(english.len() > 10 && !english.contains(is_chinese), "{text}");
    }
}

fn any_alert() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![".{0,40}", "[一-龥。\\n*<😀]{0,500}", "\\PC{0,200}"];
    (text(), text(), text(), any::<bool>(), any::<bool>()).prop_map(
        |(scope, summary, description, is_over, is_severe)| {
            let mut alert = silent("town-dawan", if is_over { "resolved" } else { "firing" });
            alert["labels"]["scope"] = scope.clone().into();
            alert["labels"]["alertname"] = scope.into();
            alert["labels"]["severity"] = if is_severe { "critical" } else { "warning" }.into();
            alert["annotations"]["summary"] = summary.into();
            alert["annotations"]["description"] = description.into();
            alert
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_message_never_exceeds_its_limit_and_shows_whole_alerts_and_counts_the_others(
        given in prop::collection::vec(any_alert(), 1..20),
        left_out in 0..100_000_u64,
        markup in prop::sample::select(vec![Markup::WECOM, Markup::DINGTALK, Markup::PLAIN]),
        link_bytes in 0..400_usize,
    ) {
        let runbook = format!("https://wiki/{}", "x".repeat(link_bytes));
        let (names, alerts) = (names(), alerts(&given));
        let runbook = Some(runbook.as_str());
        let wording = Wording { names: &names, zone: chrono_tz::Asia::Shanghai, runbook, markup };
        let told = wording.message(&alerts.iter().collect::<Vec<_>>(), left_out);
        prop_assert!(told.text.len() <= TEXT_BYTES_MAX, "{} bytes", told.text.len());
        prop_assert!(told.title.chars().count() < 150 && !told.title.contains('\n'));
        let mut sorted: Vec<&Alert> = alerts.iter().collect();
        sorted.sort_by_key(|alert| (alert.status, !is_severe(alert), alert.starts_at));
        let mut blocks: Vec<String> = match sorted.as_slice() {
            [only] => vec![wording.details(only)],
            several => several.iter().map(|alert| wording.block(alert)).collect(),
        };
        // Taking away the heading, the count and one block after the other leaves nothing.
        let mut rest = told.text.strip_prefix(markup.heading).unwrap();
        rest = rest.strip_prefix(told.title.as_str()).unwrap();
        let mut shown = 0;
        while let Some(after) = blocks.first().and_then(|block| {
            rest.trim_start_matches('\n').strip_prefix(block.as_str())
        }) {
            rest = after;
            shown += 1;
            blocks.remove(0);
        }
        prop_assert!(shown >= 1);
        let more = (given.len() - shown) as u64 + left_out;
        let expected = if more == 0 { String::new() } else { format!("\n\n另有 {more} 条") };
        prop_assert_eq!(rest, expected);
    }
}
