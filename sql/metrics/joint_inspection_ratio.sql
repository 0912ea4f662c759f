-- title_zh = "综合查一次率"
-- title_en = "Joint inspection ratio"
-- group = "inspection"
-- indicator = 14
-- definition = "期间内涉企检查户次中，同一联合任务下两个以上单位参加者所占比例；从一个单位看，参加单位包括其他单位；不含日常巡查。Inspection visits of firms in which two or more units took part under one joint task, of all visits of firms; seen from one unit the other units still count. Patrols are not included."
-- source = "2024年工作报告（综合查一次）、国办发〔2024〕54号；公式由本系统定义。2024 report (综合查一次), 国办发〔2024〕54号; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "up"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = false
-- rows = true
-- [prometheus]
-- name = "joint_inspection_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    joint_task_id,
    org_id,
    party_id,
    orgs,
    finished_date,
    orgs >= 2 as numerator
from visits
where party_kind = 'firm'
