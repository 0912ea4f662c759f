-- title_zh = "补录率"
-- title_en = "Back-filled records"
-- group = "data"
-- definition = "期间内发生的业务记录中，发生后第 1 个工作日结束之后才归集者所占比例，与数据报送及时率互补；登录、退出不计，没有工作日历的年份不计。Records of acts in the period that arrived after the end of the first working day after the act, the complement of data_timely_ratio; logins are no records, and days of years without a calendar are in neither part."
-- source = "本系统定义（backfill_high）。defined here (DOMAIN: backfill_high)"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- additive = true
-- [thresholds]
-- warn = 0.3
-- source = "本系统定义（backfill_high：超过30%的记录迟于1个工作日）。defined here (DOMAIN: backfill_high, more than 30 % of records over 1 working day late)"
-- [prometheus]
-- name = "backfill_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_date,
    org_days.event_type,
    org_days.late_events as numerator,
    org_days.events as denominator
from org_days
inner join period_days
    on
        org_days.event_date = period_days.day
        and org_days.event_date >= $from
        and org_days.event_date < $to
inner join scope_orgs
    on
        org_days.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
where
    -- Logins are not records that someone submits.
    split_part(org_days.event_type, '.', 1) <> 'officer'
    -- Without a calendar nothing is known to be late or in time.
    and due_working_days(org_days.event_date, 1) is not null
