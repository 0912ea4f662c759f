-- title_zh = "案件步骤顺序合法"
-- title_en = "Steps of a case come in their order"
-- definition = "立案先于告知、决定、撤案，告知先于听证申请，听证先于决定，决定先于送达，送达与决定先于结案，立案先于结案；简易程序当场决定，不要求先立案。同日按时刻比较，后一步骤只有日期（零时）者不计。Filing comes before notice, decision and withdrawal, notice before the request for a hearing, the hearing before the decision, the decision before service, service and decision before closing, filing before closing; a decision on the spot needs no filing before it. On one day instants are compared, except where the later step has no time of day (midnight)."
-- source = "《行政处罚法》第四十四条、第五十一条、第五十四条、第五十七条、第六十条、第六十一条、第六十三条；国家“互联网+监管”处罚行为：结案日期晚于立案时间。行政处罚法 art. 44, 51, 54, 57, 60, 61, 63; 国家“互联网+监管”处罚行为 rule 结案日期 later than 立案时间"
-- severity = "finding"
-- remedy = "核对两步骤的时间：录入有误的以更高 revision 更正；确属程序倒置的，由法制机构处理。Compare both times: correct a wrong entry with a higher revision; steps really taken in this order are a matter for the legal review of the unit."
with pairs as (
    select
        case_id,
        org_id,
        'filed' as earlier_step,
        filed_date as earlier_date,
        filed_at as earlier_at,
        'notified' as later_step,
        notified_date as later_date,
        notified_at as later_at
    from cases
    union all
    select case_id, org_id, 'filed', filed_date, filed_at, 'decided', decided_date, decided_at
    from cases
    where procedure is distinct from 'simple'
    union all
    select case_id, org_id, 'filed', filed_date, filed_at, 'withdrawn', withdrawn_date, withdrawn_at
    from cases
    union all
    select case_id, org_id, 'notified', notified_date, null, 'hearing_requested', hearing_requested_date, null
    from cases
    union all
    select case_id, org_id, 'hearing_held', hearing_held_date, null, 'decided', decided_date, null
    from cases
    union all
    select case_id, org_id, 'decided', decided_date, decided_at, 'served', served_date, served_at
    from cases
    union all
    select case_id, org_id, 'served', served_date, served_at, 'closed', closed_date, closed_at
    from cases
    union all
    select case_id, org_id, 'decided', decided_date, decided_at, 'closed', closed_date, closed_at
    from cases
    union all
    select case_id, org_id, 'filed', filed_date, filed_at, 'closed', closed_date, closed_at
    from cases
)

select
    org_id,
    case_id as object_id,
    earlier_step,
    later_step,
    earlier_date,
    later_date,
    earlier_at,
    later_at
from pairs
where
    earlier_date > later_date
    or (
        earlier_date = later_date
        and earlier_at > later_at
        and local_date(later_at - interval '1 microsecond') = later_date
    )
