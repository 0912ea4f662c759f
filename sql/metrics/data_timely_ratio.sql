-- title_zh = "数据报送及时率"
-- title_en = "Data in time"
-- group = "data"
-- indicator = 44
-- definition = "期间内发生的业务记录中，发生后第 1 个工作日结束前归集者所占比例；登录、退出不计，没有工作日历的年份不计。Records of acts in the period that arrived by the end of the first working day after the act; logins are no records, and days of years without a calendar are in neither part."
-- source = "期限由本系统定义，字段依据国家“互联网+监管”检查行为；日历依据国务院办公厅节假日安排通知。limit defined here, fields of 互联网+监管 检查行为; calendar: State Council holiday notices"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "data_timely_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_date,
    org_days.event_type,
    org_days.events - org_days.late_events as numerator,
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
