-- title_zh = "事件不晚于接收与落库"
-- title_en = "Events do not happen after they are received"
-- definition = "事件发生时间不晚于平台接收时间与落库时间；时钟超前 24 小时以上的行在落库时已被拒收。No event happened after the platform received it or after it landed; a clock that is more than 24 hours ahead is refused at landing."
-- source = "本系统依据国家“互联网+监管”检查行为（报送时间晚于检查时间）定义。defined here, on 国家“互联网+监管”检查行为 rule 报送时间 later than 检查时间"
-- severity = "error"
-- remedy = "校正报送端时钟或映射中的时区与时间格式，以更高 revision 重新报送。Set the sender's clock, or the zone and time format of the mapping, and send the lines again with a higher revision."
select
    org_id,
    event_id as object_id,
    event_type,
    occurred_at,
    received_at,
    landed_at
from events
where occurred_at > received_at or occurred_at > landed_at
