//! What comes of a district's own lake: files once, registers under the district.

use std::path::Path;

use pipeline::gather::{District, Progress};
use pipeline::lake::{Lake, Published};
use pipeline::land;
use pipeline::location::Location;
use pipeline::maintain::Policy;
use pipeline::reference::gathered::take_over;
use pipeline::source::InputFile;

use crate::harness::{Line, TestLake, line, native, ndjson, wait};

const ABOVE: &str = "org_id,name,kind,parent_id\ncity,市,municipality,\n\
    east,东区,district,city\nwest,西区,district,city\n";

/// The lake above, which knows two districts.
fn above() -> TestLake {
    let lake = TestLake::new();
    lake.reference("orgs", ABOVE);
    lake
}

fn publish(lake: &mut TestLake) {
    let now = lake.now;
    let (lake, lock) = lake.as_writer();
    wait(lake.publish(lock, now)).unwrap();
}

fn open_at(root: &Path) -> District {
    let location = Location::from(root);
    let published = wait(Published::read(&location)).unwrap().expect("it has published");
    wait(District::open(&location, &published)).unwrap()
}

fn open(lake: &TestLake) -> District {
    open_at(lake.root())
}

fn taken_over(above: &mut TestLake, district: &str, of: &mut TestLake) -> pipeline::Result<usize> {
    publish(of);
    let registers = wait(open(of).registers_since(&Progress::default())).unwrap();
    let (lake, lock) = above.as_writer();
    let loaded = wait(take_over(lake, lock, district, registers))?;
    Ok(loaded.iter().map(|it| it.added + it.changed).sum())
}

/// How many rows the new files have, after which nothing is new.
fn rows_since(progress: &mut Progress, of: &mut TestLake) -> u64 {
    publish(of);
    let district = open(of);
    let files = wait(district.files_since(progress)).unwrap();
    progress.files_came(&district);
    assert_eq!(wait(district.files_since(progress)).unwrap(), [], "nothing is new");
    files.iter().map(|file| file.rows).sum()
}

fn patrols(ids: &[&str], day: &str) -> Vec<Line> {
    ids.iter().map(|id| line(id, "patrol.finished", day, "east-1")).collect()
}

#[test]
fn units_without_a_parent_are_put_under_the_district_and_what_is_above_stays_as_it_is() {
    let (mut above, mut east) = (above(), TestLake::new());
    east.reference(
        "orgs",
        "org_id,name,kind,parent_id\nroot,别的市,municipality,\ncity,改名市,municipality,root\neast,改名区,district,city\n\
         east-1,一镇,town,east\neast-2,二镇,town,\neast-3,一队,team,east-1\n",
    );
    east.reference("items", "item_code,district_id,name\ni1,,无\ni2,east,东\n");
    assert_eq!(taken_over(&mut above, "east", &mut east).unwrap(), 5);
    above.refresh();
    let orgs = "select org_id, name, parent_id from orgs order by org_id";
    assert_eq!(
        above.rows(orgs),
        [
            "city 市 NULL",
            "east 东区 city",
            "east-1 一镇 east",
            "east-2 二镇 east",
            "east-3 一队 east-1",
            "west 西区 city"
        ]
    );
    let items = "select item_code, district_id from items order by item_code";
    assert_eq!(above.rows(items), ["i1 east", "i2 east"]);
    // The same again changes nothing.
    assert_eq!(taken_over(&mut above, "east", &mut east).unwrap(), 0);
}

#[test]
fn what_cannot_be_under_the_district_is_refused_whole() {
    let mut above = above();
    above.reference("orgs", "org_id,name,kind,parent_id\nwest-1,西一镇,town,west\n");
    let refused = |above: &mut TestLake, district: &str, orgs: &str| {
        let mut lake = TestLake::new();
        lake.reference("orgs", &format!("org_id,name,kind,parent_id\n{orgs}"));
        lake.reference("feeds", "feed_id,name\nf1,无\n");
        let error = taken_over(above, district, &mut lake).unwrap_err().to_string();
        assert_eq!(above.rows("select * from feeds"), [""; 0]);
        error
    };
    let error = refused(&mut above, "north", "north-1,一镇,town,\n");
    assert!(error.contains("no `north`: land an orgs.csv"), "{error}");
    above.reference("orgs", "org_id,name,kind,parent_id\nlaw,司法局,department,city\n");
    let east = |orgs: &str| format!("east-1,一镇,town,\n{orgs}\n");
    for (orgs, problem) in [
        ("west-1,二镇,town,", "unit `west-1` of `east` stands under `west` in this lake"),
        ("law,司法局,department,", "unit `law` of `east` stands under `city` in this lake"),
        ("east-2,二镇,town,lost", "unit `east-2` of `east` is under `lost`, which"),
        ("south,南区,district,", "unit `south` of `east` is a district itself"),
    ] {
        let error = refused(&mut above, "east", &east(orgs));
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn who_was_erased_there_after_having_come_does_not_come_again() {
    let (mut above, mut east) = (above(), TestLake::new());
    let officers = |ids: &[&str]| {
        ids.iter().fold("officer_id,org_id\n".to_owned(), |all, id| all + id + ",east-1\n")
    };
    east.reference("officers", &officers(&["a", "erased-1"]));
    taken_over(&mut above, "east", &mut east).unwrap();
    // What had been erased before stands in events, too.
    let here = "select officer_id from officers order by officer_id";
    above.refresh();
    assert_eq!(above.rows(here), ["a", "erased-1"]);
    publish(&mut east);
    let mut progress = Progress::default();
    progress.registers_came(&open(&east));
    east.reference("officers", &officers(&["b", "erased-2"]));
    publish(&mut east);
    let registers = wait(open(&east).registers_since(&progress)).unwrap();
    let (lake, lock) = above.as_writer();
    wait(take_over(lake, lock, "east", registers)).unwrap();
    assert_eq!(above.rows(here), ["a", "b", "erased-1"]);
}

#[test]
fn a_firm_stays_with_the_district_that_brought_it_first() {
    let (mut above, mut east, mut west) = (above(), TestLake::new(), TestLake::new());
    east.reference("parties", "party_id,name\np1,甲\np2,乙\n");
    west.reference(
        "parties",
        "party_id,name,district_id\np2,丙,\np3,丁,west\np4,戊,east\np5,己,\n",
    );
    above.reference("parties", "party_id,name\np5,市\n");
    taken_over(&mut above, "east", &mut east).unwrap();
    taken_over(&mut above, "west", &mut west).unwrap();
    above.refresh();
    let parties = "select party_id, name, district_id from parties order by party_id";
    assert_eq!(above.rows(parties), ["p1 甲 east", "p2 乙 east", "p3 丁 west", "p5 市 NULL"]);
}

#[test]
fn a_unit_that_goes_over_to_another_district_has_a_version_of_each() {
    let (mut above, mut east, mut west) = (above(), TestLake::new(), TestLake::new());
    let header = "org_id,name,kind,parent_id,valid_from,valid_to\n";
    east.reference("orgs", &format!("{header}t,一镇,town,,2023-01-01,2025-01-01\n"));
    west.reference("orgs", &format!("{header}t,一镇,town,,2025-01-01,\n"));
    // In either order, and again.
    for (district, lake) in [("west", &mut west), ("east", &mut east)] {
        assert_eq!(taken_over(&mut above, district, lake).unwrap(), 1);
    }
    assert_eq!(taken_over(&mut above, "west", &mut west).unwrap(), 0);
    above.refresh();
    let versions = "select parent_id, valid_from from orgs where org_id = 't' order by valid_from";
    assert_eq!(above.rows(versions), ["east 2023-01-01", "west 2025-01-01"]);
}

#[test]
fn files_come_once_and_packed_ones_with_what_is_packed_with_them() {
    let mut east = TestLake::new();
    let mut progress = Progress::default();
    east.land(&patrols(&["a", "b"], "2025-03-03"));
    east.land(&patrols(&["c"], "2025-04-03"));
    assert_eq!(rows_since(&mut progress, &mut east), 3);
    assert_eq!(rows_since(&mut progress, &mut east), 0);
    east.land(&patrols(&["d"], "2025-03-04"));
    assert_eq!(rows_since(&mut progress, &mut east), 1);
    // Refused lines are for the district to see to.
    east.land_as(&native(), "bad.ndjson", b"no event\n").unwrap();
    assert_eq!(rows_since(&mut progress, &mut east), 0);
    // Two files of April are one now; one of them had come.
    east.land(&patrols(&["e"], "2025-04-04"));
    let policy = Policy { small_files: 2, ..Policy::default() };
    let now = east.now;
    assert!(!east.maintain(policy, now).unwrap().is_empty());
    east.land(&patrols(&["f"], "2025-05-04"));
    assert_eq!(rows_since(&mut progress, &mut east), 3);
    // Packing brings nothing new.
    east.land(&patrols(&["g"], "2025-05-05"));
    assert_eq!(rows_since(&mut progress, &mut east), 1);
    let policy = Policy { small_files: 2, ..Policy::default() };
    assert!(!east.maintain(policy, now).unwrap().is_empty());
    assert_eq!(rows_since(&mut progress, &mut east), 0);
}

#[test]
fn of_a_lake_that_was_restored_or_put_in_anothers_place_everything_comes_again() {
    let mut east = TestLake::new();
    east.land(&patrols(&["a", "b"], "2025-03-03"));
    publish(&mut east);
    let backup = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([east.root(), &backup.path().join("lake")])
        .status();
    assert!(copied.unwrap().success());
    let mut progress = Progress::default();
    east.land(&patrols(&["c"], "2025-03-04"));
    assert_eq!(rows_since(&mut progress, &mut east), 3);
    let root = backup.path().join("lake");
    let restored = open_at(&root);
    assert_eq!(wait(restored.files_since(&progress)).unwrap().len(), 1);
    assert_eq!(wait(restored.registers_since(&progress)).unwrap().len(), 0);
    // It has as many versions again before anybody looks, and they are others.
    std::thread::sleep(std::time::Duration::from_millis(2));
    for id in ["d", "e"] {
        let mut lake = wait(Lake::open(root.as_path())).unwrap();
        let lock = wait(lake.lock()).unwrap();
        let file = east.file(&format!("{id}.ndjson"), &ndjson(&patrols(&[id], "2025-03-05")));
        let (inputs, now) = ([InputFile::new(&file).unwrap()], east.now);
        wait(land::land(&mut lake, &lock, &native(), &inputs, now, &|_| {})).unwrap();
        wait(lake.publish(&lock, now)).unwrap();
    }
    let restored = open_at(&root);
    let files = wait(restored.files_since(&progress)).unwrap();
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 4);
    assert!(progress.files_came(&restored));
    assert_eq!(wait(restored.files_since(&progress)).unwrap(), []);

    let mut other = TestLake::new();
    for id in ["x", "y", "z"] {
        other.land(&patrols(&[id], "2025-03-03"));
    }
    assert_eq!(rows_since(&mut progress, &mut other), 3);
}
