//! Districts with lakes of their own, which the lake of a municipality follows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    AS_OF, Server, land, lawpulse, sql_value, to_nine_digits, wait_for, write_lines,
};

const DISTRICTS: [&str; 2] = ["district-001", "district-002"];

type Row = BTreeMap<String, String>;

fn read(file: &Path) -> Vec<Row> {
    csv::Reader::from_path(file).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Writes rows that all have the same columns.
fn write(file: &Path, rows: &[Row]) {
    let mut writer = csv::Writer::from_path(file).unwrap();
    writer.write_record(rows[0].keys()).unwrap();
    for row in rows {
        writer.write_record(row.values()).unwrap();
    }
    writer.flush().unwrap();
}

/// A simulated municipality, once as a lake of its own and once as the lakes of its two districts.
struct City {
    folder: tempfile::TempDir,
    /// The district of each unit.
    of: BTreeMap<String, &'static str>,
}

impl City {
    fn simulate() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let sizes = ["--districts", "2", "--orgs", "16", "--officers", "800", "--events", "20000"];
        let out = ["simulate", "--profile", "scale", "--out", log.to_str().unwrap()];
        lawpulse(out.into_iter().chain(sizes));
        let mut city = Self { folder, of: BTreeMap::new() };
        let orgs = read(&city.path("log/reference/orgs.csv"));
        let parents: BTreeMap<&str, &str> =
            orgs.iter().map(|row| (row["org_id"].as_str(), row["parent_id"].as_str())).collect();
        for row in &orgs {
            let (mut above, id) = (row["org_id"].as_str(), row["org_id"].clone());
            while let Some(parent) = parents.get(above).filter(|_| !above.starts_with("district")) {
                above = parent;
            }
            if let Some(district) = DISTRICTS.into_iter().find(|district| *district == above) {
                city.of.insert(id, district);
            }
        }
        city.write_registers();
        city
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn has(&self, district: &str, org_id: &str) -> bool {
        self.of.get(org_id).is_some_and(|of| *of == district)
    }

    /// Registers as each district has them in a lake of its own, and as the municipality has them.
    fn write_registers(&self) {
        let log = |name: &str| self.path(&format!("log/reference/{name}.csv"));
        let mut parties = read(&log("parties"));
        for (at, row) in parties.iter_mut().enumerate() {
            row.insert("district_id".to_owned(), DISTRICTS[at % 2].to_owned());
        }
        write(&log("parties"), &parties);
        for district in DISTRICTS {
            let folder = self.path(&format!("{district}-registers"));
            fs::create_dir(&folder).unwrap();
            let is_first = district == DISTRICTS[0];
            let mut orgs = read(&log("orgs"));
            // One lists itself and where it belongs, as the municipality's register has it. The other knows only what is under it.
            orgs.retain(|row| {
                let is_unit = row["org_id"] != district;
                self.has(district, &row["org_id"]) && (is_unit || !is_first)
            });
            for row in orgs.iter_mut().filter(|row| is_first && row["parent_id"] == district) {
                row.insert("parent_id".to_owned(), String::new());
            }
            write(&folder.join("orgs.csv"), &orgs);
            let mut officers = read(&log("officers"));
            officers.retain(|row| self.has(district, &row["org_id"]));
            write(&folder.join("officers.csv"), &officers);
            for name in ["items", "parties"] {
                let mut rows = read(&log(name));
                rows.retain(|row| row["district_id"] == district);
                for row in rows.iter_mut().filter(|_| is_first) {
                    row.remove("district_id");
                }
                write(&folder.join(name).with_extension("csv"), &rows);
            }
        }
        let mut above = read(&log("orgs"));
        above.retain(|row| row["kind"] == "municipality" || row["kind"] == "district");
        fs::create_dir(self.path("above")).unwrap();
        write(&self.path("above/orgs.csv"), &above);
    }

    /// Lands lines in the lake of the district whose units they are of, and in the one of all.
    fn land(&self, name: &str, lines: &[String]) {
        let file = |of: &str| self.path(&format!("{of}-{name}.ndjson"));
        for district in DISTRICTS {
            let is_own = |line: &&String| {
                let event: Value = serde_json::from_str(line).unwrap();
                self.has(district, event["org_id"].as_str().unwrap())
            };
            let own: Vec<&String> = lines.iter().filter(is_own).collect();
            if !own.is_empty() {
                write_lines(&file(district), own);
                land(&self.path(district), "native", &[file(district)]);
            }
        }
        write_lines(&file("all"), lines);
        land(&self.path("all"), "native", &[file("all")]);
    }

    /// Serves the municipality's lake, which follows those of the districts.
    fn serve(&self) -> Server {
        let mut config = "[inbox]\nland_every = \"100ms\"\n".to_owned();
        for (name, district) in ["first", "second"].into_iter().zip(DISTRICTS) {
            config += &format!(
                "[[source]]\nname = \"{name}\"\nkind = \"lake\"\nlake = \"{district}\"\n\
                 district = \"{district}\"\nevery = \"100ms\"\n"
            );
        }
        fs::write(self.path("city.toml"), config).unwrap();
        let config = self.path("city.toml");
        let more = ["--as-of", AS_OF, "--config", config.to_str().unwrap()];
        Server::start(&self.path("city"), &more)
    }

    /// Waits until the municipality's lake has what the one of all has.
    #[track_caller]
    fn wait(&self, server: &Server) {
        let counts = "select count(*) || ' in ' || count(distinct event_id) || ', ' || sum(revision) as n \
                      from event_log where event_month <> 'rejected'";
        let expected = sql_value(&self.path("all"), counts);
        wait_for("everything has come", || {
            let answer = server.sql(counts).json();
            (answer["rows"][0]["n"] == expected.as_str()).then_some(())
        });
    }

    /// Compares all numbers of the municipality's lake with those of the one of all.
    #[track_caller]
    fn check(&self, server: &Server) {
        let all = Server::start_as_of(&self.path("all"));
        let query =
            "from=2025-01-01&to=2026-01-01&grain=year&scope=municipality,districts/*,towns/*";
        let (expected, found) = (all.metrics_with(query, 1), server.metrics_with(query, 1));
        for (question, rows) in &expected {
            let found = to_nine_digits(&json!(found[question]));
            assert_eq!(found, to_nine_digits(&json!(rows)), "{question}");
        }
    }
}

#[test]
fn a_municipality_follows_the_lakes_of_its_districts() {
    let city = City::simulate();
    land(&city.path("all"), "reference", &[city.path("log/reference")]);
    land(&city.path("city"), "reference", &[city.path("above/orgs.csv")]);
    for district in DISTRICTS {
        let registers = city.path(&format!("{district}-registers"));
        land(&city.path(district), "reference", &[registers]);
    }
    let text = fs::read_to_string(city.path("log/events-00000.ndjson")).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (first, later) = lines.split_at(lines.len() / 2);
    city.land("first", first);
    let server = city.serve();
    city.wait(&server);

    // Districts go on, pack their files and correct what they said, while the municipality's server is killed.
    let mut server = Some(server);
    for (number, part) in later.chunks(later.len() / 4 + 1).enumerate() {
        city.land(&format!("later-{number}"), part);
        if number == 1 {
            lawpulse(["maintain", "--lake", city.path(DISTRICTS[0]).to_str().unwrap()]);
        }
        thread::sleep(Duration::from_millis(60 * number as u64));
        drop(server.take());
        server = Some(city.serve());
    }
    let corrected = |line: &String, operation: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        event["revision"] = 1.into();
        event["operation"] = operation.into();
        event.to_string()
    };
    let deleted = lines.iter().step_by(101).map(|line| corrected(line, "delete"));
    let moved = lines.iter().skip(1).step_by(101).map(|line| corrected(line, "upsert"));
    let moved = moved.map(|line| line.replace("\"channel\":\"app\"", "\"channel\":\"web\""));
    city.land("corrected", &deleted.chain(moved).collect::<Vec<_>>());
    let server = server.unwrap();
    city.wait(&server);
    city.check(&server);

    // A unit with a new name, and a posting that ends.
    let mut orgs = read(&city.path("district-002-registers/orgs.csv"));
    let unit = orgs.iter_mut().find(|row| row["kind"] == "town").unwrap();
    unit.insert("name".to_owned(), "新镇".to_owned());
    write(&city.path("orgs.csv"), &orgs);
    land(&city.path(DISTRICTS[1]), "reference", &[city.path("orgs.csv")]);
    lawpulse(["maintain", "--lake", city.path(DISTRICTS[1]).to_str().unwrap()]);
    wait_for("the new name has come", || {
        let named =
            "select count(*) as n from orgs where name = '新镇' and parent_id = 'district-002'";
        (server.sql(named).json()["rows"][0]["n"] == 1).then_some(())
    });
    let status = server.get("/metrics").text;
    for name in ["first", "second"] {
        let line = format!("lawpulse_source_failing{{source=\"{name}\"}} 0");
        assert!(status.contains(&line), "{status}");
    }
}
