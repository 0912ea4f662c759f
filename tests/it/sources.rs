//! Watched folders and workbooks, as the platform's operators fill them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{Server, files_below, lawpulse, patrol, sql, sql_value, succeed, wait_for};

/// A server that watches the folder `in` beside the lake; `more` goes before the source.
fn watching(folder: &Path, more: &str) -> Server {
    fs::create_dir_all(folder.join("in")).unwrap();
    let config = folder.join("lawpulse.toml");
    let source = "[[source]]\nname = \"ledgers\"\nkind = \"folder\"\nmapping = \"native\"\npath = \"in\"\n\
        settle = \"200ms\"\nevery = \"50ms\"\n";
    fs::write(&config, format!("{more}\n{source}")).unwrap();
    Server::start(&folder.join("lake"), &["--config", config.to_str().unwrap()])
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn wait_for_files(folder: &Path, expected: usize) {
    let done = folder.join("in/done");
    wait_for("the files are done", || (names(&done).len() == expected).then_some(()));
    let inbox = folder.join("lake/inbox");
    wait_for("the inbox has landed", || files_below(&inbox).is_empty().then_some(()));
}

#[test]
fn files_land_once_however_often_the_server_is_killed() {
    const FILES: usize = 30;
    let folder = tempfile::tempdir().unwrap();
    let (root, lake) = (folder.path(), folder.path().join("lake"));
    let mut server = Some(watching(root, "[inbox]\nland_every = \"100ms\""));
    for file in 0..FILES {
        let lines: String = (0..20).map(|line| patrol(&format!("{file}-{line}"))).collect();
        fs::write(root.join(format!("in/day {file}.ndjson.tmp")), lines + "no event\n").unwrap();
        let renamed = root.join(format!("in/day {file}.ndjson"));
        fs::rename(root.join(format!("in/day {file}.ndjson.tmp")), renamed).unwrap();
        if file % 6 == 5 {
            // Whatever it is at, it is killed.
            thread::sleep(Duration::from_millis(250 + 60 * file as u64));
            drop(server.take());
            server = Some(watching(root, "[inbox]\nland_every = \"100ms\""));
        }
    }
    wait_for_files(root, FILES);
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log where event_month <> 'rejected'";
    assert_eq!(sql_value(&lake, counts), format!("{0} of {0}", FILES * 20));
    let rejects = sql(&lake, "select file, line from rejects order by file");
    assert_eq!(rejects.len(), FILES, "{rejects:?}");
    // A refused line is found again in the file that the operators know.
    assert!(rejects.iter().all(|reject| reject["line"] == "21"), "{rejects:?}");
    assert!(rejects.iter().any(|reject| reject["file"].ends_with(".day 7.ndjson")), "{rejects:?}");
    let metrics = server.unwrap().get("/metrics").text;
    for gauge in ["files_waiting", "oldest_seconds", "failing", "failed_files_total"] {
        let line = format!("lawpulse_source_{gauge}{{source=\"ledgers\"}} 0");
        assert!(metrics.contains(&line), "{line}");
    }
    assert!(metrics.contains("lawpulse_source_looked_timestamp_seconds{source=\"ledgers\"} 1"));
}

#[test]
fn files_wait_while_the_inbox_is_full() {
    const FILES: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let (root, lake) = (folder.path(), folder.path().join("lake"));
    fs::create_dir(root.join("in")).unwrap();
    for file in 0..FILES {
        let lines: String = (0..5).map(|line| patrol(&format!("{file}-{line}"))).collect();
        fs::write(root.join(format!("in/{file}.ndjson")), lines).unwrap();
    }
    fs::write(root.join("in/large.ndjson"), "x".repeat(5000)).unwrap();
    let server = watching(root, "[inbox]\nbytes = \"3KB\"\nland_every = \"100ms\"");
    wait_for_files(root, FILES);
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log where event_month <> 'rejected'";
    assert_eq!(sql_value(&lake, counts), format!("{0} of {0}", FILES * 5));
    // What could never fit does not wait.
    assert_eq!(names(&root.join("in/failed")), ["large.ndjson", "large.ndjson.error.txt"]);
    let note = fs::read_to_string(root.join("in/failed/large.ndjson.error.txt")).unwrap();
    assert!(note.contains("larger than the whole inbox"), "{note}");
    let failed = "lawpulse_source_failed_files_total{source=\"ledgers\"} 1";
    assert!(server.get("/metrics").text.contains(failed));
}

/// A workbook of two sheets: a ledger with a title above its header, and a page of notes.
fn workbook(path: &Path) {
    const SCRIPT: &str = r##"
import sys, zipfile
main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
doc = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
package = 'http://schemas.openxmlformats.org/package/2006/relationships'
strings = ['日常巡查台账', 'event_id', 'event_type', 'occurred_at', 'org_id', 'object_id', 'patrol.recorded', 'town-1', 'x-1', 'x-2', 'x-3', '填表说明']
text = lambda place, index: f'<c r="{place}" t="s"><v>{index}</v></c>'
head = ''.join(text(f'{column}3', index) for column, index in zip('ABCDE', range(1, 6)))
row = lambda n, id, time: f'<row r="{n}">{text(f"A{n}", id)}{text(f"B{n}", 6)}{time}{text(f"D{n}", 7)}{text(f"E{n}", id)}</row>'
ledger = f'<row r="1">{text("A1", 0)}</row><row r="3">{head}</row>' \
    + row(4, 8, '<c r="C4" s="1"><v>45721.383715277778</v></c>') \
    + row(5, 9, '<c r="C5" t="e"><v>#REF!</v></c>') + row(7, 10, '<c r="C7" s="1"><v>45722</v></c>')
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as book:
    sheet = lambda rows: f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
    book.writestr('xl/worksheets/sheet1.xml', sheet(f'<row r="1">{text("A1", 11)}</row>'))
    book.writestr('xl/worksheets/sheet2.xml', sheet(ledger))
    book.writestr('xl/workbook.xml', f'<workbook xmlns="{main}" xmlns:r="{doc}"><sheets><sheet name="说明" sheetId="1" r:id="r1"/><sheet name="台账" sheetId="2" r:id="r2"/></sheets></workbook>')
    related = ''.join(f'<Relationship Id="r{n}" Type="{doc}/{kind}" Target="{target}"/>' for n, kind, target in
        [(1, 'worksheet', 'worksheets/sheet1.xml'), (2, 'worksheet', 'worksheets/sheet2.xml'), (3, 'styles', 'styles.xml'), (4, 'sharedStrings', 'sharedStrings.xml')])
    book.writestr('xl/_rels/workbook.xml.rels', f'<Relationships xmlns="{package}">{related}</Relationships>')
    book.writestr('xl/styles.xml', f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>')
    book.writestr('xl/sharedStrings.xml', f'<sst xmlns="{main}">' + ''.join(f'<si><t>{s}</t></si>' for s in strings) + '</sst>')
    book.writestr('_rels/.rels', f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{doc}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
"##;
    succeed(Command::new("python3").args(["-c", SCRIPT, path.to_str().unwrap()]));
}

const LANDED: &str = "select event_id, occurred_at from events order by event_id";

fn check_ledger(lake: &Path, file: &str) {
    let landed = sql(lake, LANDED);
    let landed: Vec<_> =
        landed.iter().map(|row| (&*row["event_id"], &row["occurred_at"][..19])).collect();
    assert_eq!(landed, [("x-1", "2025-03-05T01:12:33"), ("x-3", "2025-03-05T16:00:00")]);
    let rejects = sql(lake, "select file, line, reason, detail from rejects");
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    let reject = &rejects[0];
    assert_eq!((&*reject["line"], &*reject["reason"]), ("5", "malformed_row"));
    assert_eq!(reject["detail"], "cell C5 holds #REF!");
    assert!(reject["file"].contains(file), "{reject:?}");
}

#[test]
fn the_rows_of_a_workbook_land_by_hand_and_out_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let file: PathBuf = root.join("巡查.xlsx");
    workbook(&file);
    let (by_hand, file_name) = (root.join("by-hand"), file.to_str().unwrap());
    let land = || lawpulse(["land", "--lake", by_hand.to_str().unwrap(), file_name]);
    assert!(land().ends_with("landed 2, duplicate 0, rejected 1\n"));
    assert!(land().contains("landed before\nlanded 0, duplicate 2, rejected 1"));
    check_ledger(&by_hand, "巡查.xlsx:台账");
    let named = ["land", "--lake", by_hand.to_str().unwrap(), "--sheet", "台账", file_name];
    assert!(lawpulse(named).contains("landed 0"));

    let server = watching(root, "");
    fs::rename(&file, root.join("in/巡查.xlsx")).unwrap();
    wait_for_files(root, 1);
    check_ledger(&root.join("lake"), "巡查.xlsx:台账");
    drop(server);
}
