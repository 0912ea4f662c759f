//! The config file, and what is said of a wrong one.

use super::*;

const KEY: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hunter2";

fn env(name: &str) -> Option<String> {
    (name == "KEY").then(|| KEY.to_owned())
}

fn parse(text: &str) -> anyhow::Result<Settings> {
    File { text, folder: Path::new("/etc/lawpulse"), is_public: false, env: &env }.settings()
}

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let error = format!("{:#}", parse(text).unwrap_err());
    for expected in expected {
        assert!(error.contains(expected), "`{error}` does not mention `{expected}`");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

/// A robot and its route, after some lines.
fn with(before: &str, robot: &str, route: &str) -> String {
    format!(
        "{before}\n[[robot]]\nname = \"a\"\nkind = \"wecom\"\n{robot}\n[[route]]\npath = \"/unit\"\nrobots = [\"a\"]\n{route}"
    )
}

const ENV: &str = "url = { env = \"KEY\" }";

#[test]
fn little_has_to_be_said() {
    let settings = parse(&with("", ENV, "")).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:9095");
    assert_eq!(settings.zone, chrono_tz::Asia::Shanghai);
    assert!(settings.token.is_none() && settings.server.is_none() && settings.runbook.is_none());
    let robot = &settings.robots[0];
    assert_eq!((robot.form, robot.per_minute), (Form::Wecom, 18));
    assert_eq!(robot.target.url.as_str(), KEY);
    assert_eq!(settings.routes["/unit"].robots("town-dawan"), [0]);
    assert_eq!(settings.described(), "/unit -> a");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_scope_may_have_robots_of_its_own() {
    let more = "scopes.\"town-a\" = [\"b\"]\n[[robot]]\nname = \"b\"\nkind = \"zhezhengding\"\nurl = \"https://b\"\nsecret = \"SEC\"";
    let settings = parse(&with("", ENV, more)).unwrap();
    let route = &settings.routes["/unit"];
    assert_eq!((route.robots("town-a"), route.robots("town-b")), (&[1][..], &[0][..]));
    assert_eq!(settings.described(), "/unit -> a\n/unit town-a -> b");
}

#[test]
fn mistakes_are_told_with_their_line_and_what_to_do() {
    check_refused(&with("port = 1", ENV, ""), &["line 1, column 1", "`port`", "`listen`"]);
    check_refused(&with("", "kid = 1", ""), &["line 5", "`kid`", "`secret`"]);
    check_refused(&with("", "secrt = \"hunter2\"", ""), &["line 5, column 1", "`secrt`"]);
    check_refused(&with("", "url = \"hunter2", ""), &["line 5"]);
    check_refused(&with("", "url = { path = \"x\" }", ""), &["line 5", "`path`", "`env`"]);
    check_refused(&with("", "url = {}", ""), &["line 5", "either { file"]);
    check_refused(&with("", "url = 1", ""), &["line 5", "{ env = \"NAME\" }"]);
    check_refused(&with("", "", ""), &["missing field `url`"]);
    check_refused(
        &with("", "url = { env = \"NO\" }", ""),
        &["line 2", "robot `a`", "no variable `NO`"],
    );
    check_refused(&with("", "url = { file = \"no\" }", ""), &["line 2", "/etc/lawpulse/no"]);
    check_refused(&with("", "url = \"hunter2\"", ""), &["line 2", "no address"]);
    check_refused(
        &with("", "url = \"http://robot/hunter2\"", ""),
        &["line 2", "plain text", "allow_plaintext"],
    );
    check_refused(&with("", "url = \"ftp://hunter2\"", ""), &["https://"]);
    check_refused(
        &with("", &format!("{ENV}\nsecret = \"hunter2\""), ""),
        &["robot `a`", "`secret`", "dingtalk"],
    );
    check_refused(&with("", &format!("{ENV}\nper_minute = 0"), ""), &["per_minute"]);
    check_refused(&with("", ENV, "scopes.\"town-a\" = [\"c\"]"), &["line 9", "`c`", "only: a"]);
    check_refused(
        &with("", ENV, "[[route]]\npath = \"/unit\"\nrobots = [\"a\"]"),
        &["line 9", "two routes"],
    );
    check_refused(
        &with("", ENV, "[[route]]\npath = \"unit\"\nrobots = [\"a\"]"),
        &["line 9", "like /unit"],
    );
    check_refused(
        &with("", ENV, "[[route]]\npath = \"/metrics\"\nrobots = [\"a\"]"),
        &["cannot be a path"],
    );
    check_refused(&with("", ENV, "scopes.\"town-a\" = []"), &["line 6", "nobody would hear"]);
    check_refused(
        &with("", ENV, "[[route]]\npath = \"/x\"\nrobots = []"),
        &["line 9", "names no robot"],
    );
    check_refused(
        &with("", ENV, "[[robot]]\nname = \"a\"\nkind = \"plain\"\nurl = { env = \"KEY\" }"),
        &["line 9", "`name` of its own"],
    );
    check_refused("", &["no [[route]]"]);
    check_refused(&with("zone = \"Moon\"", ENV, ""), &["line 1", "Asia/Shanghai"]);
    check_refused(
        &with("[server]\nurl = \"http://10.0.0.1\"", ENV, ""),
        &["line 1", "[server]", "plain text"],
    );
}

#[test]
fn other_machines_are_listened_to_only_with_a_token_and_tls() {
    let open = "listen = \"0.0.0.0:9095\"";
    check_refused(&with(open, ENV, ""), &["no `token`", "127.0.0.1"]);
    let token = format!("{open}\ntoken = \"hunter2\"");
    check_refused(&with(&token, ENV, ""), &["[tls]", "allow_plaintext"]);
    assert!(parse(&with(&format!("{token}\nallow_plaintext = true"), ENV, "")).is_ok());
    let tls = format!("{token}\n[tls]\ncertificate = \"a\"\nkey = \"b\"");
    assert_eq!(parse(&with(&tls, ENV, "")).unwrap().tls.unwrap().key, Path::new("/etc/lawpulse/b"));
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let text = with("", "url = \"https://robot/hunter2\"", "");
    let file = File { text: &text, folder: Path::new(""), is_public: true, env: &env };
    let error = format!("{:#}", file.settings().unwrap_err());
    assert!(error.contains("others can read") && error.contains("chmod 640"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    let text = with("", "url = { file = \"key\" }", "");
    let file = File { text: &text, folder: folder.path(), is_public: true, env: &env };
    let set = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&path, mode).unwrap();
    };
    set(0o644);
    assert!(format!("{:#}", file.settings().unwrap_err()).contains("others can read"));
    set(0o640);
    assert_eq!(file.settings().unwrap().robots[0].target.url.as_str(), KEY);
}

/// Each receiver of the shipped Alertmanager has a route in the shipped example.
#[test]
fn the_example_is_a_config_file_with_a_route_for_each_receiver() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/relay.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("robots")).unwrap();
    let shown: Vec<&str> =
        text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect();
    for named in text.split("file = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let path = folder.path().join(named);
        std::fs::write(&path, KEY).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }
    let any = |_: &str| Some(KEY.to_owned());
    let read =
        |text: &str| File { text, folder: folder.path(), is_public: true, env: &any }.settings();
    let settings = read(&text).unwrap();
    assert_eq!((settings.listen, settings.zone), (LISTEN, chrono_tz::Asia::Shanghai));
    let receivers = include_str!("../../../../dashboards/alertmanager/alertmanager.yml");
    let paths: Vec<&str> = receivers
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- url: http://127.0.0.1:9095"))
        .collect();
    assert_eq!(paths.len(), 4);
    assert!(paths.iter().all(|path| settings.routes.contains_key(*path)), "{paths:?}");
    assert_eq!(settings.routes.len(), paths.len());
    // What is only shown works too, once the sign of a comment is taken away.
    let settings = read(&shown.join("\n")).unwrap();
    assert!(settings.token.is_some() && settings.tls.is_some() && settings.runbook.is_some());
}
