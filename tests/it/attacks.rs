//! What no door to SQL does for anybody.

/// Statements to be refused.
pub(crate) struct Attacks {
    /// They would write.
    pub(crate) writing: Vec<String>,
    /// They would reach what is not the lake's: files, settings, other tables.
    pub(crate) reaching: Vec<String>,
}

/// Attacks on a file beside the lake, and by writing one.
pub(crate) fn attacks(outside: &str, target: &str) -> Attacks {
    let writing = [
        "create table t as select 1".to_owned(),
        "create view v as select 1".to_owned(),
        format!("create external table t stored as csv location '{outside}'"),
        "create schema s".to_owned(),
        "create function f() returns int return 1".to_owned(),
        "drop table event_log".to_owned(),
        "drop view events".to_owned(),
        "insert into event_log select * from event_log".to_owned(),
        "update event_log set org_id = 'x'".to_owned(),
        "delete from event_log".to_owned(),
        "truncate table event_log".to_owned(),
        format!("copy (select 1) to '{target}'"),
        format!("copy event_log to '{target}' stored as parquet"),
        format!("copy event_log from '{outside}'"),
        "select 1; drop table event_log".to_owned(),
        "select 1 /* ; */; drop /* */ table event_log -- ; select 1".to_owned(),
        format!("explain copy (select 1) to '{target}'"),
        format!("explain analyze copy (select 1) to '{target}'"),
        "explain analyze insert into event_log select * from event_log".to_owned(),
        "explain analyze create table t as select 1".to_owned(),
        "with a as (select 1) insert into event_log select * from a".to_owned(),
    ];
    let reaching = [
        "set datafusion.execution.batch_size = 1".to_owned(),
        "reset datafusion.execution.batch_size".to_owned(),
        "prepare p as select 1".to_owned(),
        format!("select * from '{outside}'"),
        format!("select * from \"{outside}\""),
        format!("select * from 'file://{outside}'"),
        format!("select * from \"../../{outside}\""),
        format!("select * from read_csv('{outside}')"),
        format!("select * from read_parquet('{outside}')"),
        format!("select pg_read_file('{outside}')"),
        "select * from information_schema.df_settings".to_owned(),
        "select * from datafusion.public.events".to_owned(),
        "select 1 into t".to_owned(),
        format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
    ];
    Attacks { writing: writing.to_vec(), reaching: reaching.to_vec() }
}
