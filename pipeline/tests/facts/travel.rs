//! Plans that go to another process as bytes give what they give here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion::execution::object_store::ObjectStoreRegistry as _;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use pipeline::access::Access;
use pipeline::location::Location;
use pipeline::metric::{self, Catalogue, Choice, Grain, Period, Request, Sample};
use pipeline::pseudonym::Identities;
use pipeline::query::{Guarded, View};
use pipeline::travel::{
    Carried, Journey, Spread, Spreading, Station, functions_fingerprint, lake_codec, travelling,
};

use crate::harness::{DEFINITIONS, TestLake, day, line, simulated_district, wait};

/// Another process, as far as plans are concerned: all that comes to it are bytes.
#[derive(Debug)]
struct Elsewhere {
    lake: Location,
    station: Station,
    /// What came of each plan that was sent.
    sent: Mutex<Vec<Result<(), String>>>,
}

impl Elsewhere {
    fn of(lake: &TestLake) -> Arc<Self> {
        let station = wait(Station::open(lake.root(), &DEFINITIONS)).unwrap();
        Arc::new(Self { lake: lake.root().into(), station, sent: Mutex::default() })
    }

    /// How many plans came, after which no other failed but those that are nested too deep for one message.
    #[track_caller]
    fn arrived(&self) -> usize {
        let sent = self.sent.lock().unwrap();
        let failed = sent.iter().filter_map(|it| it.as_ref().err());
        let failed: Vec<_> = failed.filter(|error| !error.contains("recursion limit")).collect();
        assert!(failed.is_empty(), "{failed:?}");
        sent.iter().filter(|it| it.is_ok()).count()
    }

    async fn send(
        &self,
        state: &SessionState,
        plan: &LogicalPlan,
        journey: &Journey,
    ) -> Result<Spreading, DataFusionError> {
        let outside = |error: pipeline::Error| exec_datafusion_err!("{error}");
        let here = travelling(state, &self.lake).map_err(outside)?;
        let plan = here.create_physical_plan(plan).await?;
        let bytes = physical_plan_to_bytes_with_extension_codec(plan, &lake_codec())?;
        let carried = serde_json::to_string(&journey.carried).unwrap();
        let carried: Carried = serde_json::from_str(&carried).unwrap();
        let stores = Arc::new(self.station.stores().map_err(outside)?);
        let runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores).build_arc()?;
        let mut there = SessionStateBuilder::new().with_runtime_env(runtime).build();
        self.station.equip(&mut there, &carried).await?;
        let context = there.task_ctx();
        let plan = physical_plan_from_bytes_with_extension_codec(&bytes, &context, &lake_codec())?;
        Ok(Spreading { plan, context })
    }
}

#[async_trait]
impl Spread for Elsewhere {
    async fn plan(&self, state: &SessionState, plan: &LogicalPlan) -> Option<Spreading> {
        let journey = Journey::of(state, plan, &self.lake)?;
        let sent = self.send(state, plan, &journey).await;
        let told = sent.as_ref().map(|_| ()).map_err(ToString::to_string);
        self.sent.lock().unwrap().push(told);
        sent.ok()
    }

    fn failed(&self, error: &DataFusionError) {
        self.sent.lock().unwrap().push(Err(error.to_string()));
    }
}

/// The rows as text, in an order of their own.
fn told(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> =
            columns.map(|it| ArrayFormatter::try_new(it.as_ref(), &options).unwrap()).collect();
        let row = |row| columns.iter().map(|it| it.value(row).to_string()).collect::<Vec<_>>();
        rows.extend((0..batch.num_rows()).map(|number| row(number).join("|")));
    }
    rows.sort_unstable();
    rows
}

fn all_metrics(view: &View) -> Vec<(String, Vec<Sample>)> {
    let catalogue = Catalogue::load(&DEFINITIONS).unwrap();
    let whole = Period { start: day("2025-01-01"), end: day("2025-07-01") };
    let periods = metric::periods(whole, Grain::Quarter);
    let scopes = view.tree().resolve("towns/*").unwrap();
    let parameters = Choice::new();
    let request = Request {
        periods: &periods,
        scopes: &scopes,
        parameters: &parameters,
        as_of: day("2025-06-20"),
    };
    let ask = |metric| wait(metric::evaluate(view, metric, &request)).unwrap();
    catalogue.iter().map(|metric| (metric.id().to_owned(), ask(metric))).collect()
}

/// Samples as text. Sums of amounts in yuan may differ in their last digits, since rows come in another order.
fn written(samples: &[Sample]) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| format!("{value:.9e}"));
    let line = |it: &Sample| {
        let numbers = [it.numerator, it.denominator, it.value].map(number);
        format!("{} {:?} {numbers:?} {}", it.scope_id, it.period, it.is_withheld)
    };
    samples.iter().map(line).collect()
}

#[test]
fn every_metric_is_the_same_when_its_plan_travels() {
    let lake = simulated_district();
    let elsewhere = Elsewhere::of(&lake);
    let spread = lake.reader();
    spread.spread_over(Arc::clone(&elsewhere) as _);
    let (expected, found) = (all_metrics(&lake.view()), all_metrics(&spread.view()));
    for ((metric, expected), (_, found)) in expected.iter().zip(&found) {
        assert_eq!(written(expected), written(found), "{metric}");
    }
    assert!(elsewhere.arrived() > 60, "{} plans arrived", elsewhere.arrived());
    check_queries(&lake, &elsewhere);
}

/// Each function of the lake, and what else its plans have of their own.
const QUERIES: [&str; 16] = [
    "select event_type, count(*) as n from events group by event_type",
    "select count(*) as n from event_log",
    "select count(*) as n from events where event_month = '2025-03' and channel is not null",
    "select event_month, min(event_id) as least from events where event_month in ('2024-02', '2025-11') group by 1",
    "select local_date(occurred_at) as day, count(*) as n from events group by 1",
    "select json_texts(attributes, 'result')['result'] as result, count(*) as n from events group by 1",
    "select json_shape(attributes) as shape, count(*) as n from events group by 1",
    "select attributes ->> 'result' as result, count(*) as n from events group by 1",
    "select due_working_days(event_date, 5) as due, due_calendar_days(event_date, 30) as later, \
     working_days_between(event_date, date '2026-01-01') as days, is_working_day(event_date) as is_working, \
     count(*) as n from events group by 1, 2, 3, 4",
    "select org_id, set_count(set_union(officers)) as many, set_numbers(set_repeated(officers, 3)) as often \
     from officer_days group by org_id",
    "select a.org_id, set_count(set_intersect(a.officers, b.officers)) as both, \
     set_count(set_minus(a.officers, b.officers)) as lost from officer_days a inner join officer_days b \
     on a.org_id = b.org_id and a.level = b.level and a.event_date = b.event_date + interval '1 day'",
    "select orgs.name, count(*) as n from events inner join orgs on events.org_id = orgs.org_id group by orgs.name",
    "select org_id, officer, count(*) as n from (select org_id, unnest(officer_ids) as officer from events) group by 1, 2",
    "select event_id || '/' || repeat('x', 3) as label from events order by event_id limit 50",
    "select org_id, event_date, row_number() over (partition by org_id order by event_date, event_id) as place \
     from events where event_type = 'case.filed'",
    "select party_id, count(*) as n from events where party_id is not null group by 1 having count(*) > 2",
];

/// Queries of those who see everything, of an analyst, and of one unit.
fn check_queries(lake: &TestLake, elsewhere: &Elsewhere) {
    let view = lake.view();
    let org = view.tree().orgs().iter().find(|org| org.kind == "town").unwrap().org_id.clone();
    let veiled = wait(Identities::pseudonyms_of(lake.root())).unwrap();
    let analyst = Access { identities: veiled.clone(), audit: false, ..Access::whole() };
    let unit = Access { orgs: Some(Arc::new(BTreeSet::from([org]))), ..analyst.clone() };
    let catalogue = Catalogue::load(&DEFINITIONS).unwrap();
    for access in [Access::whole(), analyst, unit] {
        let today = day("2025-06-20");
        let guarded = wait(Guarded::new(&view, &access, &catalogue, today, None)).unwrap();
        for sql in QUERIES {
            let planned = || wait(guarded.session(1 << 30, 1 << 30).unwrap().sql(sql)).unwrap();
            let expected = told(&wait(planned().collect()).unwrap());
            let (state, plan) = planned().into_parts();
            let sent = wait(elsewhere.plan(&state, &plan)).unwrap_or_else(|| {
                panic!("{sql}: {:?}", elsewhere.sent.lock().unwrap().last());
            });
            let found = wait(datafusion::physical_plan::collect(sent.plan, sent.context)).unwrap();
            assert_eq!(told(&found), expected, "{sql}");
            // One unit may have nothing of it.
            assert!(!expected.is_empty() || access.orgs.is_some(), "{sql}");
        }
        let greedy = "select length(repeat(event_id, 100000000)) from events";
        let (state, plan) =
            wait(guarded.session(1 << 30, 1 << 30).unwrap().sql(greedy)).unwrap().into_parts();
        let sent = wait(elsewhere.plan(&state, &plan)).unwrap();
        let refused = wait(datafusion::physical_plan::collect(sent.plan, sent.context));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`repeat` would make"), "{refused}");
    }
}

/// Some days of three units, in a lake of their own.
fn lake_of_patrols() -> TestLake {
    let mut lake = TestLake::new();
    let lines: Vec<_> = (0..600)
        .map(|number| {
            let day = format!("2025-0{}-{:02}", number % 3 + 1, number % 27 + 1);
            let org = ["longta", "border", "market"][number % 3];
            let officers = [format!("officer-{}", number % 50), format!("officer-{}", number % 7)];
            line(&format!("event-{number}"), "patrol.recorded", &day, org)
                .officers(&officers)
                .object(&format!("patrol-{number}"))
        })
        .collect();
    lake.land(&lines);
    lake
}

const ROLLUPS: [&str; 3] = [
    "select * from org_days order by 1, 2, 3",
    "select event_date, org_id, level, set_numbers(officers) from officer_days order by 1, 2, 3",
    "select * from officer_numbers order by 1",
];

#[test]
fn rollups_that_are_computed_elsewhere_are_the_same() {
    let mut here = lake_of_patrols();
    here.refresh();
    let mut lake = lake_of_patrols();
    let elsewhere = Elsewhere::of(&lake);
    lake.as_writer().0.spread_over(Arc::clone(&elsewhere) as _);
    lake.refresh();
    assert!(elsewhere.arrived() >= 3, "{} plans arrived", elsewhere.arrived());
    for sql in ROLLUPS {
        assert_eq!(lake.rows(sql), here.rows(sql), "{sql}");
        assert!(!here.rows(sql).is_empty(), "{sql}");
    }
}

#[test]
fn a_plan_that_reads_what_is_only_here_stays() {
    let lake = lake_of_patrols();
    let view = lake.view();
    let session = view.session().unwrap();
    let journey = |sql: &str, place: &Location| {
        let (state, plan) = wait(session.sql(sql)).unwrap().into_parts();
        Journey::of(&state, &plan, place)
    };
    let here = Location::from(lake.root());
    let found = journey("select count(*) from events", &here).unwrap();
    assert!(found.file_bytes > 0 && found.memory_bytes == 0, "{found:?}");
    let other = tempfile::tempdir().unwrap();
    assert_eq!(journey("select count(*) from events", &Location::from(other.path())), None);
    for sql in [
        "select * from generate_series(1, 10)",
        "explain select count(*) from events",
        "select * from information_schema.tables",
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 9) select * from n",
    ] {
        assert_eq!(journey(sql, &here), None, "{sql}");
    }
}

#[test]
fn whoever_runs_the_plans_of_others_reads_the_lake_and_nothing_else() {
    let lake = lake_of_patrols();
    let stores = Elsewhere::of(&lake).station.stores().unwrap();
    assert!(stores.get_store(&"lake://lake/".parse().unwrap()).is_ok());
    for url in ["file:///etc/", "s3://other/", "http://host/"] {
        let url = url.parse().unwrap();
        let own = Arc::new(object_store::memory::InMemory::new());
        assert!(stores.register_store(&url, own).is_none());
        let refused = stores.get_store(&url).unwrap_err().to_string();
        assert!(refused.contains("reads its lake only"), "{refused}");
    }
}

#[test]
fn a_worker_with_another_key_of_pseudonyms_is_no_help() {
    let (lake, other) = (lake_of_patrols(), lake_of_patrols());
    let of = |lake: &TestLake| wait(Identities::pseudonyms_of(lake.root())).unwrap();
    let access = Access { identities: of(&lake), ..Access::whole() };
    let catalogue = Catalogue::load(&DEFINITIONS).unwrap();
    let guarded =
        wait(Guarded::new(&lake.view(), &access, &catalogue, day("2025-06-20"), None)).unwrap();
    let frame = wait(guarded.session(1 << 30, 0).unwrap().sql("select party_id from events"));
    let (state, plan) = frame.unwrap().into_parts();
    let journey = Journey::of(&state, &plan, &lake.root().into()).unwrap();
    let equip = |lake: &TestLake| {
        let mut state = SessionStateBuilder::new().build();
        wait(Elsewhere::of(lake).station.equip(&mut state, &journey.carried))
    };
    equip(&lake).unwrap();
    let refused = equip(&other).unwrap_err().to_string();
    assert!(refused.contains("another key"), "{refused}");
}

#[test]
fn workers_of_another_calendar_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("reference")).unwrap();
    let calendar = DEFINITIONS.file("reference/calendar.csv").unwrap();
    let shorter: Vec<&str> = calendar.lines().take(20).collect();
    std::fs::write(folder.path().join("reference/calendar.csv"), shorter.join("\n")).unwrap();
    let other = pipeline::definition::Definitions::load(Some(folder.path())).unwrap();
    let fingerprint = functions_fingerprint(&DEFINITIONS).unwrap();
    assert_eq!(functions_fingerprint(&DEFINITIONS.clone()).unwrap(), fingerprint);
    assert_ne!(functions_fingerprint(&other).unwrap(), fingerprint);
}
