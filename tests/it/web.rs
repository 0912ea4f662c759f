//! The built-in pages in a real browser: tests/oracle/pages.py says what it does there.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use serde_json::{Value, json};

use crate::harness::{Server, artefact, cached, node, python, repository, succeed, yubei};

/// The year that the pages are looked at for.
const YEAR: &str = "from=2025-01-01&to=2026-01-01";
const DECEMBER: &str = "from=2025-12-01&to=2026-01-01";
/// The last day of the log, and the present of the demo.
const LAST_DAY: &str = "from=2025-12-31&to=2026-01-01";
const TODAY: &str = "from=2026-01-01&to=2026-01-02";

/// Metrics that the explorer is asked for, beside the API and SQL.
const AT_RANDOM: usize = 20;

fn grouped(number: &Value) -> String {
    let digits = number.as_u64().unwrap().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio as the page writes it: one decimal, a tie goes up, none for nothing and for all.
fn percent(row: &Value) -> String {
    let [numerator, denominator] =
        ["numerator", "denominator"].map(|part| row[part].as_u64().unwrap());
    if numerator == 0 || numerator == denominator {
        return format!("{}%", 100 * numerator / denominator);
    }
    let thousandths = (2_000 * numerator + denominator) / (2 * denominator);
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

fn share(row: &Value) -> String {
    format!("{} / {}", grouped(&row["numerator"]), grouped(&row["denominator"]))
}

/// Metrics by chance, other ones each time; a failure names them.
fn some_metrics(server: &Server) -> Vec<String> {
    let mut seed = RandomState::new().build_hasher().finish();
    let catalogue = server.get("/api/v1/metrics").json();
    let metrics = catalogue["metrics"].as_array().unwrap();
    let mut ids: Vec<String> =
        metrics.iter().map(|metric| metric["id"].as_str().unwrap().to_owned()).collect();
    let mut chosen = Vec::new();
    while chosen.len() < AT_RANDOM {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        chosen.push(ids.swap_remove((seed >> 33) as usize % ids.len()));
    }
    chosen
}

/// Every page in every look: it speaks its language, shows no error, fits its screen, and keeps nobody out.
#[track_caller]
fn check_looks(looks: &Value) {
    let looks = looks.as_object().unwrap();
    assert_eq!(looks.len(), 9 * 7);
    for (name, look) in looks {
        let lang = if name.contains(" zh ") { "zh-CN" } else { "en" };
        assert_eq!(look["lang"], lang, "{name}");
        let product = if lang == "en" { "Lawpulse" } else { "执法脉动" };
        assert!(look["title"].as_str().unwrap().ends_with(product), "{name}: {look}");
        assert!(!look["heading"].as_str().unwrap().trim().is_empty(), "{name}");
        assert_eq!(look["errors"], json!([]), "{name}");
        assert_eq!(look["scrolls_sideways"], false, "{name}");
        assert_eq!(look["charts"], 0, "{name} has charts that are not drawn");
        if let Some(violations) = look.get("violations") {
            assert_eq!(*violations, json!([]), "{name}");
        }
    }
}

#[track_caller]
fn check_overview(server: &Server, seen: &Value) {
    for (id, unit) in [
        ("officer_activity_ratio", ""),
        ("orgs_onboarded_ratio", ""),
        ("patrols", "次"),
        ("inspections", "户次"),
        ("cases_closed", "件"),
        ("cases_open", "件"),
    ] {
        let lines = seen["tiles"][format!("tile-{id}")]["lines"].as_array().unwrap();
        let row = &server.metric(id, YEAR)[0];
        let (value, share) = if id.ends_with("_ratio") {
            (percent(row), share(row))
        } else {
            (grouped(&row["value"]) + unit, String::new())
        };
        assert_eq!(lines[1], value, "{id}");
        assert!(lines[2].as_str().unwrap().starts_with(&share), "{id}: {lines:?}");
    }
    let silent = server.metric("org_silent_working_days", &format!("{LAST_DAY}&scope=district/*"));
    let listed = seen["tables"]["attention"].as_array().unwrap();
    let named = |name: &Value| listed.iter().find(|row| row[0] == *name);
    let quiet = silent.iter().filter(|row| {
        row["value"].as_f64() >= Some(5.0)
            && !row["scope"].as_str().unwrap().starts_with("district-")
    });
    let mut counted = 0;
    for row in quiet {
        let Some(line) = named(&row["scope_name"]) else {
            // Former units have nobody left.
            assert!(row["scope"].as_str().unwrap().contains("former"), "{row} is not listed");
            continue;
        };
        let expected = format!("静默 {} 个工作日", row["value"]);
        assert!(line[1].as_str().unwrap().starts_with(&expected), "{line}: {expected}");
        counted += 1;
    }
    assert!(counted > 5, "{counted} are silent");
    // The silent stand first.
    assert!(listed[counted - 1][1].as_str().unwrap().starts_with("静默"));
    assert!(!listed[counted][1].as_str().unwrap().starts_with("静默"));
}

/// Every unit with officers, in the order of names, with its own numbers.
#[track_caller]
fn check_units(server: &Server, seen: &Value) {
    let rows = |id: &str, days: &str| {
        let rows = server.metric(id, &format!("{days}&scope=district/*"));
        let by_name =
            rows.into_iter().map(|row| (row["scope_name"].as_str().unwrap().to_owned(), row));
        by_name.collect::<BTreeMap<_, _>>()
    };
    let activity = rows("officer_activity_ratio", DECEMBER);
    let (inspections, open) = (rows("inspections", YEAR), rows("cases_open", LAST_DAY));
    let lines = seen["tables"]["units"].as_array().unwrap();
    let staffed = activity.values().filter(|row| {
        row["denominator"].as_u64() > Some(0)
            && !row["scope"].as_str().unwrap().starts_with("district-")
    });
    assert_eq!(lines.len(), staffed.count());
    for line in lines {
        let name = line[0].as_str().unwrap();
        let row = &activity[name];
        assert_eq!(line[1], percent(row), "{line}");
        assert_eq!(line[3], share(row), "{line}");
        assert_eq!(line[9], grouped(&inspections[name]["value"]), "{line}");
        assert_eq!(line[13], grouped(&open[name]["value"]), "{line}");
    }
}

#[track_caller]
fn check_unit(server: &Server, seen: &Value) {
    let ask =
        |id: &str, days: &str| server.metric(id, &format!("{days}&scope=town-dawan"))[0].clone();
    let tile = |id: &str| seen["tiles"][format!("tile-{id}")]["lines"][1].clone();
    assert_eq!(tile("officer_activity_ratio"), percent(&ask("officer_activity_ratio", YEAR)));
    assert_eq!(
        tile("org_silent_working_days"),
        format!("{}天", ask("org_silent_working_days", YEAR)["value"])
    );
    let peers = seen["tables"]["peers"].as_array().unwrap();
    let line = peers.iter().find(|line| line[0] == "双人执法率").unwrap();
    let row =
        &server.metric("two_officer_ratio", &format!("{YEAR}&scope=town-dawan&peers=true"))[0];
    assert_eq!(line[1], percent(row));
    let median = row["peers"]["median"].as_f64().unwrap();
    assert_eq!(line[5], format!("{:.1}%", 100.0 * median));
    assert!(peers.iter().all(|line| line[0] != "检查户次" && line[0] != "罚没金额（按处罚决定）"));
}

/// What runs out: in all, by limit, and one by one.
#[track_caller]
fn check_clocks(server: &Server, seen: &Value) {
    let count =
        |id: &str, more: &str| server.metric(id, &format!("{TODAY}{more}"))[0]["value"].clone();
    let figures = &seen["figures"]["limits"];
    assert_eq!(figures[0][1], grouped(&count("clocks_overdue", "")));
    for (place, within) in ["5", "10", "15", "30"].iter().enumerate() {
        let due = count("clocks_due", &format!("&within={within}"));
        assert_eq!(figures[place + 1][1], grouped(&due), "{within}");
    }
    let kinds = seen["tables"]["clocks"].as_array().unwrap();
    for (name, clock) in [
        ("送达处罚决定书", "case_service"),
        ("作出处罚决定", "case_decision"),
        ("办理投诉举报", "complaint_handling"),
    ] {
        let line = kinds.iter().find(|line| line[0] == name).unwrap();
        assert_eq!(
            line[1],
            grouped(&count("clocks_overdue", &format!("&clock={clock}"))),
            "{name}"
        );
        assert_eq!(
            line[4],
            grouped(&count("clocks_due", &format!("&clock={clock}&within=30"))),
            "{name}"
        );
    }
    let due = seen["tables"]["due"].as_array().unwrap();
    let all = count("clocks_due", "&within=10").as_u64().unwrap();
    assert_eq!(due.len() as u64, all.min(50));
    assert!(
        due.iter().all(|line| line[3].as_str().unwrap().starts_with("party~") || line[3] == "")
    );
}

#[track_caller]
fn check_goals(server: &Server, seen: &Value) {
    let standing = server.get("/api/v1/goals?year=2025").json();
    let goals = standing["goals"].as_array().unwrap();
    assert_eq!(seen["goals"].as_object().unwrap().len(), goals.len());
    for goal in goals {
        let [id, scope, status] =
            ["goal", "scope", "status"].map(|key| goal[key].as_str().unwrap());
        let shown = &seen["goals"][format!("goal-{id}-{scope}")];
        assert_eq!(shown["status"], format!("badge {status}"), "{id}");
        if goal["unit"] == "ratio" && !goal["value"].is_null() {
            let whole = |part: &str| json!(goal[part].as_f64().unwrap() as u64);
            let row =
                json!({ "numerator": whole("numerator"), "denominator": whole("denominator") });
            assert_eq!(shown["now"], format!("{} ({})", percent(&row), share(&row)), "{id}");
        }
    }
}

#[track_caller]
fn check_other_pages(server: &Server, seen: &Value) {
    let months = server.metric("cases_open", &format!("{YEAR}&grain=month"));
    let shown = seen["explore"]["tables"]["trend"].as_array().unwrap();
    assert_eq!(shown.len(), 12);
    for (line, row) in shown.iter().zip(&months) {
        assert_eq!(line[1], format!("{}件", grouped(&row["value"])), "{line}");
    }
    let status = server.get("/api/v1/status").json();
    let reasons = seen["rejects"]["tables"]["summary"].as_array().unwrap();
    let sum: u64 = reasons
        .iter()
        .map(|line| line.as_array().unwrap().iter().rev().find_map(number).unwrap())
        .sum();
    assert_eq!(sum, status["rejects"].as_u64().unwrap());
}

fn number(cell: &Value) -> Option<u64> {
    cell.as_str()?.replace(',', "").parse().ok()
}

/// The number of a metric is the same on the page, in JSON and in SQL. That of `/metrics` and of Prometheus is compared
/// with JSON for every metric elsewhere, and so are the queries of the dashboards.
#[track_caller]
fn check_random_metrics(server: &Server, shown: &Value) {
    for (id, shown) in shown.as_object().unwrap() {
        let value = server.metric(id, YEAR)[0]["value"].clone();
        // Read as the answer was: another reader of decimal numbers may differ in the last bit.
        let page: Option<f64> = shown.as_str().map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(page, value.as_f64(), "{id} on the page, of {shown:?}");
        let query = format!(
            "select value from metric('{id}', '2025-01-01', '2026-01-01', 'all', 'district')"
        );
        let rows = server.sql(&query).json();
        assert_eq!(rows["rows"][0]["value"].as_f64(), value.as_f64(), "{id} in SQL");
    }
}

#[track_caller]
fn check_deeds(server: &Server, deeds: &Value) {
    assert_eq!(deeds["scope"], json!(["镇街 · 2025年", "/?scope=towns&period=2025"]));
    assert_eq!(deeds["months"], "/?scope=towns&period=2025-01..2025-12");
    assert_eq!(deeds["back"], json!(["全区 · 2025年", "/"]));
    assert!(deeds["bad period"].as_str().unwrap().contains("无法识别"), "{deeds}");

    assert_eq!(deeds["found"], json!(["龙山街道", "龙塔街道", "龙溪街道", "龙兴镇", "双龙湖街道"]));
    let ordered = deeds["ordered"].as_array().unwrap();
    let values: Vec<f64> = ordered
        .iter()
        .map(|line| line[1].as_str().unwrap().trim_end_matches('%').parse().unwrap())
        .collect();
    assert!(values.is_sorted() && values.len() == 5, "{values:?}");
    let saved = deeds["saved units"].as_str().unwrap();
    assert!(saved.starts_with("\u{feff}scope,name,officer_activity_ratio,"), "{saved}");
    let row = &server.metric("inspections", &format!("{YEAR}&scope=town-dawan"))[0];
    let line = saved.lines().find(|line| line.starts_with("town-dawan,大湾镇,")).unwrap();
    assert!(line.contains(&format!(",{},", row["value"])), "{line}");
    assert_eq!(deeds["down"][1], "/unit");

    assert!(deeds["explored"][0].as_str().unwrap().contains("grain=quarter"), "{deeds}");
    let quarters =
        server.metric("officer_activity_ratio", &format!("{YEAR}&grain=quarter&level=L1"));
    for (line, row) in deeds["explored"][1].as_array().unwrap().iter().zip(&quarters) {
        assert_eq!(line[1], format!("{} ({})", percent(row), share(row)), "{line}");
    }
    assert_eq!(quarters.len(), deeds["explored"][1].as_array().unwrap().len());
    assert!(deeds["rows behind"].as_str().unwrap().contains("officer~"), "{deeds}");
    assert!(deeds["unknown metric"].as_str().unwrap().contains("没有指标 nothing"), "{deeds}");

    check_console(server, deeds);
    let untimely = server.sql("select count(*) as n from rejects where reason = 'bad_time'").json();
    assert_eq!(deeds["refused for their time"], untimely["rows"][0]["n"]);
    let expected = format!("重试 {0} 行：落库 0，已有 0，仍被拒 {0}。", untimely["rows"][0]["n"]);
    assert_eq!(deeds["tried again"], expected);
    let [title, chapters, broken] = [0, 1, 2].map(|part| &deeds["report"][part]);
    assert!(title.as_str().unwrap().contains("2024年度"), "{title}");
    assert!(chapters.as_u64() > Some(5), "{chapters}");
    assert_eq!(*broken, 0, "links that lead nowhere");

    let goals = server.get("/api/v1/goals?year=2025").json();
    let off =
        goals["goals"].as_array().unwrap().iter().filter(|goal| goal["status"] == "off_course");
    assert_eq!(deeds["off course"].as_array().unwrap().len(), off.count());

    assert!(deeds["offline"].as_str().unwrap().contains("连不上服务"), "{deeds}");
    let teams = &server.metric("patrols", &format!("{YEAR}&scope=teams"))[0];
    assert_eq!(deeds["online again"], teams["value"].to_string());
}

/// What somebody asks in SQL is what the API says; a mistake is shown at its place; names are offered.
#[track_caller]
fn check_console(server: &Server, deeds: &Value) {
    let towns = server.metric("patrols", &format!("{YEAR}&scope=towns/*"));
    let asked = deeds["asked"].as_array().unwrap();
    assert_eq!(asked.len(), towns.len());
    let saved = deeds["saved rows"].as_str().unwrap();
    for row in &towns {
        let (scope, value) = (row["scope"].as_str().unwrap(), row["value"].as_f64().unwrap());
        let shown = asked
            .iter()
            .filter_map(Value::as_array)
            .find(|line| line.iter().any(|cell| cell == scope));
        let shown = shown.unwrap_or_else(|| panic!("{scope} is not shown"));
        let number: f64 = shown.last().unwrap().as_str().unwrap().replace(',', "").parse().unwrap();
        assert_eq!(number, value, "{scope}");
        let line = saved.lines().find_map(|line| line.strip_prefix(&format!("{scope},"))).unwrap();
        assert_eq!(line.parse::<f64>().unwrap(), value, "{scope}");
    }
    assert!(
        deeds["statement"].as_str().unwrap().starts_with("#sql=select scope, value from metric(")
    );
    assert!(deeds["mistake"][0].as_str().unwrap().contains("value"), "{deeds}");
    assert_eq!(deeds["mistake"][1], "valu");
    let offered = deeds["offered"].as_array().unwrap();
    assert!(
        offered.iter().any(|name| name.as_str().unwrap().contains("inspections")),
        "{offered:?}"
    );
    for moment in ["violations of a mistake", "violations of offers"] {
        assert_eq!(deeds[moment], json!([]), "{moment}");
    }
}

/// What TypeScript's compiler knows of a module without being told any type: a name that is not there or is used by
/// nobody, an import of what is not exported.
#[test]
fn the_modules_of_the_pages_name_what_there_is_and_nothing_in_vain() {
    const MISTAKES: [&str; 7] =
        ["TS2304", "TS2305", "TS2307", "TS2459", "TS2552", "TS2724", "TS6133"];
    // They come from scripts that a page loads beside its module.
    const OTHERS: [&str; 1] = ["SwaggerUIBundle"];
    let web = repository("dashboards/web");
    let mut scripts: Vec<_> =
        std::fs::read_dir(&web).unwrap().map(|it| it.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|end| end == "js"));
    assert!(scripts.len() > 15);
    let options = "--allowJs --checkJs --noEmit --noUnusedLocals --target es2022 --module es2022 \
        --moduleResolution bundler --lib es2023,esnext,dom,dom.iterable";
    let mut compile = node();
    compile.arg(cached("node/node_modules/typescript/bin/tsc"));
    compile.args(options.split_whitespace()).args(&scripts);
    let told = String::from_utf8(compile.output().unwrap().stdout).unwrap();
    // It has looked.
    assert!(told.contains(&format!("Cannot find name '{}'", OTHERS[0])), "{told}");
    let mistakes: Vec<&str> = told
        .lines()
        .filter(|line| MISTAKES.iter().any(|code| line.contains(code)))
        .filter(|line| !OTHERS.iter().any(|name| line.contains(name)))
        .collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}

#[test]
fn the_pages_show_the_numbers_of_the_api_and_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let metrics = some_metrics(&server);
    // What takes a server without optimisations a while is known before somebody waits for it.
    for slow in ["/api/v1/goals", "/api/v1/reports/2024"] {
        assert_eq!(server.get(slow).status, 200, "{slow}");
    }
    let artefacts = artefact("page.png");
    let mut drive = python();
    drive
        .arg(repository("tests/oracle/pages.py"))
        .arg(&server.url)
        .arg(artefacts.parent().unwrap());
    drive.arg(cached("node/node_modules/axe-core/axe.min.js")).args(&metrics);
    let told: Value = serde_json::from_slice(&succeed(&mut drive)).unwrap();
    assert_eq!(told["problems"], json!([]));
    let requests = told["requests"].as_array().unwrap();
    assert!(requests.len() > 100);
    for request in requests {
        let request = request.as_str().unwrap();
        let is_own = request.starts_with(&format!("{}/", server.url));
        assert!(
            is_own || request.starts_with("data:") || request.starts_with("blob:"),
            "asks {request}"
        );
    }
    check_looks(&told["looks"]);
    let seen = &told["seen"];
    check_overview(&server, &seen["overview"]);
    check_units(&server, &seen["units"]);
    check_unit(&server, &seen["unit"]);
    check_clocks(&server, &seen["clocks"]);
    check_goals(&server, &seen["goals"]);
    check_other_pages(&server, seen);
    check_random_metrics(&server, &told["metrics"]);
    check_deeds(&server, &told["deeds"]);
}
