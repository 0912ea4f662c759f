-- title_zh = "临近法定期限的案件数"
-- title_en = "Cases close to a limit"
-- group = "case"
-- definition = "期末（期末在今天之后的，今天）临近期限而未超期的案件数。decision_60、decision_75、decision_85：普通程序案件距作出决定的期限不足 30、15、5 日（即 90 日期限的第 60、75、85 日；延期和不计入的时间已顺延）；service_5、publication_5：送达、公示期限（7 个工作日）的第 5 个工作日起。Cases close to a limit and not past it at the end of the period (or today if that is earlier). decision_60, _75, _85: no more than 30, 15 or 5 days are left to decide, which is day 60, 75 or 85 of 90, later where a case was extended or stages are excluded. service_5, publication_5: from the fifth of the 7 working days to serve or publish."
-- source = "本系统定义（预警提前天数），依据《行政处罚法》第六十条、第六十一条和国办发〔2018〕118号。defined here (lead times of alerts), on 行政处罚法 art. 60, 61 and 国办发〔2018〕118号"
-- unit = "cases"
-- kind = "count"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- additive = true
-- [parameters.mark]
-- values = ["decision_60", "decision_75", "decision_85", "service_5", "publication_5"]
-- default = "decision_60"
-- [prometheus]
-- name = "cases_near_limit"
-- type = "gauge"
-- window = "now"
with running as (
    select
        choices.choice,
        running_clocks.*,
        case $mark
            when 'decision_60' then last_day + 30
            when 'decision_75' then last_day + 15
            when 'decision_85' then last_day + 5
            else due_working_days(last_day, 2)
        end as horizon
    from choices
    cross join running_clocks
    where
        running_clocks.clock = case $mark
            when 'service_5' then 'case_service'
            when 'publication_5' then 'case_publication'
            else 'case_decision'
        end
)

select
    choice,
    scope_id,
    period_start,
    clock,
    object_id as case_id,
    org_id,
    party_id,
    start_date,
    due_date,
    horizon
from running
where due_date between last_day and horizon
