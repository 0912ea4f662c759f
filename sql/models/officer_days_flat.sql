-- title_zh = "执法人员日活跃明细"
-- title_en = "Officers active per local day, unit and level, one row each: officer_days without sets, for other engines"
-- kind = "rollup"
-- grain = ["event_date", "org_id", "level", "officer_id"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
-- of = "officer_days"
with members as (
    select
        event_date,
        org_id,
        level,
        unnest(set_numbers(officers)) as officer_no,
        event_month
    from officer_days
)

select
    members.event_date,
    members.org_id,
    members.level,
    officer_numbers.officer_id,
    members.event_month
from members
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
