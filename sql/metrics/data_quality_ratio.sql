-- title_zh = "数据合格率"
-- title_en = "Complete records"
-- group = "data"
-- indicator = 45
-- definition = "期间内归集的业务记录中，必填项（对象、执法人员，检查和案件另含相对人、事项）齐全者所占比例；登录、退出不计，被退回的行见退回率。Records of acts in the period with all that an act of their type must have: the object, the officers, and for checks and cases the party and the item; logins are no records, and refused lines stand in events_rejected_ratio."
-- source = "国家“互联网+监管”检查行为、处罚行为的必填项。required fields of 互联网+监管 检查行为 and 处罚行为"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "data_quality_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_orgs.scope_id,
    period_days.period_start,
    org_days.org_id,
    org_days.event_date,
    org_days.event_type,
    org_days.events - org_days.incomplete_events as numerator,
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
