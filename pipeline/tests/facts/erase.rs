//! After an erasure nothing in the lake tells who it was, and every number is what it was.

use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipeline::audit;
use pipeline::erase::Person;
use pipeline::maintain::Policy;
use pipeline::past::Moment;

use crate::harness::{TestLake, ask, line, native, question, wait};

/// An id that stands nowhere by chance.
const OFFICER: &str = "officer-zq7731";
const PARTY: &str = "91500112MA5ZQ7731X";

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_files(&path)) } else { found.push(path) }
    }
    found
}

/// The files of a lake that hold a text, as they are or in the rows that they store.
fn files_with(lake: &TestLake, text: &str) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        if memchr::memmem::find(&bytes, text.as_bytes()).is_some() {
            return true;
        }
        if path.extension().is_none_or(|extension| extension != "parquet") {
            return false;
        }
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        reader.build().unwrap().any(|batch| {
            let shown = arrow::util::pretty::pretty_format_batches(&[batch.unwrap()]).unwrap();
            // Binary columns are shown in hexadecimal digits.
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            let shown = shown.to_string();
            shown.contains(text) || shown.contains(&digits)
        })
    };
    all_files(lake.root()).into_iter().filter(holds).collect()
}

fn lake_with_persons() -> TestLake {
    let mut lake = TestLake::new();
    lake.reference(
        "officers",
        &format!(
            "officer_id,org_id,certificate_no,valid_from\n{OFFICER},longta,CERT-{OFFICER},2023-01-01\n\
             {OFFICER},yuehu,CERT-2,2024-06-01\nother,longta,CERT-3,2023-01-01\n"
        ),
    );
    lake.reference(
        "leaves",
        &format!("officer_id,from_date,to_date\n{OFFICER},2024-05-01,2024-05-03\n"),
    );
    lake.reference(
        "parties",
        &format!("party_id,name,kind\n{PARTY},Zhang San,person\np-2,Firm,firm\n"),
    );
    for day in 1..=6 {
        let id = format!("e-{day}");
        let date = format!("2024-0{}-05", 1 + day % 3);
        lake.land(&[
            line(&id, "patrol.recorded", &date, "longta").officers(&[OFFICER, "other"]).object(&id),
            line(&format!("i-{day}"), "inspection.finished", &date, "longta")
                .officers(&["other", "third"])
                .object(&format!("visit-{PARTY}-{day}"))
                .with("party_id", PARTY)
                .attribute("kind", "routine")
                .attribute("result", "ordered")
                .attribute("phone", "13800001111")
                .attribute("remark", &format!("met {PARTY}")),
        ]);
        lake.refresh();
    }
    let refused = format!("{{\"event_type\":\"x\",\"who\":\"{OFFICER}\",\"what\":\"{PARTY}\"\n");
    lake.land_as(&native(), "refused.ndjson", refused.as_bytes()).unwrap();
    lake.refresh();
    // Older versions of everything lie on the disk, too.
    lake.maintain(Policy { small_files: 2, ..Policy::default() }, lake.now).unwrap();
    lake
}

fn numbers(lake: &TestLake) -> Vec<Vec<String>> {
    let view = lake.view();
    let mut found: Vec<Vec<String>> = [
        "select event_date, org_id, level, set_count(officers) from officer_days order by 1, 2, 3",
        "select event_date, org_id, level, count(distinct officer_id) from officer_days_flat \
         group by 1, 2, 3 order by 1, 2, 3",
        "select * from org_days order by 1, 2, 3",
        "select kind, result, count(*), count(distinct party_id), count(distinct inspection_id) \
         from inspections group by 1, 2 order by 1, 2",
        "select count(distinct officer_id) from (select unnest(officer_ids) as officer_id from events)",
        "select org_id, valid_from from officers order by 1, 2",
        "select reason, count(*) from rejects group by 1 order by 1",
    ]
    .map(|sql| lake.rows(sql))
    .to_vec();
    for metric in ["officer_activity_ratio", "patrols"] {
        let samples = ask(&view, &question(metric, "2024-01-01", "2025-01-01"));
        found.push(vec![format!("{samples:?}")]);
    }
    found
}

#[test]
fn nothing_tells_who_an_erased_officer_was_and_no_number_changes() {
    let mut lake = lake_with_persons();
    assert!(files_with(&lake, OFFICER).len() > 3);
    let before = numbers(&lake);
    let erased = lake.erase(&Person::Officer(OFFICER.to_owned())).unwrap();
    assert_eq!(files_with(&lake, OFFICER), Vec::<PathBuf>::new());
    assert_eq!(numbers(&lake), before);
    assert_eq!((erased.events, erased.register_rows, erased.audit_rows), (7, 4, 0));
    // One person stays one person, and that there was a certificate is known.
    let postings =
        "select distinct officer_id, certificate_no from officers where org_id = 'yuehu'";
    assert_eq!(lake.rows(postings), [format!("{0} {0}", erased.token)]);
    // The party is still there, and what has landed is still known.
    assert!(!files_with(&lake, PARTY).is_empty());
    let again = line("e-1", "patrol.recorded", "2024-02-05", "longta").officers(&[OFFICER]);
    assert_eq!(lake.land(&[again]).duplicate, 1);
    // Older versions that named the officer cannot be read.
    assert!(lake.view_of(Moment::Version(3)).unwrap_err().to_string().contains("erased"));
}

#[test]
fn of_an_erased_party_only_what_names_nobody_stays() {
    let mut lake = lake_with_persons();
    let before = numbers(&lake);
    let erased = lake.erase(&Person::Party(PARTY.to_owned())).unwrap();
    for told in [PARTY, "Zhang San", "13800001111"] {
        assert_eq!(files_with(&lake, told), Vec::<PathBuf>::new(), "{told}");
    }
    assert_eq!(numbers(&lake), before);
    let (token, sql) =
        (&erased.token, "select object_id, party_id from events where event_id = 'i-3'");
    assert_eq!(lake.rows(sql), [format!("visit-{token}-3 {token}")]);
    assert_eq!(lake.rows("select name from parties where party_id = 'p-2'"), ["Firm"]);
    let text = "select arrow_cast(text, 'Utf8') as text from rejects";
    assert_eq!(lake.rows(text), [token.as_str()]);
}

#[test]
fn an_erasure_stands_in_the_audit_log_by_a_salted_hash() {
    let mut lake = lake_with_persons();
    lake.erase(&Person::Officer(OFFICER.to_owned())).unwrap();
    let verified = wait(audit::verify(lake.root(), None)).unwrap();
    assert_eq!((verified.rows, verified.breach.is_none()), (1, true));
    assert!(files_with(&lake, OFFICER).is_empty());
    assert!(!lake.root().join("erasure.json").exists());
}

#[test]
fn nothing_is_erased_while_pushed_lines_wait() {
    let mut lake = lake_with_persons();
    let inbox = lake.root().join("inbox/native");
    std::fs::create_dir_all(&inbox).unwrap();
    std::fs::write(inbox.join("1.ndjson"), OFFICER).unwrap();
    let told = lake.erase(&Person::Officer(OFFICER.to_owned())).unwrap_err().to_string();
    assert!(told.contains("wait to land") && told.contains("1.ndjson"), "{told}");
}

#[test]
fn an_interrupted_erasure_goes_on_with_its_token_and_holds_off_others() {
    let mut lake = lake_with_persons();
    // A file that cannot be read stops the erasure after it has begun.
    let path = all_files(&lake.root().join("reference/leaves"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"damaged").unwrap();
    lake.erase(&Person::Officer(OFFICER.to_owned())).unwrap_err();
    std::fs::write(&path, bytes).unwrap();
    let begun = lake
        .rows("select distinct officer_ids[1] from events where event_type = 'patrol.recorded'");
    let told = lake.erase(&Person::Party(PARTY.to_owned())).unwrap_err().to_string();
    assert!(told.contains("erasure.json"), "{told}");
    let erased = lake.erase(&Person::Officer(OFFICER.to_owned())).unwrap();
    assert_eq!([erased.token], begun[..]);
    assert!(files_with(&lake, OFFICER).is_empty());
}
