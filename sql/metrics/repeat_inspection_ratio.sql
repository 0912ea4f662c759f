-- title_zh = "重复检查率"
-- title_en = "Repeat inspection ratio"
-- group = "inspection"
-- indicator = 36
-- definition = "期间内被检查（入户）的企业中，受到重复检查者所占比例：某次检查使该企业在规则的时间窗内（自然日、周、月、年，或往前若干天（至多 92 天），可早于期间；所有单位的检查都计）的户次超过规则上限，且窗内检查的单位数达到规则要求。从一个单位看，只看本单位参加的检查是否超限。规则见 repeat_rules；联合检查计一次，未能入户的和日常巡查不计。Firms inspected in the period of which a visit, by a unit of the scope, was repeated: with it the visits by all units in the window of a rule of repeat_rules (calendar day, week, month or year, or so many days back, at most 92; also before the period) exceed its limit and come from at least as many units as it says. A joint visit counts once; visits without entry and patrols are left out."
-- source = "各规则及其出处见 sql/reference/repeat_rules.csv；公式由本系统定义。rules with their sources: sql/reference/repeat_rules.csv; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- one_period = true
-- [parameters.rule]
-- values = ["any", "chengdu_day", "chengdu_week", "chengdu_month", "quzhou_30_days", "xianning_year"]
-- default = "any"
-- [prometheus]
-- name = "repeat_inspection_ratio"
-- type = "gauge"
-- window = "28d"
with visited as (
    select distinct
        scope_id,
        period_start,
        party_id,
        coalesce(joint_task_id, inspection_id) as visit_id
    from finished_inspections
    where
        party_kind = 'firm'
        and party_id is not null
        and (kind is distinct from 'patrol')
        and (result is distinct from 'no_entry')
),

visited_firms as (
    select distinct party_id
    from inspections
    where
        finished_date >= $from
        and finished_date < $to
        and party_kind = 'firm'
        and (kind is distinct from 'patrol')
        and (result is distinct from 'no_entry')
),

rules as (
    -- Windows of visits asked for reach back to their first day.
    select distinct
        repeat_rules.rule_id,
        repeat_rules.window_kind,
        repeat_rules.window_days,
        repeat_rules.max_visits,
        repeat_rules.min_orgs,
        case repeat_rules.window_kind
            when 'day' then cast($from as date)
            when 'week' then cast(date_trunc('week', cast($from as date)) as date)
            when 'month' then cast(date_trunc('month', cast($from as date)) as date)
            when 'year' then cast(date_trunc('year', cast($from as date)) as date)
            else cast($from as date) - cast(repeat_rules.window_days - 1 as int)
        end as first_day
    from repeat_rules
    cross join choices
    where $rule = 'any' or repeat_rules.rule_id = $rule
),

checks as (
    select
        inspections.inspection_id,
        inspections.joint_task_id,
        inspections.org_id,
        inspections.party_id,
        inspections.finished_date,
        inspections.finished_at
    from inspections
    inner join visited_firms on inspections.party_id = visited_firms.party_id
    where
        inspections.finished_date >= (select min(first_day) from rules)
        and inspections.finished_date < $to
        and inspections.party_kind = 'firm'
        and (inspections.kind is distinct from 'patrol')
        and (inspections.result is distinct from 'no_entry')
),

firm_visits as (
    select
        inspection_id as visit_id,
        party_id,
        finished_date,
        finished_at
    from checks
    where joint_task_id is null
    union all
    select
        joint_task_id as visit_id,
        party_id,
        max(finished_date) as finished_date,
        max(finished_at) as finished_at
    from checks
    where joint_task_id is not null
    group by joint_task_id, party_id
),

numbered as (
    select
        visit_id,
        party_id,
        finished_date,
        finished_at,
        row_number() over (
            partition by party_id
            order by finished_at, visit_id
        ) as visit_no
    from firm_visits
),

windows as (
    select
        numbered.visit_id,
        numbered.party_id,
        numbered.finished_at,
        numbered.visit_no,
        rules.rule_id,
        rules.max_visits,
        rules.min_orgs,
        case rules.window_kind
            when 'day' then numbered.finished_date
            when 'week' then cast(date_trunc('week', numbered.finished_date) as date)
            when 'month' then cast(date_trunc('month', numbered.finished_date) as date)
            when 'year' then cast(date_trunc('year', numbered.finished_date) as date)
            else numbered.finished_date - cast(rules.window_days - 1 as int)
        end as window_start
    from rules
    cross join numbered
    where numbered.finished_date >= $from
),

exceeding as (
    -- A visit is one too many when the one so many visits before it lies in its window.
    select
        windows.visit_id,
        windows.party_id,
        windows.finished_at,
        windows.rule_id,
        windows.min_orgs,
        windows.window_start
    from windows
    inner join numbered
        on
            windows.party_id = numbered.party_id
            and windows.visit_no - windows.max_visits = numbered.visit_no
            and windows.window_start <= numbered.finished_date
),

org_days as (
    -- Whether a unit was there by some instant of a day, its first visit of the day tells: a firm that stands for many, as one
    -- without a known id, is visited thousands of times a day.
    select
        party_id,
        org_id,
        finished_date,
        min(finished_at) as finished_at
    from checks
    group by party_id, org_id, finished_date
),

breaches as (
    -- Units are counted only for rules that ask for several.
    select
        exceeding.visit_id,
        exceeding.party_id,
        exceeding.rule_id
    from exceeding
    left join org_days
        on
            exceeding.party_id = org_days.party_id
            and exceeding.min_orgs > 1
            and exceeding.window_start <= org_days.finished_date
            and exceeding.finished_at >= org_days.finished_at
    group by
        exceeding.visit_id,
        exceeding.party_id,
        exceeding.rule_id,
        exceeding.min_orgs
    having exceeding.min_orgs <= 1 or count(distinct org_days.org_id) >= exceeding.min_orgs
),

firms as (
    select
        scope_id,
        period_start,
        party_id,
        count(*) as visits
    from visited
    group by scope_id, period_start, party_id
),

repeated as (
    select distinct
        visited.scope_id,
        visited.period_start,
        visited.party_id,
        breaches.rule_id
    from breaches
    inner join visited
        on
            breaches.party_id = visited.party_id
            and breaches.visit_id = visited.visit_id
),

broken as (
    select
        scope_id,
        period_start,
        party_id,
        string_agg(rule_id, ' ') as rules
    from repeated
    group by scope_id, period_start, party_id
),

judged as (
    select
        firms.scope_id,
        firms.period_start,
        firms.party_id,
        firms.visits,
        broken.rules
    from firms
    left join broken
        on
            firms.scope_id = broken.scope_id
            and firms.period_start = broken.period_start
            and firms.party_id = broken.party_id
)

select
    choices.choice,
    judged.scope_id,
    judged.period_start,
    judged.party_id,
    judged.rules,
    judged.visits,
    judged.rules is not null
    and ($rule = 'any' or strpos(concat(' ', judged.rules, ' '), concat(' ', $rule, ' ')) > 0)
        as numerator
from choices
cross join judged
