//! Checks hold on a lake without fault, and each finds the fault that it is about and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use pipeline::check::{self, Checks, Outcome};
use pipeline::definition::Definitions;
use pipeline::metric::Catalogue;
use pipeline::query::View;
use tempfile::TempDir;

use crate::harness::{Line, TestLake, day, line, wait};

/// The reference of a small district in which everything is in order.
const REFERENCES: [(&str, &str); 11] = [
    (
        "orgs",
        "org_id,kind,town_type,parent_id,successor_id,valid_from,valid_to\n\
         yubei,district,,,,,\n\
         longta,town,街道,yubei,,2020-01-01,2025-11-06\n\
         longta,town,街道,yubei,,2025-11-06,\n\
         dawan,town,镇,yubei,,2020-01-01,\n\
         market,department,,yubei,,2020-01-01,\n\
         market-team,team,,market,,2020-01-01,\n\
         old-team,team,,market,market-team,2015-01-01,2023-10-25\n\
         sifa,department,,yubei,,2020-01-01,\n",
    ),
    (
        "officers",
        "officer_id,org_id,certificate_no,certificate_from,certificate_to,onboarded_on,valid_from,valid_to\n\
         wang,longta,n-1,2023-01-01,2024-07-01,2023-01-01,2020-01-01,\n\
         li,longta,n-2,2023-01-01,,2023-01-01,2020-01-01,2024-05-01\n\
         li,dawan,n-2,2023-01-01,,2023-01-01,2024-05-01,\n\
         zhao,dawan,n-3,2023-01-01,,2023-01-01,2020-01-01,\n\
         qian,dawan,n-4,2023-01-01,,2023-01-01,2020-01-01,\n\
         sun,market-team,n-5,2023-01-01,,2023-01-01,2020-01-01,\n\
         zhou,market-team,n-6,2023-01-01,,2023-01-01,2020-01-01,\n\
         wu,sifa,n-7,2023-01-01,,2023-01-01,2020-01-01,\n",
    ),
    ("leaves", "officer_id,from_date,to_date,kind\nqian,2024-06-01,2024-07-01,study\n"),
    ("parties", "party_id,name,kind,credit_class\nshop,小店,firm,A\nzhang,张某,person,B\n"),
    (
        "items",
        "item_code,kind,holder_id,for_zhen,for_jiedao,valid_from,valid_to\n\
         i-both,penalty,market-team,true,true,2020-01-01,\n\
         i-zhen,penalty,market-team,true,false,2020-01-01,\n\
         i-old,penalty,market-team,true,true,2020-01-01,2024-07-01\n\
         i-team,penalty,market-team,false,false,2020-01-01,\n",
    ),
    (
        "plans",
        "plan_id,org_id,kind,planned_inspections,period_start,period_end\n\
         plan-1,longta,annual,10,2024-01-01,2025-01-01\n",
    ),
    (
        "declarations",
        "org_id,kind,period_start,period_end,records\nlongta,patrol,2024-01-01,2024-02-01,5\n",
    ),
    ("scenes", "scene_id,name,status\nscene-1,夜市,live\n"),
    ("feeds", "feed_id,name,kind,from_org_id,cadence_days\nfeed-1,信用,data,market,7\n"),
    (
        "inspection_caps",
        "domain,risk_tier,max_per_year,valid_from,valid_to\n\
         *,low,1,2025-07-01,2026-01-01\n\
         *,low,2,2026-01-01,\n",
    ),
    ("repeat_rules", "rule_id,window_kind,max_visits\nr-test,day,1\n"),
];

/// A life of the platform in which no rule is broken.
const EVENTS: &str = "
2024-03-04T08:30 officer.login longta wang -
2024-03-04T09:00 patrol.recorded longta wang p-1 result=none
2024-03-04T09:00 task.assigned longta - t-1 due_on=2024-03-10 plan_id=plan-1 kind=single
2024-03-05T08:55 credential.shown longta wang v-1
2024-03-05T08:56 code.scanned longta wang v-1
2024-03-05T09:00 inspection.started longta wang,li v-1 party=shop item=i-both kind=routine plan_id=plan-1 task_id=t-1
2024-03-05T10:00 inspection.finished longta wang,li v-1 party=shop item=i-both kind=routine result=ordered problems=2 rectify_by=2024-03-12 av_seconds=60
2024-03-11T10:00 inspection.rectified longta li v-1 problems=2
2024-03-12T10:00 inspection.published longta li v-1
2024-03-05T11:00 task.completed longta wang t-1
2024-03-06T09:00 case.filed longta wang,li c-1 party=shop item=i-both procedure=ordinary origin=inspection inspection_id=v-1 party_kind=firm documents=1
2024-03-07T09:00 case.evidence_registered longta wang,li c-1 documents=1
2024-03-08T09:00 case.evidence_decided longta wang,li c-1
2024-03-11T09:00 case.investigated longta wang,li c-1 documents=3
2024-03-12T09:00 case.notified longta wang,li c-1 hearing_right=true documents=1
2024-03-13T09:00 case.hearing_requested longta - c-1
2024-03-14T09:00 case.hearing_notified longta wang,li c-1
2024-03-28T09:00 case.hearing_held longta wang,li c-1
2024-04-01T09:00 case.reviewed longta wu c-1 opinion=amend documents=1
2024-04-01T15:00 case.decided longta wang,li c-1 fine_fen=800000 is_major=true is_publishable=true documents=1
2024-04-01T16:00 case.served longta wang,li c-1 method=direct
2024-04-02T09:00 case.published longta wang c-1
2024-04-02T10:00 case.uploaded longta - c-1
2024-04-08T09:00 case.paid longta - c-1 paid_fen=800000 method=bank
2024-04-09T09:00 case.closed longta wang,li c-1 documents=1
2024-03-20T09:00 case.filed dawan zhao,qian c-2 party=zhang item=i-zhen procedure=simple party_kind=person
2024-03-20T09:10 case.decided dawan zhao,qian c-2 fine_fen=20000
2024-03-20T09:20 case.served dawan zhao,qian c-2 method=on_the_spot
2024-03-20T09:30 case.closed dawan zhao,qian c-2
2024-06-30T09:00 case.filed dawan zhao,qian c-3 party=shop item=i-old procedure=ordinary
2024-07-05T09:00 case.withdrawn dawan zhao,qian c-3 reason=none
2024-06-30T17:00 patrol.recorded longta wang p-2 result=problem
2024-03-22T09:00 measure.imposed market-team sun,zhou m-1 kind=seal case_id=c-1 is_emergency=false
2024-04-20T09:00 measure.ended market-team sun,zhou m-1 outcome=released
2024-05-06T09:00 remedy.filed longta - r-1 case_id=c-1 kind=reconsideration
2024-06-06T09:00 remedy.decided longta - r-1 case_id=c-1 kind=reconsideration outcome=upheld
2024-04-10T09:00 licence.accepted market sun l-1 party=shop is_joint=false
2024-04-12T09:00 licence.decided market sun l-1 decision=granted
2024-04-10T09:00 complaint.received market - q-1 due_on=2024-05-01 category=food
2024-04-20T09:00 complaint.closed market sun q-1 outcome=founded
2024-05-08T09:00 opinion.issued sifa wu o-1 target_org_id=market domain=食品 due_on=2024-06-01
2024-05-20T09:00 opinion.replied market sun o-1
2024-05-22T09:00 opinion.closed sifa wu o-1 accepted=true
2024-05-09T09:00 social_review.held sifa wu s-1 case_id=c-1 panel_size=5 opinion=agree opinions_given=1 opinions_adopted=1 adopted=true
2024-05-10T09:00 dossier.reviewed sifa wu d-1 case_id=c-1 score=92.5 grade=excellent has_veto=false standard=2017
2024-05-11T09:00 training.completed longta wang - hours=7.5 mode=online
2024-05-12T09:00 certificate.issued longta wang -
2024-05-13T09:00 scene.handled market sun h-1 scene_id=scene-1
2024-05-14T09:00 meeting.held sifa wu g-1 kind=coordination
2024-05-15T09:00 feed.delivered market - f-1 feed_id=feed-1 records=100
2023-10-26T09:00 patrol.recorded old-team sun p-3 result=none
";

/// Reads events as the `.slt` files write them; `id`, `party`, `item` and `received` are columns.
fn events(text: &str) -> Vec<Line> {
    text.lines().filter(|written| !written.trim().is_empty()).map(event).collect()
}

fn event(written: &str) -> Line {
    let words: Vec<&str> = written.split_whitespace().collect();
    let [at, event_type, org_id, officers, object, rest @ ..] = &words[..] else {
        panic!("`{written}` has no time, type, unit, officers and object");
    };
    let id = format!("{at} {event_type} {org_id} {object}");
    let mut made = line(&id, event_type, &format!("{at}:00+08:00"), org_id);
    if *officers != "-" {
        made = made.officers(&officers.split(',').collect::<Vec<_>>());
    }
    if *object != "-" {
        made = made.object(object);
    }
    for word in rest {
        let (key, value) = word.split_once('=').unwrap();
        made = match key {
            "id" => made.with("event_id", value),
            "party" => made.with("party_id", value),
            "item" => made.with("item_code", value),
            "received" => made.with("received_at", format!("{value}:00+08:00")),
            _ => made.attribute(key, value),
        };
    }
    made
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql")
}

fn shipped_checks() -> Checks {
    Checks::load(&Definitions::load(Some(&shipped())).unwrap()).unwrap()
}

/// The lake of [`REFERENCES`] and [`EVENTS`], with more of both.
fn lake_with(references: &[(&str, &str)], more: &str) -> TestLake {
    let mut lake = TestLake::new();
    for (table, csv) in REFERENCES.iter().chain(references) {
        lake.reference(table, csv);
    }
    lake.land(&[events(EVENTS), events(more)].concat());
    lake.refresh();
    lake
}

/// The same lake with all faults of a list.
fn lake_of(faults: &[Fault]) -> TestLake {
    let references: Vec<_> = faults.iter().flat_map(|fault| fault.references).copied().collect();
    let events: Vec<_> = faults.iter().map(|fault| fault.events).collect();
    lake_with(&references, &events.join("\n"))
}

fn run(view: &View, checks: &Checks) -> Vec<Outcome> {
    wait(check::run(view, checks, 100)).unwrap()
}

/// The rows with their cells joined by spaces; what is not there is `-`.
fn rows(outcome: &Outcome) -> Vec<String> {
    let options = FormatOptions::default();
    let cell = |column: &dyn Array, row: usize| {
        if column.is_null(row) {
            return "-".to_owned();
        }
        ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
    };
    (0..outcome.rows.num_rows())
        .map(|row| {
            let cells = outcome.rows.columns().iter().map(|column| cell(column.as_ref(), row));
            cells.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// One check finds one row for each expected text, which the row begins with, and counts them.
#[track_caller]
pub(crate) fn finds(view: &View, id: &str, expected: &[&str]) {
    finds_among(view, id, |_| true, expected);
}

/// The same for the rows about some objects.
#[track_caller]
fn finds_among(view: &View, id: &str, is_meant: impl Fn(&str) -> bool, expected: &[&str]) {
    let outcome = run(view, &shipped_checks().only(id).unwrap()).pop().unwrap();
    assert_eq!(outcome.failed, None, "{id}");
    let all = rows(&outcome);
    assert_eq!(outcome.violations, all.len() as u64, "{id}");
    assert_eq!(outcome.by_org.values().sum::<u64>(), outcome.violations, "{id}");
    let object = |row: &String| row.split(' ').nth(1).unwrap_or_default().to_owned();
    let found: Vec<&String> = all.iter().filter(|row| is_meant(&object(row))).collect();
    let agree = found.len() == expected.len()
        && found.iter().zip(expected).all(|(row, start)| {
            row.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
    assert!(agree, "{id} found {found:#?} and not {expected:#?}");
}

#[track_caller]
fn all_hold(view: &View) {
    let faults: BTreeMap<String, (Option<String>, Vec<String>)> = run(view, &shipped_checks())
        .iter()
        .filter(|outcome| !outcome.holds())
        .map(|outcome| (outcome.check.id().to_owned(), (outcome.failed.clone(), rows(outcome))))
        .collect();
    assert_eq!(faults, BTreeMap::new());
}

#[test]
fn every_check_holds_on_an_empty_lake_before_and_after_a_refresh() {
    let mut lake = TestLake::new();
    all_hold(&lake.view());
    lake.refresh();
    all_hold(&lake.view());
}

#[test]
fn every_check_holds_where_everything_is_in_order() {
    all_hold(&lake_with(&[], "").view());
}

/// What breaks a check, and the beginnings of the rows that it then returns.
struct Fault {
    check: &'static str,
    references: &'static [(&'static str, &'static str)],
    events: &'static str,
    found: &'static [&'static str],
}

/// Faults of the work and of the record, all in one lake: what is a fault to one check may be one to
/// another, so each looks at its own objects. Those without a row stand close to the rule.
const FINDINGS: &[Fault] = &[
    Fault {
        check: "case_filing_known",
        references: &[],
        events: "2024-08-05T09:00 case.decided dawan zhao,qian filing-1",
        found: &["dawan filing-1"],
    },
    Fault {
        check: "case_steps_in_order",
        references: &[],
        // order-4 has a decision without a time of day, order-5 one on the spot: neither is out of order.
        events: "
2024-08-05T09:00 case.filed dawan zhao,qian order-1 procedure=ordinary
2024-08-01T09:00 case.decided dawan zhao,qian order-1
2024-08-05T15:00 case.filed dawan zhao,qian order-2 procedure=ordinary
2024-08-05T10:00 case.notified dawan zhao,qian order-2
2024-08-05T09:00 case.filed dawan zhao,qian order-3 procedure=ordinary
2024-08-20T09:00 case.decided dawan zhao,qian order-3
2024-08-21T09:00 case.hearing_held dawan zhao,qian order-3
2024-08-19T09:00 case.served dawan zhao,qian order-3
2024-08-04T09:00 case.closed dawan zhao,qian order-3
2024-08-05T09:00 case.filed dawan zhao,qian order-4 procedure=ordinary
2024-08-05T00:00 case.decided dawan zhao,qian order-4
2024-08-05T12:00 case.filed dawan zhao,qian order-5 procedure=simple
2024-08-05T11:00 case.decided dawan zhao,qian order-5
2024-08-05T09:00 case.filed dawan zhao,qian order-6 procedure=ordinary
2024-08-01T09:00 case.withdrawn dawan zhao,qian order-6
2024-08-09T09:00 case.notified dawan zhao,qian order-7
2024-08-08T09:00 case.hearing_requested dawan - order-7",
        found: &[
            "dawan order-1 filed decided 2024-08-05 2024-08-01",
            "dawan order-2 filed notified 2024-08-05 2024-08-05",
            "dawan order-3 decided closed 2024-08-20 2024-08-04",
            "dawan order-3 decided served 2024-08-20 2024-08-19",
            "dawan order-3 filed closed 2024-08-05 2024-08-04",
            "dawan order-3 hearing_held decided 2024-08-21 2024-08-20",
            "dawan order-3 served closed 2024-08-19 2024-08-04",
            "dawan order-6 filed withdrawn 2024-08-05 2024-08-01",
            "dawan order-7 notified hearing_requested 2024-08-09 2024-08-08",
        ],
    },
    Fault {
        check: "case_notice_before_decision",
        references: &[],
        // notice-4 has a decision without a time of day, notice-5 needs no record of what was said on the spot.
        events: "
2024-08-20T09:00 case.decided dawan zhao,qian notice-1
2024-08-20T09:00 case.decided dawan zhao,qian notice-2
2024-08-21T09:00 case.notified dawan zhao,qian notice-2
2024-08-20T09:00 case.decided dawan zhao,qian notice-3
2024-08-20T10:00 case.notified dawan zhao,qian notice-3
2024-08-20T00:00 case.decided dawan zhao,qian notice-4
2024-08-20T10:00 case.notified dawan zhao,qian notice-4
2024-08-20T09:00 case.filed dawan zhao,qian notice-5 procedure=simple
2024-08-20T09:00 case.decided dawan zhao,qian notice-5",
        found: &["dawan notice-1 -", "dawan notice-2", "dawan notice-3"],
    },
    Fault {
        check: "case_review_before_decision",
        references: &[],
        // Only art. 58 cases need a review, and one that asks for amendments has passed.
        events: "
2024-08-20T09:00 case.decided dawan zhao,qian review-1 is_major=true
2024-08-20T09:00 case.decided dawan zhao,qian review-2 is_major=true
2024-08-20T10:00 case.reviewed sifa wu review-2 opinion=agree
2024-08-19T10:00 case.reviewed sifa wu review-3 opinion=reject
2024-08-20T09:00 case.decided dawan zhao,qian review-3 is_major=true
2024-08-19T10:00 case.reviewed sifa wu review-4 opinion=amend
2024-08-20T09:00 case.decided dawan zhao,qian review-4 is_major=true
2024-08-20T09:00 case.decided dawan zhao,qian review-5 is_major=false
2024-08-19T10:00 case.reviewed sifa wu review-6
2024-08-20T09:00 case.decided dawan zhao,qian review-6 is_major=true",
        found: &[
            "dawan review-1 -",
            "dawan review-2 agree",
            "dawan review-3 reject",
            "dawan review-6 -",
        ],
    },
    Fault {
        check: "case_hearing_notified",
        references: &[],
        events: "
2024-08-20T09:00 case.hearing_held dawan zhao,qian hearing-1
2024-08-20T08:00 case.hearing_notified dawan zhao,qian hearing-2
2024-08-20T09:00 case.hearing_held dawan zhao,qian hearing-2
2024-08-19T08:00 case.hearing_notified dawan zhao,qian hearing-3
2024-08-20T09:00 case.hearing_held dawan zhao,qian hearing-3",
        found: &["dawan hearing-1 -", "dawan hearing-2 2024-08-20"],
    },
    Fault {
        check: "case_decided_before_publication",
        references: &[],
        events: "
2024-08-20T09:00 case.published dawan zhao publish-1
2024-08-20T09:00 case.decided dawan zhao,qian publish-2
2024-08-19T09:00 case.published dawan zhao publish-2
2024-08-20T09:00 case.decided dawan zhao,qian publish-3
2024-08-19T09:00 case.uploaded dawan - publish-3
2024-08-20T09:00 case.decided dawan zhao,qian publish-4
2024-08-20T08:00 case.published dawan zhao publish-4",
        found: &[
            "dawan publish-1 - 2024-08-20 -",
            "dawan publish-2 2024-08-20 2024-08-19 -",
            "dawan publish-3 2024-08-20 - 2024-08-19",
        ],
    },
    Fault {
        check: "two_officers",
        references: &[],
        // The second officer of two-v2 came in at the end, of two-2 with a step. A patrol needs one.
        events: "
2024-08-20T09:00 inspection.finished dawan zhao two-v1
2024-08-20T09:00 inspection.started dawan zhao two-v2
2024-08-20T10:00 inspection.finished dawan qian two-v2
2024-08-20T10:00 inspection.finished dawan - two-v3
2024-08-20T10:00 inspection.started dawan zhao two-v4
2024-08-20T09:00 case.decided dawan zhao two-1
2024-08-19T09:00 case.investigated dawan qian two-2
2024-08-20T09:00 case.decided dawan zhao two-2
2024-08-20T10:00 patrol.recorded dawan zhao two-v5",
        found: &["dawan two-1 case 1", "dawan two-v1 inspection 1", "dawan two-v3 inspection 0"],
    },
    Fault {
        check: "officers_certified",
        references: &[(
            "officers",
            "officer_id,org_id,certificate_no,certificate_from,certificate_to,valid_from,valid_to\n\
             feng,dawan,,,,2024-01-01,\n\
             chen,dawan,n-9,2024-08-10,,2024-01-01,\n",
        )],
        // wang's certificate ended on 1 July; logging in needs none, and whom nobody knows is not judged.
        events: "
2024-07-01T09:00 patrol.recorded longta wang certified-p9
2024-07-02T09:00 inspection.finished dawan wang,zhao certified-v1
2024-07-03T09:00 officer.login longta wang -
2024-08-09T09:00 case.investigated dawan feng,chen certified-1
2024-08-10T09:00 case.investigated dawan feng,chen certified-1
2024-08-10T09:00 case.investigated dawan nobody certified-1",
        found: &[
            "dawan - chen 1 2024-08-09 2024-08-09",
            "dawan - feng 2 2024-08-09 2024-08-10",
            "dawan - wang 1 2024-07-02 2024-07-02",
            "longta - wang 1 2024-07-01 2024-07-01",
        ],
    },
    Fault {
        check: "town_items_held",
        references: &[],
        // 大湾 is a 镇 and 龙塔 a 街道; departments and teams are not bound by the towns' lists.
        events: "
2024-08-20T09:00 case.filed longta zhao,qian town-1 item=i-zhen
2024-08-20T09:00 case.filed dawan zhao,qian town-2 item=i-zhen
2024-08-20T09:00 case.filed dawan zhao,qian town-3 item=i-team
2024-07-01T09:00 case.filed dawan zhao,qian town-4 item=i-old
2024-06-30T09:00 case.filed dawan zhao,qian town-5 item=i-old
2024-08-20T09:00 case.filed market-team sun,zhou town-6 item=i-team
2024-08-20T09:00 case.filed dawan zhao,qian town-7 item=i-nowhere",
        found: &["dawan town-3 i-team 镇", "dawan town-4 i-old 镇", "longta town-1 i-zhen 街道"],
    },
    Fault {
        check: "simple_procedure_ceiling",
        references: &[],
        events: r#"
2024-08-20T09:00 case.filed dawan zhao,qian simple-1 procedure=simple party_kind=person
2024-08-20T09:10 case.decided dawan zhao,qian simple-1 fine_fen=20001
2024-08-20T09:00 case.filed dawan zhao,qian simple-2 procedure=simple party=zhang
2024-08-20T09:10 case.decided dawan zhao,qian simple-2 fine_fen=20001
2024-08-20T09:00 case.filed dawan zhao,qian simple-3 procedure=simple party=shop
2024-08-20T09:10 case.decided dawan zhao,qian simple-3 fine_fen=300000 penalty_types=["警告","罚款"]
2024-08-20T09:00 case.filed dawan zhao,qian simple-4 procedure=simple
2024-08-20T09:10 case.decided dawan zhao,qian simple-4 fine_fen=300001
2024-08-20T09:00 case.filed dawan zhao,qian simple-5 procedure=simple
2024-08-20T09:10 case.decided dawan zhao,qian simple-5 penalty_types=["罚款","没收违法所得"]
2024-08-20T09:00 case.filed dawan zhao,qian simple-6 procedure=simple
2024-08-20T09:10 case.decided dawan zhao,qian simple-6 confiscated_fen=1
2024-08-20T09:00 case.filed dawan zhao,qian simple-7 procedure=ordinary party_kind=person
2024-08-20T09:10 case.decided dawan zhao,qian simple-7 fine_fen=900000"#,
        found: &[
            "dawan simple-1 person",
            "dawan simple-2 person",
            "dawan simple-4 -",
            "dawan simple-5 -",
            "dawan simple-6 -",
        ],
    },
    Fault {
        check: "one_act_one_fine",
        references: &[],
        // act-3 is about another item, act-4 has no fine, the decision of act-5 was annulled.
        events: "
2024-08-20T09:00 case.filed dawan zhao,qian act-1 party=shop item=i-both inspection_id=v-1
2024-08-21T09:00 case.decided dawan zhao,qian act-1 fine_fen=100
2024-08-20T09:00 case.filed dawan zhao,qian act-3 party=shop item=i-team inspection_id=v-1
2024-08-21T09:00 case.decided dawan zhao,qian act-3 fine_fen=100
2024-08-20T09:00 case.filed dawan zhao,qian act-4 party=shop item=i-both inspection_id=v-1
2024-08-21T09:00 case.decided dawan zhao,qian act-4 fine_fen=0
2024-08-20T09:00 case.filed dawan zhao,qian act-5 party=shop item=i-both inspection_id=v-1
2024-08-21T09:00 case.decided dawan zhao,qian act-5 fine_fen=100
2024-08-22T09:00 case.changed dawan zhao,qian act-5 kind=annulled",
        found: &["dawan act-1 v-1 i-both shop 100", "longta c-1 v-1 i-both shop 800000"],
    },
    Fault {
        check: "postings_within_units",
        references: &[(
            "officers",
            "officer_id,org_id,certificate_no,valid_from,valid_to\n\
             han,old-team,n-8,2016-01-01,\n\
             cao,old-team,n-9,2016-01-01,2023-10-25\n\
             jiang,dawan,n-10,2019-12-31,\n",
        )],
        events: "",
        found: &["dawan - jiang 2019-12-31", "old-team - han 2016-01-01"],
    },
    Fault {
        check: "events_within_units",
        references: &[(
            "orgs",
            "org_id,kind,valid_from,valid_to\nbrief,team,2024-01-01,2024-02-01\n",
        )],
        // old-team has ended too, and has a successor.
        events: "
2023-12-31T09:00 patrol.recorded brief sun b-1
2024-01-01T09:00 patrol.recorded brief sun b-2
2024-01-31T09:00 patrol.recorded brief sun b-3
2024-02-01T09:00 patrol.recorded brief sun b-4
2024-03-01T09:00 patrol.recorded brief sun b-5",
        found: &["brief - 3 2023-12-31 2024-03-01"],
    },
    Fault {
        check: "inspection_steps_in_order",
        references: &[],
        events: "
2024-08-20T11:00 inspection.started dawan zhao,qian visit-v1
2024-08-20T10:00 inspection.finished dawan zhao,qian visit-v1
2024-08-20T09:00 inspection.finished dawan zhao,qian visit-v2
2024-08-19T09:00 inspection.rectified dawan zhao visit-v2
2024-08-20T09:00 inspection.finished dawan zhao,qian visit-v3
2024-08-19T09:00 inspection.published dawan zhao visit-v3
2024-08-20T11:00 inspection.started dawan zhao,qian visit-v4
2024-08-20T00:00 inspection.finished dawan zhao,qian visit-v4
2024-08-21T11:00 inspection.started dawan zhao,qian visit-v5
2024-08-20T00:00 inspection.finished dawan zhao,qian visit-v5",
        found: &["dawan visit-v1", "dawan visit-v2", "dawan visit-v3", "dawan visit-v5"],
    },
    Fault {
        check: "source_warnings",
        references: &[],
        events: "
2024-08-20T09:00 patrol.recorded dawan zhao warned-1 warnings=bad_uscc:administrative_cp_ui_code
2024-08-20T09:00 patrol.recorded dawan zhao warned-2 note=warnings",
        found: &["dawan warned-1 bad_uscc administrative_cp_ui_code native"],
    },
];

/// Faults of what lines say and refer to. They stand in one lake, and none is a fault to another check.
const LINES: &[Fault] = &[
    Fault {
        check: "event_orgs_known",
        references: &[],
        events: "
2024-08-20T09:00 patrol.recorded nowhere sun n-1
2024-08-22T09:00 patrol.recorded nowhere sun n-2
2024-08-20T09:00 opinion.issued sifa wu o-9 target_org_id=gone",
        found: &[
            "gone target_org_id 1 2024-08-20 2024-08-20",
            "nowhere org_id 2 2024-08-20 2024-08-22",
        ],
    },
    Fault {
        check: "event_types_known",
        references: &[],
        events: "
2024-08-20T09:00 drone.flown dawan zhao -
2024-08-21T09:00 drone.flown dawan zhao -",
        found: &["dawan drone.flown 2 2024-08-20 2024-08-21"],
    },
    Fault {
        check: "event_objects_named",
        references: &[],
        // A login belongs to nothing, and a drone to nobody knows what.
        events: "
2024-08-20T09:00 patrol.recorded dawan zhao - id=u-1
2024-08-20T09:00 case.investigated dawan zhao,qian - id=u-2
2024-08-20T09:00 officer.login dawan zhao -",
        found: &["dawan u-1 patrol.recorded", "dawan u-2 case.investigated"],
    },
    Fault {
        check: "events_not_ahead",
        references: &[],
        // Everything lands at noon on 1 July 2026, and is received then unless it says otherwise.
        events: "
2026-07-01T13:00 patrol.recorded dawan zhao a-1 id=u-3
2026-07-01T12:00 patrol.recorded dawan zhao a-2
2024-08-20T09:00 patrol.recorded dawan zhao a-3 id=u-4 received=2024-08-20T08:59
2024-08-20T09:00 patrol.recorded dawan zhao a-4 received=2024-08-20T09:00",
        found: &["dawan u-3 patrol.recorded", "dawan u-4 patrol.recorded"],
    },
    Fault {
        check: "event_attributes_readable",
        references: &[],
        events: "
2024-08-20T09:00 case.decided dawan zhao,qian x-1 id=u-5 fine_fen=很多 is_major=maybe documents=1
2024-08-20T09:00 case.paid dawan - x-1 id=u-6 paid_fen=-5
2024-08-20T09:00 inspection.finished dawan zhao,qian y-1 id=u-7 rectify_by=2024-02-30
2024-08-20T09:00 training.completed dawan zhao - id=u-8 hours=seven
2024-08-21T09:00 training.completed dawan zhao - hours=7
2024-08-20T09:00 task.assigned dawan - t-6 id=u-9 due_on=soon
2024-08-21T09:00 officer.login dawan zhao - hours=none",
        found: &[
            "dawan u-5 case.decided fine_fen = 很多",
            "dawan u-5 case.decided is_major = maybe",
            "dawan u-6 case.paid paid_fen = -5",
            "dawan u-7 inspection.finished rectify_by = 2024-02-30",
            "dawan u-8 training.completed hours = seven",
            "dawan u-9 task.assigned due_on = soon",
        ],
    },
    Fault {
        check: "event_codes_known",
        references: &[],
        // The kind of a finished inspection is that of a started one; an unlisted `reason` is free.
        events: "
2024-08-20T09:00 patrol.recorded dawan zhao y-2 result=OK
2024-08-21T09:00 patrol.recorded dawan zhao y-3 result=OK
2024-08-20T09:00 inspection.finished dawan zhao,qian y-4 kind=日常 result=pending
2024-08-20T09:00 case.filed dawan zhao,qian x-2 procedure=summary
2024-08-20T09:00 case.withdrawn dawan zhao,qian x-2 reason=anything",
        found: &[
            "dawan case.filed procedure summary 1",
            "dawan inspection.finished kind 日常 1",
            "dawan patrol.recorded result OK 2 2024-08-20 2024-08-21",
        ],
    },
    Fault {
        check: "officers_known",
        references: &[("leaves", "officer_id,from_date,to_date\nabsent,2024-08-01,2024-08-02\n")],
        events: "2024-08-20T09:00 patrol.recorded dawan zhao,ghost y-5",
        found: &["dawan - ghost events", "- - absent leaves"],
    },
    Fault {
        check: "items_known",
        references: &[],
        events: "
2024-08-20T09:00 inspection.finished dawan zhao,qian y-6 item=i-gone
2024-09-20T09:00 case.filed dawan zhao,qian x-3 item=i-gone
2024-08-20T09:00 licence.accepted market sun l-8 item=i-none",
        found: &["dawan i-gone 2 2024-08 2024-09", "market i-none 1 2024-08 2024-08"],
    },
    Fault {
        check: "parties_known",
        references: &[],
        events: "
2024-08-20T09:00 inspection.finished dawan zhao,qian y-7 party=nobody
2024-09-20T09:00 case.filed dawan zhao,qian x-4 party=nobody
2024-08-20T09:00 licence.accepted market sun l-9 party=nobody",
        found: &["dawan - nobody 2 2024-08 2024-09", "market - nobody 1 2024-08 2024-08"],
    },
    Fault {
        check: "case_inspections_known",
        references: &[],
        // A patrol is as good as an inspection.
        events: "
2024-08-20T09:00 case.filed dawan zhao,qian x-5 inspection_id=v-9
2024-08-20T09:00 case.filed dawan zhao,qian x-6 inspection_id=p-1",
        found: &["dawan x-5 v-9 2024-08-20"],
    },
    Fault {
        check: "cases_known",
        references: &[],
        events: "
2024-08-20T09:00 measure.imposed dawan zhao,qian m-9 case_id=c-9
2024-08-20T09:00 measure.imposed dawan zhao,qian m-8
2024-08-20T09:00 remedy.filed dawan - r-9 case_id=c-9
2024-08-20T09:00 social_review.held sifa wu s-9 case_id=c-9
2024-08-20T09:00 dossier.reviewed sifa wu d-9 case_id=c-9",
        found: &[
            "dawan m-9 measure.imposed c-9",
            "dawan r-9 remedy.filed c-9",
            "sifa d-9 dossier.reviewed c-9",
            "sifa s-9 social_review.held c-9",
        ],
    },
    Fault {
        check: "plans_known",
        references: &[],
        events: "
2024-08-20T09:00 inspection.finished dawan zhao,qian y-8 plan_id=plan-9
2024-09-20T09:00 task.assigned dawan - t-7 plan_id=plan-9",
        found: &["dawan plan-9 2 2024-08 2024-09"],
    },
    Fault {
        check: "tasks_known",
        references: &[],
        events: "
2024-08-20T09:00 inspection.finished dawan zhao,qian y-9 task_id=t-8
2024-08-20T09:00 task.completed dawan zhao t-9",
        found: &["dawan t-9 t-9", "dawan y-9 t-8"],
    },
    Fault {
        check: "scenes_known",
        references: &[],
        events: "
2024-08-20T09:00 scene.handled market sun h-8 scene_id=scene-9
2024-08-20T09:00 scene.handled market sun h-9",
        found: &["market h-8 scene-9", "market h-9 -"],
    },
    Fault {
        check: "feeds_known",
        references: &[],
        events: "2024-08-20T09:00 feed.delivered market - f-9 feed_id=feed-9",
        found: &["market f-9 feed-9"],
    },
];

/// Faults of the reference tables. They stand in one lake, and none is a fault to another check.
const TABLES: &[Fault] = &[
    Fault {
        check: "reference_orgs_known",
        references: &[
            ("orgs", "org_id,kind,parent_id,successor_id\northan,team,gone,away\n"),
            ("officers", "officer_id,org_id\nfeng,gone\n"),
            ("items", "item_code,holder_id\ni-9,gone\n"),
            ("plans", "plan_id,org_id\nplan-9,gone\n"),
            ("declarations", "org_id,kind,period_start\ngone,case,2024-01-01\n"),
            ("feeds", "feed_id,from_org_id\nfeed-9,gone\n"),
        ],
        events: "",
        found: &[
            "away orthan orgs successor_id",
            "gone case declarations org_id",
            "gone feed-9 feeds from_org_id",
            "gone i-9 items holder_id",
            "gone orthan orgs parent_id",
            "gone plan-9 plans org_id",
            "gone - officers org_id feng",
        ],
    },
    Fault {
        check: "reference_versions_disjoint",
        references: &[
            ("orgs", "org_id,kind,valid_from,valid_to\ndawan,town,2024-01-01,\n"),
            (
                "officers",
                "officer_id,org_id,valid_from,valid_to\nli,longta,2024-04-30,2024-05-02\n",
            ),
            ("parties", "party_id,valid_from\nshop,2024-01-01\n"),
            ("items", "item_code,valid_from\ni-old,2024-06-30\n"),
            ("inspection_caps", "domain,risk_tier,valid_from\n*,low,2025-12-31\n"),
            ("feeds", "feed_id,valid_from\nfeed-1,2024-01-01\n"),
        ],
        events: "",
        found: &[
            "dawan dawan orgs - - 2024-01-01",
            "longta - officers li - 2024-04-30",
            "- * low inspection_caps - - 2025-12-31",
            "- * low inspection_caps - - 2026-01-01",
            "- feed-1 feeds - - 2024-01-01",
            "- i-old items - - 2024-06-30",
            "- - parties - shop 2024-01-01",
        ],
    },
    Fault {
        check: "reference_dates_possible",
        references: &[
            ("orgs", "org_id,valid_from,valid_to\nbrief,2024-01-01,2024-01-01\n"),
            (
                "officers",
                "officer_id,org_id,certificate_from,certificate_to,valid_from,valid_to\n\
                 tang,dawan,2024-02-01,2024-01-01,2024-01-01,2024-01-02\n\
                 shen,dawan,2024-01-01,2024-01-02,2024-02-01,2024-01-01\n",
            ),
            ("leaves", "officer_id,from_date,to_date\nzhao,2024-02-01,2024-02-01\n"),
            ("parties", "party_id,valid_from,valid_to\ninn,2024-02-01,2024-01-01\n"),
            ("items", "item_code,valid_from,valid_to\ni-8,2024-02-01,2024-01-01\n"),
            (
                "plans",
                "plan_id,org_id,period_start,period_end\nplan-8,dawan,2024-01-01,2024-01-01\n",
            ),
            (
                "declarations",
                "org_id,kind,period_start,period_end\ndawan,case,2024-01-01,2023-01-01\n",
            ),
        ],
        events: "",
        found: &[
            "brief brief orgs - - valid 2024-01-01 2024-01-01",
            "dawan case declarations - - period",
            "dawan plan-8 plans - - period",
            "dawan - officers shen - valid",
            "dawan - officers tang - certificate",
            "- i-8 items - - valid",
            "- - leaves zhao - leave",
            "- - parties - inn valid",
        ],
    },
];

#[test]
fn each_check_of_the_work_finds_what_breaks_its_rule() {
    let lake = lake_of(FINDINGS);
    let view = lake.view();
    for fault in FINDINGS {
        let objects = |text: &'static str, place: usize| {
            text.lines().filter_map(move |line| line.split(' ').nth(place))
        };
        let own: BTreeSet<&str> = objects(fault.events, 4)
            .chain(fault.found.iter().flat_map(|row| objects(row, 1)))
            .collect();
        finds_among(&view, fault.check, |object| own.contains(object), fault.found);
    }
}

#[test]
fn each_check_of_lines_finds_what_cannot_be_read_or_does_not_resolve() {
    let lake = lake_of(LINES);
    let view = lake.view();
    for fault in LINES {
        finds(&view, fault.check, fault.found);
    }
}

#[test]
fn each_check_of_reference_tables_finds_what_is_wrong_in_them() {
    let lake = lake_of(TABLES);
    let view = lake.view();
    for fault in TABLES {
        finds(&view, fault.check, fault.found);
    }
}

/// Rollups that overlook one event, and what the checks say then.
const OVERLOOKED: &[(&str, &str, &str, &[&str])] = &[
    (
        "org_days",
        "2024-03-04T09:00 patrol.recorded longta p-1",
        "org_days_agree",
        &["longta 2024-03-04 patrol.recorded - 1"],
    ),
    (
        // wang was active on other days of the month, so his month has him all the same.
        "officer_days",
        "2024-03-04T09:00 patrol.recorded longta p-1",
        "officer_days_agree",
        &["longta 2024-03 FW 2 2 16 17", "longta 2024-03 L2 2 2 16 17"],
    ),
    (
        "inspections",
        "2024-03-04T09:00 patrol.recorded longta p-1",
        "inspections_agree",
        &["longta p-1 - - - 2024-03-04"],
    ),
    (
        "cases",
        "2024-04-01T15:00 case.decided longta c-1",
        "cases_agree",
        &["longta c-1 14 15 2024-03-06 2024-03-06 - 2024-04-01"],
    ),
    (
        "acts",
        "2024-05-13T09:00 scene.handled market h-1",
        "acts_agree",
        &["market 2024-05 scene.handled - 1"],
    ),
];

/// The shipped definitions with some files changed or added.
fn with_files(files: &[(String, String)]) -> Definitions {
    let folder = TempDir::new().unwrap();
    for (file, text) in files {
        let target = folder.path().join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, text).unwrap();
    }
    Definitions::load(Some(folder.path())).unwrap()
}

#[test]
fn each_rollup_that_overlooks_an_event_is_found_out() {
    let overlooking = |(model, event_id, _, _): &(&str, &str, &str, &[&str])| {
        let file = format!("models/{model}.sql");
        let sql = fs::read_to_string(shipped().join(&file)).unwrap();
        assert!(sql.contains("from events"), "{model}");
        let all_but =
            format!("from (select * from events where event_id <> '{event_id}') as events");
        (file, sql.replace("from events", &all_but))
    };
    let mut lake = lake_with(&[], "");
    lake.refresh_by(&with_files(&OVERLOOKED.iter().map(overlooking).collect::<Vec<_>>()));
    let view = lake.view();
    for (_, _, check, found) in OVERLOOKED {
        finds(&view, check, found);
    }
}

#[test]
fn rollups_that_have_not_followed_the_log_are_found_out() {
    let mut lake = lake_with(&[], "");
    lake.land(&events("2024-03-04T09:00 patrol.recorded dawan zhao p-9"));
    finds(&lake.view(), "org_days_agree", &["dawan 2024-03-04 patrol.recorded - 1"]);
    finds(&lake.view(), "inspections_agree", &["dawan p-9 - - - 2024-03-04"]);
    lake.refresh();
    all_hold(&lake.view());
}

#[test]
fn an_officer_who_is_in_the_sets_and_not_in_the_rows_for_other_engines_is_found_out() {
    let file = "models/officer_days_flat.sql".to_owned();
    let sql = fs::read_to_string(shipped().join(&file)).unwrap();
    let without = format!("{sql}where not (officer_id = 'wang' and level = 'L1')\n");
    let mut lake = lake_with(&[], "");
    lake.refresh_by(&with_files(&[(file, without)]));
    finds(&lake.view(), "officer_days_flat_agree", &["longta 2024-03 L1 - 1 - 1"]);
}

#[test]
fn an_officer_of_a_unit_who_is_not_in_the_set_of_the_whole_tree_is_found_out() {
    let file = "models/officer_days_all.sql".to_owned();
    let sql = fs::read_to_string(shipped().join(&file)).unwrap();
    let without = sql.replace("from officer_days", "from officer_days where org_id <> 'longta'");
    let mut lake = lake_with(&[], "");
    lake.refresh_by(&with_files(&[(file, without)]));
    let checks = shipped_checks().only("officer_days_all_agree").unwrap();
    let outcome = run(&lake.view(), &checks).pop().unwrap();
    let days = "select count(distinct concat(event_date, level)) from officer_days where org_id = 'longta'";
    assert_eq!(lake.rows(days), [outcome.violations.to_string()]);
    assert_ne!(outcome.violations, 0);
}

/// Adds the newest data file of a table once more, as another program might.
fn repeat_data_file(table: &Path) {
    let log = table.join("_delta_log");
    let mut commits: Vec<PathBuf> = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    commits.sort();
    let add = commits
        .iter()
        .rev()
        .flat_map(|commit| {
            let text = fs::read_to_string(commit).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .find(|action| action.starts_with("{\"add\""))
        .unwrap();
    let mut add: serde_json::Value = serde_json::from_str(&add).unwrap();
    let path = add["add"]["path"].as_str().unwrap().to_owned();
    let copy = path.replace(".parquet", "-again.parquet");
    fs::copy(table.join(&path), table.join(&copy)).unwrap();
    add["add"]["path"] = copy.into();
    let next = log.join(format!("{:020}.json", commits.len()));
    fs::write(next, add.to_string()).unwrap();
}

#[test]
fn a_row_that_is_there_twice_is_found_out() {
    let lake = lake_with(&[], "");
    for table in [
        "org_days",
        "officer_days",
        "officer_days_all",
        "field_days",
        "inspections",
        "cases",
        "acts",
    ] {
        repeat_data_file(&lake.root().join("rollups").join(table));
    }
    for table in ["scenes", "leaves"] {
        repeat_data_file(&lake.root().join("reference").join(table));
    }
    finds(
        &lake.view(),
        "reference_keys_unique",
        &["- scene-1 scenes - - - 2", "- - leaves qian - 2024-06-01 2"],
    );
    let checks = shipped_checks().only("rollup_keys_unique").unwrap();
    let outcome = run(&lake.view(), &checks).pop().unwrap();
    let tables: BTreeSet<String> = rows(&outcome)
        .iter()
        .filter_map(|row| row.strip_suffix(" 2")?.rsplit(' ').next().map(str::to_owned))
        .collect();
    let expected = [
        "acts",
        "cases",
        "field_days",
        "inspections",
        "officer_days",
        "officer_days_all",
        "org_days",
    ];
    assert_eq!(tables.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_shipped_check_is_shown_to_fail() {
    let shown: BTreeSet<&str> = FINDINGS
        .iter()
        .chain(LINES)
        .chain(TABLES)
        .map(|fault| fault.check)
        .chain(OVERLOOKED.iter().map(|(_, _, check, _)| *check))
        .chain(["rollup_keys_unique", "reference_keys_unique", "officer_days_flat_agree"])
        .chain(["officer_days_all_agree"])
        // In the module about drift.
        .chain(["fields_still_filled", "fields_same_kind"])
        .collect();
    let checks = shipped_checks();
    assert_eq!(checks.iter().map(check::Check::id).collect::<BTreeSet<_>>(), shown);
}

#[test]
fn violations_are_counted_by_unit_and_only_the_first_rows_are_kept() {
    let lake = lake_with(
        &[],
        "2024-08-20T09:00 case.decided dawan zhao,qian x-2
2024-08-20T09:00 case.decided dawan zhao,qian x-1
2024-08-20T09:00 case.decided longta wang,li x-3",
    );
    let checks = shipped_checks().only("case_filing_known").unwrap();
    let view = lake.view();
    let outcome = wait(check::run(&view, &checks, 1)).unwrap().pop().unwrap();
    assert_eq!(outcome.violations, 3);
    assert!(!outcome.holds());
    let by_org: Vec<_> =
        outcome.by_org.iter().map(|(org, count)| (org.as_deref(), *count)).collect();
    assert_eq!(by_org, [(Some("dawan"), 2), (Some("longta"), 1)]);
    assert_eq!(rows(&outcome).len(), 1);
    assert!(rows(&outcome)[0].starts_with("dawan x-1 "));
    // What is remembered of the state is more than was asked for first, and less than may be asked for.
    for (limit, kept) in [(0, 0), (2, 2), (100, 3)] {
        let again = wait(check::run(&view, &checks, limit)).unwrap().pop().unwrap();
        assert_eq!((again.violations, again.rows.num_rows()), (3, kept));
        assert_eq!(again.by_org, outcome.by_org);
        assert_eq!(again.rows.slice(0, kept.min(1)), outcome.rows.slice(0, kept.min(1)));
    }
}

#[test]
fn more_rows_of_a_check_than_are_remembered_are_found_again() {
    let lines: Vec<String> =
        (0..30).map(|n| format!("2024-08-20T09:00 case.decided dawan zhao,qian x-{n}")).collect();
    let lake = lake_with(&[], &lines.join("\n"));
    let checks = shipped_checks().only("case_filing_known").unwrap();
    let view = lake.view();
    for (limit, kept) in [(5, 5), (25, 25), (100, 30), (20, 20)] {
        let outcome = wait(check::run(&view, &checks, limit)).unwrap().pop().unwrap();
        assert_eq!((outcome.violations, outcome.rows.num_rows()), (30, kept));
    }
}

#[test]
fn a_check_that_cannot_run_says_so_and_leaves_the_others_alone() {
    let header = "-- title_zh = \"x\"\n-- title_en = \"x\"\n-- definition = \"x\"\n-- source = \"x\"\n\
                  -- severity = \"error\"\n-- remedy = \"x\"\n";
    let broken = [
        ("select org_id, object_id from nowhere", "nowhere"),
        ("select case_id from cases", "return org_id, object_id and then the evidence"),
        (
            "select org_id, cast(case_id as bigint) as object_id from cases",
            "check `broken-2` failed",
        ),
    ];
    let files: Vec<_> = broken
        .iter()
        .enumerate()
        .map(|(n, (sql, _))| (format!("checks/broken-{n}.sql"), format!("{header}{sql}")))
        .collect();
    let checks = Checks::load(&with_files(&files)).unwrap();
    let lake = lake_with(&[], "");
    for outcome in run(&lake.view(), &checks) {
        match outcome.check.id().strip_prefix("broken-") {
            Some(n) => {
                let failed = outcome.failed.as_deref().unwrap_or_default();
                assert!(failed.contains(broken[n.parse::<usize>().unwrap()].1), "{failed}");
                assert!(!outcome.holds());
            }
            None => assert!(outcome.holds(), "{}", outcome.check.id()),
        }
    }
}

#[track_caller]
fn adds_up(lake: &TestLake, definitions: &Definitions, as_of: &str, expected: &[&str]) {
    let catalogue = Catalogue::load(definitions).unwrap();
    let outcome = wait(check::run_additivity(&lake.view(), &catalogue, day(as_of))).unwrap();
    assert_eq!(outcome.failed, None);
    assert_eq!(rows(&outcome), expected);
    assert_eq!(outcome.violations, expected.len() as u64);
}

/// The catalogue with one more metric: how many officers were active, which says that it is additive.
fn with_a_distinct_count() -> Definitions {
    let sql = fs::read_to_string(shipped().join("metrics/officers_active.sql")).unwrap();
    let is_kept =
        |line: &&str| !line.starts_with("-- suppress_below") && !line.starts_with("-- additive");
    let lines: Vec<_> = sql
        .lines()
        .filter(is_kept)
        .map(|line| line.replace("-- rankable", "-- additive = true\n-- rankable"))
        .collect();
    with_files(&[("metrics/officers_seen.sql".to_owned(), lines.join("\n"))])
}

#[test]
fn additive_metrics_add_up_where_everything_is_in_order() {
    let lake = lake_with(&[], "2024-03-04T10:00 patrol.recorded nowhere sun n-1");
    let shipped = Definitions::load(Some(&shipped())).unwrap();
    adds_up(&lake, &shipped, "2024-04-15", &[]);
    adds_up(&TestLake::new(), &shipped, "2024-04-15", &[]);
}

#[test]
fn a_metric_that_says_falsely_that_it_is_additive_is_found_out() {
    // In March li serves 龙塔 and the team: one officer of the district, one of each part.
    let lake = lake_with(&[], "2024-03-04T10:00 patrol.recorded market-team li n-1");
    let definitions = with_a_distinct_count();
    adds_up(
        &lake,
        &definitions,
        "2024-04-15",
        &["- officers_seen value 2024-03 6.0 4.0 0.0 3.0 0.0"],
    );
    // May has no officer who serves two parts; neither has the last month before the log ends.
    adds_up(&lake, &definitions, "2024-06-01", &[]);
}

#[test]
fn a_unit_of_two_kinds_on_a_day_is_found_out() {
    let lake = lake_with(
        &[("orgs", "org_id,kind,valid_from,valid_to\nlongta,department,2024-03-01,2024-03-05\n")],
        "",
    );
    let shipped = Definitions::load(Some(&shipped())).unwrap();
    let catalogue = Catalogue::load(&shipped).unwrap();
    let outcome = wait(check::run_additivity(&lake.view(), &catalogue, day("2024-04-15"))).unwrap();
    let patrols = "- patrols value 2024-03 1.0 1.0 1.0 0.0 0.0".to_owned();
    assert!(rows(&outcome).contains(&patrols), "{:?}", rows(&outcome));
}
