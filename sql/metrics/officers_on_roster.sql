-- title_zh = "在册执法人员数"
-- title_en = "Officers on the roster"
-- definition = "期末持有效执法证、账号已开通、在编制岗位上的执法人员数；注销执法证者自注销之日起不再计入。Officers with a posting, a valid certificate and a bound account on the last day of the period."
-- source = "defined here; certificates: 2024 report (44 cancelled)"
-- unit = "officers"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- uses = ["roster"]
-- [prometheus]
-- name = "officers_on_roster"
-- type = "gauge"
-- window = "now"
select
    scope_id,
    period_start,
    set_count(officers) as value
from roster
