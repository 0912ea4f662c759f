-- title_zh = "音像记录率"
-- title_en = "Audio-visual record ratio"
-- group = "compliance"
-- indicator = 33
-- definition = "期间内完成的、属于应当全程音像记录场景的检查中，有音像记录者所占比例；未能入户的也计。Finished inspections of scenes that must be recorded on video: those with a recording longer than 0 seconds. Visits without entry are included."
-- source = "《行政处罚法》第四十七条；国办发〔2018〕118号；公式由本系统定义。行政处罚法 art. 47; 国办发〔2018〕118号; formula defined here"
-- unit = "ratio"
-- kind = "ratio"
-- direction = "compliance"
-- grains = ["day", "week", "month", "quarter", "year", "all"]
-- rankable = true
-- adds_up = true
-- rows = true
-- additive = true
-- [prometheus]
-- name = "av_record_ratio"
-- type = "gauge"
-- window = "28d"
select
    scope_id,
    period_start,
    inspection_id,
    org_id,
    party_id,
    av_seconds,
    finished_date,
    coalesce(av_seconds > 0, false) as numerator
from finished_inspections
where av_required and (kind is distinct from 'patrol')
