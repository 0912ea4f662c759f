//! Probe.
use crate::harness::*;
#[test]
fn probe() {
    let mut lake = TestLake::new();
    lake.land(&[line("a", "patrol.recorded", "2024-03-05", "longta").object("p-1")]);
    let again = lake.land(&[line("a", "patrol.recorded", "2024-04-05", "longta").object("p-1")]);
    eprintln!(
        "PROBE1 {:?} {:?}",
        again.landed,
        lake.rows("select event_id, revision, event_date from events")
    );
    let mut lake = TestLake::new();
    lake.reference("orgs", "org_id,kind,valid_from\nlongta,town,\nlongta,town,2024-01-01\n");
    lake.land(&[line("a", "patrol.recorded", "2024-03-05", "longta").object("p-1")]);
    lake.refresh();
    let mut q = question("patrols", "2024-03-01", "2024-04-01");
    q.scope = "towns,longta,district";
    eprintln!("PROBE2 {:?}", ask(&lake.view(), &q).unwrap().1);
    let mut lake = TestLake::new();
    lake.reference("officers", "officer_id,org_id\nwang,longta\n");
    lake.reference("officers", "officer_id,org_id,certificate_no,certificate_from,certificate_to,onboarded_on,valid_from\nwang,longta,c,2020-01-01,2024-01-01,2020-01-01,2020-01-01\n");
    lake.land(&[line("a", "patrol.recorded", "2024-03-05", "longta").object("p-1")]);
    lake.refresh();
    let q = question("officers_on_roster", "2024-03-01", "2024-04-01");
    eprintln!("PROBE3 {:?}", ask(&lake.view(), &q).unwrap().1);
}
