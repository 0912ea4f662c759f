-- title_zh = "超期案件率"
-- title_en = "Overdue cases"
-- group = "case"
-- indicator = 23
-- definition = "普通程序案件中，期间内办结（决定、撤案或结案）而超过法定期限的，加上期末（期末在今天之后的，今天）仍未办结而已超期的，占期间内办结与期末未办结案件之和的比例。期限按领域（case_limits）计延期和不计入的听证、检测鉴定时间；没有立案日期而已决定的计为超期。Of the ordinary cases concluded in the period (decided, withdrawn or closed) and those still running at its end (or today if that is earlier): those concluded after the limit and those running past it. Limit, extension and excluded stages are those of the domain (case_limits). A decision without a filing date counts as overdue; a limit that ends in a year without a calendar is unknown and not in it."
-- source = "《行政处罚法》第六十条；各领域期限见 case_limits。行政处罚法 art. 60; limits by domain: case_limits"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "case_overdue_ratio"
-- type = "gauge"
-- window = "28d"
with decisions as (
    select
        object_id as case_id,
        org_id,
        party_id,
        start_date as filed_date,
        due_date,
        stop_date as concluded_date,
        is_met
    from clocks
    where
        clock = 'case_decision'
        and (start_date is null or start_date < $to)
        and (stop_date is null or stop_date >= least($from, $as_of))
        and (start_date is null or due_date is not null)
)

select
    scope_orgs.scope_id,
    period_days.period_start,
    decisions.case_id,
    decisions.org_id,
    decisions.party_id,
    decisions.filed_date,
    decisions.due_date,
    decisions.concluded_date,
    not decisions.is_met as numerator
from decisions
inner join period_days on decisions.concluded_date = period_days.day
inner join scope_orgs
    on
        decisions.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
union all
select
    scope_id,
    period_start,
    object_id as case_id,
    org_id,
    party_id,
    start_date as filed_date,
    due_date,
    cast(null as date) as concluded_date,
    due_date < last_day as numerator
from running_clocks
where clock = 'case_decision' and due_date is not null
