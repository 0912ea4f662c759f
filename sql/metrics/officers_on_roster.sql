-- title_zh = "在册执法人员数"
-- title_en = "Officers on the roster"
-- group = "usage"
-- definition = "期末持有效执法证、账号已开通、在编制岗位上的执法人员数；注销执法证者自注销之日起不再计入，经批准的休假超过期间半数天数者不计。编制规模不涉及个人行为，不作隐去。Officers with a posting, a valid certificate and a bound account on the last day of the period, without those on approved leave for more than half of its days. The size of a roster tells nothing of what a person did, and is not withheld."
-- source = "本系统定义；执法证件见2024年工作报告（注销44件）。defined here; certificates: 2024 report (44 cancelled)"
-- unit = "officers"
-- kind = "count"
-- direction = "neutral"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- [prometheus]
-- name = "officers_on_roster"
-- type = "gauge"
-- window = "now"
select
    scope_id,
    period_start,
    set_count(officers) as value
from roster
-- rows
with members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
)

select
    members.scope_id,
    members.period_start,
    officer_numbers.officer_id
from members
inner join officer_numbers on members.officer_no = officer_numbers.officer_no
