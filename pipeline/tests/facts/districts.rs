//! Districts under a municipality: each has the numbers that it would have in a lake of its own.

use std::path::Path;

use pipeline::metric::{self, Choice, Grain, Metric, Period, Request, Sample};
use pipeline::query::View;
use pipeline::simulate;
use tempfile::TempDir;

use crate::harness::{TestLake, catalogue, day, native, rows, wait};

/// The months that are landed: enough for every metric to have something to count.
const MONTHS: [&str; 12] = [
    "2024-07", "2024-08", "2024-09", "2024-10", "2024-11", "2024-12", "2025-01", "2025-02",
    "2025-03", "2025-04", "2025-05", "2025-06",
];

/// Keys of a line whose values are the district's own names for something. Items and scenes have the same code everywhere.
const IDS: [&str; 10] = [
    "org_id",
    "object_id",
    "party_id",
    "target_org_id",
    "plan_id",
    "inspection_id",
    "case_id",
    "task_id",
    "joint_task_id",
    "feed_id",
];

/// Columns of registers that hold such names.
const ID_COLUMNS: [&str; 9] = [
    "org_id",
    "officer_id",
    "party_id",
    "plan_id",
    "feed_id",
    "parent_id",
    "holder_id",
    "from_org_id",
    "successor_id",
];

/// Registers whose rows are a district's.
const OF_DISTRICTS: [&str; 5] = ["items", "inspection_caps", "scenes", "feeds", "parties"];

/// A simulated district whose names begin with its own, so that no other has them.
struct District {
    name: &'static str,
    log: TempDir,
    /// Whether nine of its people are the east's, so that they serve both.
    shares_people: bool,
}

impl District {
    fn simulate(name: &'static str, seed: u64, shares_people: bool) -> Self {
        let log = TempDir::new().unwrap();
        let options = simulate::Options {
            profile: simulate::Profile::Yubei,
            out: log.path().to_owned(),
            events: 0,
            officers: 0,
            orgs: 0,
            districts: 0,
            seed,
            format: simulate::Format::Ndjson,
        };
        simulate::simulate(&options, &|_| {}).unwrap();
        Self { name, log, shares_people }
    }

    fn shared(&self, text: &str) -> String {
        if self.shares_people {
            text.replace("west-officer-000", "east-officer-000")
        } else {
            text.to_owned()
        }
    }

    fn id(&self) -> String {
        format!("{}-district", self.name)
    }

    /// Lands the log and loads the registers.
    fn land_into(&self, lake: &mut TestLake, above: &str) {
        for month in MONTHS {
            let bytes = std::fs::read(self.log.path().join(format!("events-{month}.ndjson")));
            let text = String::from_utf8_lossy(&bytes.unwrap()).into_owned();
            let name = format!("{}-{month}.ndjson", self.name);
            lake.land_as(&native(), &name, self.renamed(text).as_bytes()).unwrap();
        }
        for file in std::fs::read_dir(self.log.path().join("reference")).unwrap() {
            let path = file.unwrap().path();
            let table = path.file_stem().unwrap().to_str().unwrap().to_owned();
            // What the district's report states is about the whole of its lake.
            if table != "reported" {
                lake.reference(&table, &self.register(&table, &path, above));
            }
        }
    }

    fn renamed(&self, mut text: String) -> String {
        let name = self.name;
        text = text.replace("\"event_id\":\"", &format!("\"event_id\":\"{name}-"));
        for key in IDS {
            text = text.replace(&format!("\"{key}\":\""), &format!("\"{key}\":\"{name}-"));
        }
        text = text.replace("\"officer-", &format!("\"{name}-officer-"));
        self.shared(&text)
    }

    fn register(&self, table: &str, path: &Path, above: &str) -> String {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let column = |name: &str| header.iter().position(|column| column == name);
        let mut writer = csv::Writer::from_writer(Vec::new());
        let is_of_district = OF_DISTRICTS.contains(&table);
        let added = is_of_district.then(|| "district_id".to_owned());
        writer.write_record(header.iter().cloned().chain(added)).unwrap();
        if table == "orgs" {
            let mut row = vec![String::new(); header.len()];
            for (name, value) in [
                ("org_id", self.id()),
                ("name", self.name.to_owned()),
                ("kind", "district".to_owned()),
                ("parent_id", above.to_owned()),
            ] {
                row[column(name).unwrap()] = value;
            }
            writer.write_record(&row).unwrap();
        }
        for record in reader.records() {
            let mut row: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
            if table == "orgs" {
                let (kind, parent) = (column("kind").unwrap(), column("parent_id").unwrap());
                // The district stands for all three that the simulated one becomes.
                if row[kind] == "district" {
                    continue;
                }
                if row[parent].is_empty() || row[parent].starts_with("district-") {
                    row[parent] = "district".to_owned();
                }
            }
            for place in ID_COLUMNS.iter().filter_map(|name| column(name)) {
                if !row[place].is_empty() {
                    row[place] = self.shared(&format!("{}-{}", self.name, row[place]));
                }
            }
            let added = is_of_district.then(|| self.id());
            writer.write_record(row.into_iter().chain(added)).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }
}

fn ask(view: &View, metric: &Metric, scopes: &str, choices: &[Choice]) -> Vec<Vec<Sample>> {
    let whole = Period { start: day("2024-07-01"), end: day("2025-07-01") };
    let scopes = view.tree().resolve(scopes).unwrap();
    let request = Request {
        periods: &metric::periods(whole, Grain::Quarter),
        scopes: &scopes,
        parameters: &Choice::new(),
        as_of: day("2025-07-01"),
    };
    wait(metric::evaluate_each(view, metric, &request, choices)).unwrap()
}

fn municipality(districts: &[&District]) -> TestLake {
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,name,kind\ncity,模拟市,municipality\n");
    for district in districts {
        district.land_into(&mut lake, "city");
    }
    lake.refresh();
    lake
}

#[test]
fn a_district_of_a_municipality_has_the_numbers_of_a_lake_of_its_own() {
    let east = District::simulate("east", 2024, false);
    let west = District::simulate("west", 7, false);
    let city = municipality(&[&east, &west]);
    let city = city.view();
    let mut own = TestLake::new();
    east.land_into(&mut own, "");
    own.refresh();
    let own = own.view();
    let units = "east-town-longta,east-dept-market";
    let of_own = format!("district,towns,departments,teams,areas/*,{units}");
    let of_city = format!(
        "east-district,east-district/towns,east-district/departments,east-district/teams,\
         east-district/areas/*,{units}"
    );
    let names = |view: &View, scopes: &str| view.tree().resolve(scopes).unwrap().len();
    assert_eq!(names(&own, &of_own), names(&city, &of_city));
    let (mut compared, mut differing) = (0, Vec::new());
    for metric in catalogue().iter() {
        // A refused line names no unit.
        if metric.id() == "events_rejected_ratio" {
            continue;
        }
        let choices = metric.choices(|_, _| true);
        // Of metrics with many choices some.
        let choices: Vec<Choice> =
            choices.iter().step_by(choices.len().div_ceil(6)).cloned().collect();
        let expected = ask(&own, metric, &of_own, &choices);
        let found = ask(&city, metric, &of_city, &choices);
        for (choice, (expected, found)) in choices.iter().zip(expected.iter().zip(&found)) {
            for (expected, found) in expected.iter().zip(found) {
                let same = Sample { scope_id: expected.scope_id.clone(), ..found.clone() };
                // What there was before depends on the first day of the lake's log.
                let is_first = expected.period.start == day("2024-07-01");
                if metric.id() == "activity_drop" && is_first {
                    continue;
                }
                if same != *expected {
                    differing.push(format!("{} {choice:?}: {expected:?} {found:?}", metric.id()));
                }
                compared += usize::from(expected.value.is_some_and(|value| value != 0.0));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ: {:#?}",
        differing.len(),
        &differing[..differing.len().min(20)]
    );
    assert!(compared > 2_000, "{compared} numbers were compared");
}

#[test]
fn an_officer_of_two_districts_counts_in_each_and_once_above_them() {
    let east = District::simulate("east", 2024, false);
    let west = District::simulate("west", 7, true);
    let lake = municipality(&[&east, &west]);
    let view = lake.view();
    let metric = catalogue().get("officers_active").unwrap();
    let choice = Choice::from([("level".to_owned(), "L1".to_owned())]);
    let samples = &ask(&view, metric, "municipality,districts/*", &[choice])[0];
    let quarters = samples.len() / 3;
    let value = |scope: usize| samples[scope * quarters].value.unwrap();
    let first = &samples[0].period;
    let counted = |units: &str| {
        let sql = format!(
            "select count(distinct officer_id) from (
                select unnest(officer_ids) as officer_id from events
                where event_type = 'officer.login' and org_id like '{units}-%'
                    and event_date >= '{}' and event_date < '{}')",
            first.start, first.end
        );
        rows(&view, &sql)[0].parse::<f64>().unwrap()
    };
    let (all, of_east, of_west) = (counted("%"), counted("east"), counted("west"));
    assert!(of_east + of_west > all, "some serve both");
    assert_eq!((value(0), value(1), value(2)), (all, of_east, of_west));
}

#[test]
fn areas_of_one_name_are_told_apart_by_their_districts() {
    let lake = TestLake::new();
    lake.reference(
        "orgs",
        "org_id,kind,area,parent_id\ncity,municipality,,\neast,district,,city\nwest,district,,city\n\
         a,town,北部,east\nb,town,北部,west\nc,town,河畔,west\nd,department,,city\n",
    );
    let view = lake.view();
    let ids = |request: &str| -> Result<Vec<String>, String> {
        let scopes = view.tree().resolve(request).map_err(|error| error.to_string())?;
        Ok(scopes.into_iter().map(|scope| scope.scope_id).collect())
    };
    assert_eq!(ids("areas/*").unwrap(), ["east/area:北部", "west/area:北部", "west/area:河畔"]);
    assert_eq!(ids("area:河畔").unwrap(), ["area:河畔"]);
    assert_eq!(
        ids("area:北部").unwrap_err(),
        "several districts have `area:北部`; say which: east/area:北部, west/area:北部"
    );
    assert_eq!(ids("districts/*").unwrap(), ["east", "west"]);
    assert_eq!(ids("west/towns/*").unwrap(), ["b", "c"]);
    // The whole tree by either name, and under its own.
    assert_eq!(ids("district,municipality").unwrap(), ["municipality"]);
    assert!(ids("west/people").unwrap_err().contains("there is no scope"));
    assert!(ids("south/towns").unwrap_err().contains("there is no scope"));
}
