-- title_zh = "全域执法人员日活跃集合"
-- title_en = "Officers active per local day and level over the whole tree, as exact sets: officer_days without units"
-- kind = "rollup"
-- grain = ["event_date", "level"]
-- partition = "event_month"
-- refresh_by = { model = "event_date", events = "event_date" }
-- of = "officer_days"
-- # Numbers about everybody need not unite the sets of thousands of units.
select
    event_date,
    level,
    set_union(officers) as officers,
    event_month
from officer_days
group by event_month, event_date, level
