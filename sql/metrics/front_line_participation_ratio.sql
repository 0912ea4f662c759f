-- title_zh = "A岗人员参与率"
-- title_en = "Front-line participation ratio"
-- group = "usage"
-- indicator = 4
-- definition = "期末在册的 A 岗（一线）执法人员中，期间内至少参与一次检查（含巡查）或办案者所占比例；监督、培训等不计。Front-line officers (post class A) of the roster at the end of the period who took part in at least one check, patrol or case in it; supervision and training do not count."
-- source = "名称取自北京市东城区2019年指标；公式由本系统定义；第二名执法人员计入依据《行政处罚法》第四十二条。name: Beijing Dongcheng 2019; formula defined here; second officer counts: 行政处罚法 art. 42"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- suppress_below = 5
-- [prometheus]
-- name = "front_line_participation_ratio"
-- type = "gauge"
-- window = "28d"
with front_line as (
    select
        scope_ends.scope_id,
        scope_ends.period_start,
        set_of(officer_numbers.officer_no) as officers
    from scope_ends
    inner join officers
        on
            scope_ends.org_id = officers.org_id
            and (officers.valid_from is null or officers.valid_from <= scope_ends.last_day)
            and (officers.valid_to is null or officers.valid_to > scope_ends.last_day)
    inner join officer_numbers on officers.officer_id = officer_numbers.officer_id
    where officers.post_class = 'A'
    group by scope_ends.scope_id, scope_ends.period_start
),

participants as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        set_union(officer_days.officers) as officers
    from officer_days
    inner join period_days
        on
            officer_days.event_date = period_days.day
            and officer_days.event_date >= $from
            and officer_days.event_date < $to
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where officer_days.level = 'FW'
    group by scope_orgs.scope_id, period_days.period_start
),

members as (
    select
        roster.scope_id,
        roster.period_start,
        set_intersect(roster.officers, front_line.officers) as officers
    from roster
    inner join front_line
        on
            roster.scope_id = front_line.scope_id
            and roster.period_start = front_line.period_start
)

select
    members.scope_id,
    members.period_start,
    set_count(set_intersect(participants.officers, members.officers)) as numerator,
    set_count(members.officers) as denominator
from members
left join participants
    on
        members.scope_id = participants.scope_id
        and members.period_start = participants.period_start
-- rows
with front_line as (
    select distinct
        scope_ends.scope_id,
        scope_ends.period_start,
        officer_numbers.officer_id,
        officer_numbers.officer_no
    from scope_ends
    inner join officers
        on
            scope_ends.org_id = officers.org_id
            and (officers.valid_from is null or officers.valid_from <= scope_ends.last_day)
            and (officers.valid_to is null or officers.valid_to > scope_ends.last_day)
    inner join officer_numbers on officers.officer_id = officer_numbers.officer_id
    where officers.post_class = 'A'
),

members as (
    select
        scope_id,
        period_start,
        unnest(set_numbers(officers)) as officer_no
    from roster
),

participations as (
    select
        scope_orgs.scope_id,
        period_days.period_start,
        period_days.day,
        unnest(set_numbers(officer_days.officers)) as officer_no
    from officer_days
    inner join period_days
        on
            officer_days.event_date = period_days.day
            and officer_days.event_date >= $from
            and officer_days.event_date < $to
    inner join scope_orgs
        on
            officer_days.org_id = scope_orgs.org_id
            and period_days.day >= scope_orgs.valid_from
            and period_days.day < scope_orgs.valid_to
    where officer_days.level = 'FW'
),

participants as (
    select
        scope_id,
        period_start,
        officer_no,
        max(day) as last_took_part_on
    from participations
    group by scope_id, period_start, officer_no
)

select
    front_line.scope_id,
    front_line.period_start,
    front_line.officer_id,
    participants.last_took_part_on
from front_line
inner join members
    on
        front_line.scope_id = members.scope_id
        and front_line.period_start = members.period_start
        and front_line.officer_no = members.officer_no
left join participants
    on
        front_line.scope_id = participants.scope_id
        and front_line.period_start = participants.period_start
        and front_line.officer_no = participants.officer_no
