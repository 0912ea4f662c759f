-- title_zh = "贯通应用数"
-- title_en = "Applications linked"
-- group = "data"
-- definition = "期末已接通的业务应用数。全区计全部应用，其他范围按提供单位。Applications linked at the end of the period. The district has all of them, another scope those that its units provide."
-- source = "2024年工作报告（2个：执法+监督、三级城市治理中心）。2024 report (2: 执法+监督, 三级城市治理中心)"
-- unit = "applications"
-- kind = "count"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "applications_linked"
-- type = "gauge"
-- window = "now"
select
    scope_id,
    period_start,
    feed_id,
    name,
    org_id,
    linked_on
from scope_feeds
where kind = 'application'
