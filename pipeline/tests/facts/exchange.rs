//! The national exchange formats land through their shipped mappings, however a unit exports them.

use std::collections::{BTreeMap, HashSet};

use encoding_rs::GB18030;
use pipeline::source::mapping::Mapping;
use pipeline::source::{Compression, Format, Limits, judge};
use pipeline::zone::DEFAULT_ZONE;
use proptest::prelude::*;

use crate::checks::finds;
use crate::harness::{NOW, REJECTS, TestLake, ask, number, question, shipped, time};

/// 统一社会信用代码 of a unit and of two firms, with right check characters; and an identity number out of GB 11643.
const UNIT: &str = "11500000009276118B";
const FIRM: &str = "91500112MA5U00001H";
const OTHER_FIRM: &str = "91500112MA5U00002L";
const PERSON: &str = "11010519491231002X";

const EVENTS: &str = "select event_id, event_type, occurred_at, org_id, \
    array_to_string(officer_ids, '|') as officer_ids, object_id, item_code, channel, attributes \
    from events order by event_id";

const WARNED: &str = "select object_id, json_get_json(attributes, 'warnings') as warnings from events \
    where strpos(attributes, '\"warnings\":') > 0 order by 1";

fn lake() -> TestLake {
    let lake = TestLake::new();
    lake.reference("orgs", &format!("org_id,name,kind\n{UNIT},渝北区城市管理局,department\n"));
    lake
}

/// A table of which each row gives some columns; the others are empty.
fn csv(rows: &[&[(&str, &str)]]) -> String {
    let mut header: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().copied().flatten() {
        if !header.contains(name) {
            header.push(name);
        }
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = header.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",") + "\n";
    for row in rows {
        let cells: BTreeMap<&str, &str> = row.iter().copied().collect();
        let cells: Vec<_> = header
            .iter()
            .map(|name| quoted(cells.get(name).copied().unwrap_or_default()))
            .collect();
        text.push_str(&(cells.join(",") + "\n"));
    }
    text
}

/// The only number of a metric over 2024 in the district.
fn metric(lake: &TestLake, metric: &str) -> String {
    let (_, samples) = ask(&lake.view(), &question(metric, "2024-01-01", "2025-01-01")).unwrap();
    assert_eq!(samples.len(), 1, "{metric}");
    samples[0].value.map_or_else(|| "none".to_owned(), number)
}

fn gbk(text: &str) -> Vec<u8> {
    GB18030.encode(text).0.into_owned()
}

const CHECK: &[(&str, &str)] = &[
    ("记录唯一标识", "r-1"),
    ("监管事项目录编码", "50011200000001"),
    ("监管事项检查实施清单编码", "11500000009276118B3001"),
    ("检查行为名称", "门前三包检查"),
    ("检查行为编号", "jc-1"),
    ("实施机构", "渝北区城市管理局"),
    ("实施机构编码", UNIT),
    ("监管对象", "小店"),
    ("行政相对人", "小店有限公司"),
    ("行政相对人性质", "法人"),
    ("证件类型", "统一社会信用代码"),
    ("行政相对人编码", FIRM),
    ("行政区划代码", "500112"),
    ("检查形式", "双随机、一公开"),
    ("检查类别", "专项检查"),
    ("检查方式", "现场"),
    ("检查结果", "发现问题，已责令改正"),
    ("检查时间", "2024年3月5日"),
    ("检查人员", "王某、李某"),
    ("执法证号", "50011200001，50011200002"),
    ("报送时间", "2024/3/6 10:00"),
    ("双随机一公开计划id", "/"),
    ("cd_id", "1"),
    ("批次号", "2024030600001"),
    ("操作类型", "i"),
];

/// A row of [`CHECK`] with other cells.
fn changed<'r>(
    row: &[(&'r str, &'r str)],
    cells: &[(&'r str, &'r str)],
) -> Vec<(&'r str, &'r str)> {
    let mut row = row.to_vec();
    for (name, value) in cells {
        let cell = row.iter_mut().find(|(known, _)| known == name).expect("a column of the format");
        cell.1 = value;
    }
    row
}

#[test]
fn an_inspection_is_the_same_in_whatever_encoding_and_under_either_header() {
    let chinese = csv(&[CHECK]);
    let english = chinese
        .replace("监管事项目录编码", "Supervise_Item_Implement_Code")
        .replace("检查行为编号", " CHECK_ACTION_CODE")
        .replace("检查时间", "ｃｈｅｃｋ＿ｄａｔｅ")
        .replace("执法证号", "check_personnel_code*");
    let expected = [format!(
        "supervision_check/1 inspection.finished 2024-03-04T16:00:00Z {UNIT} 50011200001|50011200002 jc-1 \
         50011200000001 import {}",
        r#"{"action_name":"门前三包检查","area_code":"500112","certificate_type":"统一社会信用代码","check_form":"双随机、一公开","check_mode":"on_site","check_result":"发现问题，已责令改正","check_type":"专项检查","double_random":"true","implementation_code":"11500000009276118B3001","kind":"special","party_kind":"firm","record_id":"r-1","result":"ordered"}"#
    )];
    for (name, bytes) in [
        ("utf8.csv", chinese.clone().into_bytes()),
        ("bom.csv", format!("\u{feff}{chinese}").into_bytes()),
        ("gbk.csv", gbk(&chinese)),
        ("english.csv", english.into_bytes()),
    ] {
        let mut lake = lake();
        let outcome = lake.land_as(&shipped("supervision_check"), name, &bytes).unwrap();
        assert_eq!((outcome.landed, outcome.rejected), (1, 0), "{name} {:?}", lake.rows(REJECTS));
        assert_eq!(lake.rows(EVENTS), expected, "{name}");
        assert_eq!(
            lake.rows("select party_id, received_at from events"),
            [format!("{FIRM} 2024-03-06T02:00:00Z")]
        );
        lake.refresh();
        assert_eq!(metric(&lake, "inspections"), "1", "{name}");
        assert_eq!(metric(&lake, "inspection_detection_ratio"), "1", "{name}");
        assert_eq!(metric(&lake, "double_random_ratio"), "1", "{name}");
    }
}

#[test]
fn what_is_doubtful_lands_with_a_warning_and_what_cannot_be_counted_is_refused() {
    let rows = [
        changed(CHECK, &[]),
        changed(
            CHECK,
            &[
                ("cd_id", "2"),
                ("检查行为编号", "jc-2"),
                ("监管事项目录编码", "5001120000000"),
                ("行政相对人编码", "91500112MA5U00001X"),
                ("检查结果", "整改"),
                ("报送时间", "2024-03-04"),
                ("检查形式", ""),
            ],
        ),
        changed(CHECK, &[("cd_id", "3"), ("检查行为编号", "jc-3"), ("检查时间", "2024-02-30")]),
        changed(CHECK, &[("cd_id", "4"), ("检查行为编号", "无")]),
        changed(CHECK, &[("cd_id", "5"), ("检查行为编号", "jc-5"), ("操作类型", "x")]),
        changed(CHECK, &[("cd_id", "6"), ("检查行为编号", "jc-6"), ("批次号", "第六批")]),
        changed(CHECK, &[("cd_id", ""), ("检查行为编号", "jc-7")]),
        changed(
            CHECK,
            &[
                ("cd_id", "8"),
                ("检查行为编号", "jc-8"),
                ("批次号", "2099010100001"),
                ("操作类型", "d"),
            ],
        ),
    ];
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let mut lake = lake();
    lake.land_as(&shipped("supervision_check"), "check.csv", csv(&rows).as_bytes()).unwrap();
    assert_eq!(
        lake.rows("select line, reason, detail from rejects order by line"),
        [
            "4 bad_time occurred_at `2024-02-30` is not a time",
            "5 missing_value check_action_code is missing",
            "6 wrong_type batch.operation should be i, u or d, found `x`",
            "7 bad_batch batch.number `第六批` is not a day as yyyymmdd and a sequence of up to nine digits",
            "8 missing_value event_id is missing",
            "9 future_time occurred_at lies after the time of landing",
        ]
    );
    assert_eq!(
        lake.rows(WARNED),
        [
            r#"jc-2 ["missing_value:check_form","bad_item_code:supervise_item_implement_code","bad_uscc:administrative_cp_ui_code","unknown_code:check_result","times_out_of_order:submitted_date"]"#
        ]
    );
    lake.refresh();
    assert_eq!(metric(&lake, "inspections"), "2");
    let listed = |code: &str, column: &str| {
        format!("{UNIT} jc-2 {code} {column} supervision_check supervision_check/2 2024-03-05")
    };
    let listed = [
        listed("bad_item_code", "supervise_item_implement_code"),
        listed("bad_uscc", "administrative_cp_ui_code"),
        listed("missing_value", "check_form"),
        listed("times_out_of_order", "submitted_date"),
        listed("unknown_code", "check_result"),
    ];
    let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
    finds(&lake.view(), "source_warnings", &listed);
}

/// Lands files one by one.
fn land_all(mapping: &Mapping, files: &[&String]) -> TestLake {
    let mut lake = lake();
    for file in files {
        let outcome = lake.land_as(mapping, "batch.csv", file.as_bytes()).unwrap();
        assert_eq!(outcome.rejected, 0, "{:?}", lake.rows(REJECTS));
    }
    lake.refresh();
    lake
}

/// Every order of some things.
fn orders<T: Copy>(things: &[T]) -> Vec<Vec<T>> {
    if things.len() < 2 {
        return vec![things.to_vec()];
    }
    let mut found = Vec::new();
    for place in 0..things.len() {
        let mut rest = things.to_vec();
        let first = rest.remove(place);
        found.extend(orders(&rest).into_iter().map(|order| [vec![first], order].concat()));
    }
    found
}

#[test]
fn the_latest_batch_wins_in_whatever_order_batches_come() {
    let mapping = shipped("supervision_check");
    let batch = |cells: &[(&'static str, &'static str)]| csv(&[&changed(CHECK, cells)]);
    let inserted = batch(&[]);
    let updated =
        batch(&[("操作类型", "u"), ("批次号", "2024031000002"), ("检查结果", "未发现问题")]);
    let again =
        batch(&[("操作类型", "u"), ("批次号", "2024031000010"), ("检查时间", "2024-02-29")]);
    // Whoever deletes a row often sends nothing but its id.
    let deleted = csv(&[&[
        ("cd_id", "1"),
        ("cd_batch", "2024040100001"),
        ("cd_operation", "d"),
        ("check_action_code", ""),
        ("check_date", ""),
    ]]);
    for order in orders(&[&inserted, &updated, &again]) {
        let lake = land_all(&mapping, &order);
        assert_eq!(
            lake.rows(
                "select revision, event_date, json_get_str(attributes, 'result') from events"
            ),
            ["202403100000000101 2024-02-29 ordered"]
        );
        assert_eq!(metric(&lake, "inspections"), "1");
    }
    for order in orders(&[&inserted, &updated, &deleted]) {
        let lake = land_all(&mapping, &order);
        assert_eq!(lake.rows("select count(*) from events"), ["0"]);
        assert_eq!(lake.rows("select count(*) from inspections"), ["0"]);
        assert_eq!(metric(&lake, "inspections"), "0");
    }
}

const PENALTY: &[(&str, &str)] = &[
    ("supervise_item_code", "50011200000001"),
    ("punish_action_name", "占道经营案"),
    ("punish_action_code", "cf-1"),
    ("implement_org_name", "渝北区城市管理局"),
    ("implement_org_code", UNIT),
    ("supervise_object", "小店"),
    ("case_source", "日常检查"),
    ("check_action_code", "jc-1"),
    ("admin_cp", "小店有限公司"),
    ("admin_cp_type", "1"),
    ("admin_cp_cert_type", "统一社会信用代码"),
    ("admin_cp_social_code", FIRM),
    ("district_code", "500112"),
    ("illegal_fact", "王某占道经营"),
    ("punish_accord", "城市市容管理条例第十四条"),
    ("punish_procedure", "普通程序"),
    ("is_hearing", "否"),
    ("filed_date", "20240306"),
    ("is_criminal", "0"),
    ("major_case", "是"),
    ("legal_review", "是"),
    ("legal_review_date", "2024/3/20"),
    ("legal_review_opinion", "同意"),
    ("punish_file_num", "渝北城管罚决字[2024]第12号"),
    ("punish_set_date", "2024-04-01"),
    ("punish_type", "警告、罚款"),
    ("fine_amount", "1,500.50"),
    ("punish_result", "对王某罚款"),
    ("review_status", "否"),
    ("lawsuit_status", "否"),
    ("paid_fine", "1500.5元"),
    ("close_date", "2024-04-10"),
    ("submit_date", "2024-04-11"),
    ("cd_id", "1"),
    ("cd_batch", "2024041100001"),
    ("cd_operation", "i"),
];

#[test]
fn a_penalty_of_one_row_is_a_case_with_its_steps() {
    let lake = land_all(&shipped("supervision_penalty"), &[&csv(&[PENALTY])]);
    assert_eq!(
        lake.rows("select event_type, event_date from events order by event_date, event_type"),
        [
            "case.filed 2024-03-06",
            "case.reviewed 2024-03-20",
            "case.decided 2024-04-01",
            "case.closed 2024-04-10",
            "case.paid 2024-04-10",
        ]
    );
    assert_eq!(
        lake.rows(
            "select org_id, party_id, party_kind, item_code, inspection_id, procedure, origin, \
             fine_fen, penalty_types, is_major, review_opinion, filed_date, decided_date, paid_fen, \
             paid_in_full_date, closed_date from cases"
        ),
        [format!(
            "{UNIT} {FIRM} firm 50011200000001 jc-1 ordinary inspection 150050 \
             [\"警告\",\"罚款\"] true agree 2024-03-06 2024-04-01 150050 2024-04-10 2024-04-10"
        )]
    );
    assert_eq!(lake.rows(WARNED), [""; 0]);
    assert_eq!(metric(&lake, "fines_decided"), "1500.5");
    assert_eq!(metric(&lake, "cases_closed"), "1");
    assert_eq!(metric(&lake, "penalty_decisions"), "1");
}

#[test]
fn what_an_update_no_longer_says_is_withdrawn() {
    let mapping = shipped("supervision_penalty");
    let inserted = csv(&[PENALTY]);
    let updated = csv(&[&changed(
        PENALTY,
        &[
            ("cd_operation", "u"),
            ("cd_batch", "2024041200001"),
            ("close_date", ""),
            ("paid_fine", ""),
            ("fine_amount", "900"),
        ],
    )]);
    let deleted =
        csv(&[&changed(PENALTY, &[("cd_operation", "d"), ("cd_batch", "2024041300001")])]);
    for order in orders(&[&inserted, &updated]) {
        let lake = land_all(&mapping, &order);
        assert_eq!(
            lake.rows("select event_type from events order by 1"),
            ["case.decided", "case.filed", "case.reviewed"]
        );
        assert_eq!(
            lake.rows("select fine_fen, paid_fen, closed_date from cases"),
            ["90000 NULL NULL"]
        );
        assert_eq!(
            (metric(&lake, "fines_decided"), metric(&lake, "cases_closed")),
            ("900".into(), "0".into())
        );
    }
    for order in orders(&[&inserted, &updated, &deleted]) {
        let lake = land_all(&mapping, &order);
        assert_eq!(lake.rows("select count(*) from events"), ["0"]);
        assert_eq!(lake.rows("select count(*) from cases"), ["0"]);
        assert_eq!(metric(&lake, "fines_decided"), "0");
    }
}

const CREDIT: &[(&str, &str)] = &[
    ("行政相对人名称", "小店有限公司"),
    ("行政相对人类别", "法人及非法人组织"),
    ("行政相对人代码_1(统一社会信用代码)", FIRM),
    ("法定代表人", "王某"),
    ("证件类型", ""),
    ("证件号码", ""),
    ("行政处罚决定书文号", "渝北城管罚决字（2024）第12号"),
    ("违法行为类型", "占道经营"),
    ("违法事实", "王某占道经营"),
    ("处罚依据", "城市市容管理条例第十四条"),
    ("处罚类别", "罚款；没收违法所得、没收非法财物"),
    ("处罚内容", "对王某罚款"),
    ("罚款金额（万元）", "0.15005"),
    ("没收违法所得、没收非法财物的金额(万元)", "1.2"),
    ("处罚决定日期", "2024/4/1"),
    ("公示截止期", "2025/4/1"),
    ("处罚机关", "渝北区城市管理局"),
    ("处罚机关统一社会信用代码", UNIT),
    ("备注", "/"),
    ("时间戳", ""),
];

#[test]
fn fines_in_wan_yuan_become_fen_and_a_unit_in_the_cell_wins() {
    let document = |n| format!("渝北城管罚决字〔2024〕第{n}号");
    let numbers: Vec<String> = (1..=6).map(document).collect();
    let fines = [
        ("0.15005", "45383"),
        ("３００元", "20240401"),
        ("１.５万元", "2024年4月1日"),
        ("", "2024.4.1"),
        ("-1", "2024-04-01"),
        ("0.0000001", "2024-04-01"),
    ];
    let rows: Vec<_> = numbers
        .iter()
        .zip(fines)
        .map(|(number, (fine, day))| {
            changed(
                CREDIT,
                &[
                    ("行政处罚决定书文号", number),
                    ("罚款金额（万元）", fine),
                    ("处罚决定日期", day),
                ],
            )
        })
        .collect();
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let mut lake = lake();
    lake.land_as(&shipped("credit_penalty"), "双公示.csv", &gbk(&csv(&rows))).unwrap();
    assert_eq!(
        lake.rows("select line, reason, detail from rejects order by line"),
        [
            "6 bad_amount fine_fen `-1` is negative",
            "7 bad_amount fine_fen `0.0000001` is more exact than a 分",
        ]
    );
    lake.refresh();
    assert_eq!(
        lake.rows(
            "select json_get_str(attributes, 'document_no') as document_no, decided_date, fine_fen, confiscated_fen \
             from cases inner join events on cases.case_id = events.object_id order by 1"
        ),
        [
            "渝北城管罚决字〔2024〕第1号 2024-04-01 150050 1200000",
            "渝北城管罚决字〔2024〕第2号 2024-04-01 30000 1200000",
            "渝北城管罚决字〔2024〕第3号 2024-04-01 1500000 1200000",
            "渝北城管罚决字〔2024〕第4号 2024-04-01 NULL 1200000",
        ]
    );
    assert_eq!(metric(&lake, "fines_decided"), "16800.5");
}

#[test]
fn a_case_that_two_platforms_report_counts_once() {
    let mut lake = lake();
    for (source, file) in
        [("credit_penalty", csv(&[CREDIT])), ("supervision_penalty", csv(&[PENALTY]))]
    {
        lake.land_as(&shipped(source), "case.csv", file.as_bytes()).unwrap();
    }
    lake.refresh();
    assert_eq!(lake.rows("select fine_fen from cases"), ["150050"]);
    assert_eq!(
        (metric(&lake, "fines_decided"), metric(&lake, "cases_decided")),
        ("1500.5".into(), "1".into())
    );
}

#[test]
fn a_disclosure_that_comes_again_with_a_later_stamp_corrects_the_earlier_one() {
    let mapping = shipped("credit_penalty");
    let stamped = |stamp, fine| {
        csv(&[&changed(
            CREDIT,
            &[
                ("时间戳", stamp),
                ("罚款金额（万元）", fine),
                ("行政处罚决定书文号", "渝北城管罚决字【2024】第12号"),
            ],
        )])
    };
    let (plain, first, second) =
        (csv(&[CREDIT]), stamped("2024/4/2 9:00", "0.2"), stamped("2024-04-03 09:00:00", "0.3"));
    for order in orders(&[&plain, &first, &second]) {
        let lake = land_all(&mapping, &order);
        assert_eq!(lake.rows("select count(*) from events"), ["1"]);
        assert_eq!(metric(&lake, "fines_decided"), "3000");
    }
}

#[test]
fn licences_are_granted_on_the_day_of_the_decision() {
    let row: &[(&str, &str)] = &[
        ("XK_XDR_MC", "小店有限公司"),
        ("XK_XDR_LB", "法人及非法人组织"),
        ("XK_XDR_SHXYM", OTHER_FIRM),
        ("XK_XKWS", "准予许可决定书"),
        ("XK_WSH", "渝北城管许可〔2024〕7号"),
        ("XK_XKLB", "普通"),
        ("XK_XKZS", "占道许可证"),
        ("XK_XKBH", "zd-7"),
        ("XK_NR", "准予王某占道"),
        ("XK_JDRQ", "45356"),
        ("XK_YXQZ", "2024-03-05"),
        ("XK_YXQZI", "2099/12/31"),
        ("XK_XKJG", "渝北区城市管理局"),
        ("XK_XKJGDM", UNIT),
        ("XK_ZT", "1"),
        ("BZ", "无"),
    ];
    let refused = changed(row, &[("XK_WSH", "")]);
    let mut lake = lake();
    let outcome = lake
        .land_as(&shipped("credit_licence"), "xk.csv", csv(&[row, &refused]).as_bytes())
        .unwrap();
    assert_eq!((outcome.landed, outcome.rejected), (1, 1));
    assert_eq!(
        lake.rows("select reason, detail from rejects"),
        ["missing_value xk_wsh is missing"]
    );
    assert_eq!(
        lake.rows("select event_date, org_id, party_id, attributes from events"),
        [format!(
            "2024-03-05 {UNIT} {OTHER_FIRM} {}",
            r#"{"certificate_name":"占道许可证","certificate_no":"zd-7","decision":"granted","document_name":"准予许可决定书","document_no":"渝北城管许可〔2024〕7号","licence_type":"普通","party_kind":"firm","status":"1","valid_from":"2024-03-05","valid_until":"2099-12-31"}"#
        )]
    );
    lake.refresh();
    assert_eq!(metric(&lake, "licences_decided"), "1");
}

#[test]
fn no_name_and_no_identity_number_lands() {
    let person = [
        ("行政相对人性质", "自然人"),
        ("行政相对人编码", PERSON),
        ("行政相对人", "张某"),
        ("监管对象", "张某"),
        ("执法证号", ""),
    ];
    let check = csv(&[&changed(CHECK, &person)]);
    let lower =
        csv(&[&changed(CHECK, &[("cd_id", "2"), ("行政相对人编码", " 11010519491231002x ")])]);
    let penalty = csv(&[&changed(
        PENALTY,
        &[("admin_cp_type", "2"), ("admin_cp_social_code", PERSON), ("admin_cp", "张某")],
    )]);
    let credit = csv(&[&changed(
        CREDIT,
        &[
            ("行政相对人名称", "张某"),
            ("行政相对人类别", "自然人"),
            ("行政相对人代码_1(统一社会信用代码)", ""),
            ("证件类型", "身份证"),
            ("证件号码", PERSON),
        ],
    )]);
    let mut lake = lake();
    for (source, file) in [
        ("supervision_check", check),
        ("supervision_check", lower),
        ("supervision_penalty", penalty),
        ("credit_penalty", credit),
    ] {
        let outcome = lake.land_as(&shipped(source), "person.csv", file.as_bytes()).unwrap();
        assert_eq!(outcome.rejected, 0, "{source}");
    }
    let landed = lake.rows("select *, array_to_string(officer_ids, '|') from events").join("\n");
    for told in [PERSON, "11010519491231002x", "张某", "王某", "李某", "小店"] {
        assert!(!landed.contains(told), "{told} stands in the lake: {landed}");
    }
    // One person is one party in every format, and two persons are two officers.
    let parties = lake.rows("select distinct party_id from events where party_id is not null");
    assert_eq!(parties.len(), 1, "{parties:?}");
    assert!(parties[0].starts_with("party-"), "{parties:?}");
    let officers = "select cardinality(officer_ids) from events where object_id = 'jc-1' and event_id like '%/1'";
    assert_eq!(lake.rows(officers), ["2"]);
}

#[test]
fn a_header_may_lack_what_a_mapping_can_do_without() {
    let mut lake = lake();
    let error = lake
        .land_as(&shipped("credit_penalty"), "cf.csv", "CF_WSH,CF_XDR_MC\nx,y\n".as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("needs column `cf_jdrq` or `处罚决定日期` or `决定日期`"), "{error}");
    let least = format!("CF_WSH,CF_JDRQ,CF_CFJGDM\n渝罚〔2024〕1号,20240401,{UNIT}\n");
    let outcome = lake.land_as(&shipped("credit_penalty"), "cf.csv", least.as_bytes()).unwrap();
    assert_eq!((outcome.landed, outcome.rejected), (1, 0));
}

/// A cell as units fill it, or anything.
fn any_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(UNIT.to_owned()),
        Just(PERSON.to_owned()),
        "20[0-9]{2}[-/年][0-9]{1,2}[-/月][0-9]{1,2}日?",
        "[0-9０-９,.]{0,9}(万元|元|)",
        "[iud]",
        "20[0-9]{11}",
        "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_of_any_cells_is_accepted_or_refused(
        cells in proptest::collection::vec(proptest::collection::vec(any_cell(), 36), 1..6),
    ) {
        for (source, format) in [("supervision_check", CHECK), ("supervision_penalty", PENALTY), ("credit_penalty", CREDIT)] {
            let rows: Vec<Vec<(&str, &str)>> = cells
                .iter()
                .map(|cells| format.iter().zip(cells).map(|((name, _), cell)| (*name, cell.as_str())).collect())
                .collect();
            let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
            let limits = Limits { rejects_shown: 9, unpacked_bytes: 1 << 20 };
            let judged = judge(
                &shipped(source), DEFAULT_ZONE, HashSet::new, time(NOW), (Format::Csv, Compression::None),
                std::io::Cursor::new(csv(&rows).into_bytes()), limits,
            )
            .unwrap();
            prop_assert_eq!(judged.accepted + judged.rejected, cells.len() as u64, "{}", source);
        }
    }
}
