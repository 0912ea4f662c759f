-- title_zh = "复议诉讼纠错率"
-- title_en = "Decisions corrected by reconsideration or court"
-- group = "compliance"
-- indicator = 53
-- definition = "期间内审结的行政复议和行政诉讼中，处罚决定被变更、撤销或者确认违法者所占比例；撤回申请、撤诉的也在分母内。Of the reconsiderations and lawsuits decided in the period, those in which the decision was changed, annulled or declared unlawful; withdrawn ones are in the denominator."
-- source = "国家“互联网+监管”处罚行为的行政复议、行政诉讼字段；公式由本系统定义。fields 行政复议 and 行政诉讼 of 互联网+监管 处罚行为; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "down"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- adds_up = true
-- rows = true
-- [prometheus]
-- name = "remedy_loss_ratio"
-- type = "gauge"
-- window = "year"
select
    scope_orgs.scope_id,
    period_days.period_start,
    remedies.remedy_id,
    remedies.case_id,
    remedies.org_id,
    remedies.kind,
    remedies.outcome,
    remedies.decided_date,
    coalesce(remedies.outcome in ('changed', 'annulled', 'unlawful'), false) as numerator
from remedies
inner join period_days on remedies.decided_date = period_days.day
inner join scope_orgs
    on
        remedies.org_id = scope_orgs.org_id
        and period_days.day >= scope_orgs.valid_from
        and period_days.day < scope_orgs.valid_to
