//! The figures that the published report of 2024 states, to be compared with what the events say.

use Stated::{AtLeast, Count, Ratio, Value};

use crate::simulate::write::{CsvFile, REPORTED};
use crate::simulate::{Error, Options};

/// The report's identifier.
const REPORT: &str = "yubei-2024";

/// What a figure is.
enum Stated {
    /// A number.
    Count(u32),
    /// "More than": from the first number to just below the second.
    AtLeast(u32, u32),
    /// A ratio of two numbers, with its value and the decimals that the report gives.
    Ratio(u32, u32, &'static str, u8),
    /// A ratio whose numbers the report does not give.
    Value(&'static str, u8),
}

/// Figure, wording, metric, parameters, scope, what it is, reading, note on the window.
type Figure = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Stated,
    &'static str,
    &'static str,
);

/// What the report says about the window of the towns' numbers.
const SINCE_REFORM: &str = "报告为镇街改革启动以来累计数，并非2024自然年；此处按2024年核对";

/// The window of most figures is that of the report: a note would excuse a difference.
const AS_REPORTED: &str = "";

const FIGURES: [Figure; 25] = [
    ("patrols", "镇街录入日常巡查3253次", "patrols", "", "towns", Count(3_253), "", SINCE_REFORM),
    (
        "cases-closed",
        "镇街办结处罚案件1915件",
        "cases_closed",
        "",
        "towns",
        Count(1_915),
        "",
        SINCE_REFORM,
    ),
    (
        "joint",
        "开展“综合查一次”20余次",
        "joint_inspections",
        "",
        "district",
        AtLeast(20, 30),
        "",
        AS_REPORTED,
    ),
    (
        "activity",
        "执法人员活跃度89%",
        "officer_activity_ratio",
        "level=L2",
        "district",
        Value("0.89", 2),
        "全区",
        AS_REPORTED,
    ),
    (
        "activity",
        "执法人员活跃度89%",
        "officer_activity_ratio",
        "level=L2",
        "towns",
        Value("0.89", 2),
        "镇街",
        AS_REPORTED,
    ),
    (
        "onboarded",
        "22个镇街和36个部门全量入驻",
        "orgs_onboarded_ratio",
        "",
        "district",
        Ratio(58, 58, "1", 2),
        "",
        AS_REPORTED,
    ),
    (
        "item-transfer",
        "1026项事项由7支队伍综合行使，占71.345%",
        "item_transfer_ratio",
        "",
        "district",
        Ratio(1_026, 1_438, "0.71345", 5),
        "H1",
        "按字面：1026项为综合行使的事项，总数须为1438；所得71.349%与报告不符",
    ),
    (
        "item-transfer",
        "1026项事项由7支队伍综合行使，占71.345%",
        "item_transfer_ratio",
        "",
        "district",
        Ratio(732, 1_026, "0.71345", 5),
        "H2",
        "按算术：1026项为事项总数，综合行使732项，恰为71.345%；待数据提供方确认",
    ),
    (
        "items-zhen",
        "镇综合执法事项108项",
        "items_listed",
        "list=zhen",
        "district",
        Count(108),
        "",
        AS_REPORTED,
    ),
    (
        "items-jiedao",
        "街道综合执法事项90项",
        "items_listed",
        "list=jiedao",
        "district",
        Count(90),
        "",
        AS_REPORTED,
    ),
    (
        "items-all",
        "综合行政执法事项1026项",
        "items_listed",
        "list=all",
        "district",
        Count(1_026),
        "",
        "2024年末时点数；1026项是总数还是综合行使数，见item-transfer",
    ),
    (
        "teams",
        "执法支队由12支减至5支，精简58.33%",
        "team_reduction_ratio",
        "",
        "district",
        Ratio(7, 12, "0.5833", 4),
        "",
        "改革前后对比，改革自2023-10-25起",
    ),
    ("orgs-towns", "22个镇街", "orgs_listed", "kind=town", "district", Count(22), "", AS_REPORTED),
    (
        "orgs-departments",
        "36个部门",
        "orgs_listed",
        "kind=department",
        "district",
        Count(36),
        "",
        AS_REPORTED,
    ),
    (
        "orgs-teams",
        "保留5支区级执法支队",
        "orgs_listed",
        "kind=team_district",
        "district",
        Count(5),
        "",
        "不含市级规定设置的市场监管、交通运输两支队伍",
    ),
    ("areas", "划分4个片区", "areas_listed", "", "district", Count(4), "", AS_REPORTED),
    (
        "certificates",
        "注销执法证44件",
        "certificates_revoked",
        "",
        "district",
        Count(44),
        "",
        AS_REPORTED,
    ),
    (
        "opinions",
        "发出监督意见书11份",
        "opinions_issued",
        "",
        "district",
        Count(11),
        "",
        AS_REPORTED,
    ),
    (
        "social-reviews",
        "社会评议案件1件",
        "social_reviews",
        "",
        "district",
        Count(1),
        "",
        AS_REPORTED,
    ),
    (
        "training",
        "轮训执法人员1600余人",
        "officers_trained",
        "",
        "district",
        AtLeast(1_600, 1_700),
        "",
        AS_REPORTED,
    ),
    (
        "meetings",
        "召开特邀监督员例会3次",
        "supervisor_meetings",
        "",
        "district",
        Count(3),
        "",
        AS_REPORTED,
    ),
    (
        "applications",
        "贯通“执法+监督”与三级城市治理中心2个应用",
        "applications_linked",
        "",
        "district",
        Count(2),
        "",
        AS_REPORTED,
    ),
    (
        "scene-items",
        "夜市“一件事”梳理事项12项",
        "scene_size",
        "scene=night-market;part=items",
        "district",
        Count(12),
        "",
        AS_REPORTED,
    ),
    (
        "scene-departments",
        "夜市“一件事”涉及部门5个",
        "scene_size",
        "scene=night-market;part=departments",
        "district",
        Count(5),
        "",
        AS_REPORTED,
    ),
    (
        "scene-towns",
        "夜市“一件事”覆盖镇街22个",
        "scene_size",
        "scene=night-market;part=towns",
        "district",
        Count(22),
        "",
        AS_REPORTED,
    ),
];

/// Writes one row for each figure and reading.
pub(super) fn write(options: &Options) -> Result<CsvFile, Error> {
    let mut csv = CsvFile::create(&options.out, "reported", REPORTED)?;
    for (figure, wording, metric, parameters, scope, stated, reading, note) in FIGURES {
        let stated = match stated {
            Count(value) => format!("equal,,,{value},,0"),
            AtLeast(value, upper) => format!("at_least_below,,,{value},{upper},0"),
            Ratio(numerator, denominator, value, decimals) => {
                format!("equal,{numerator},{denominator},{value},,{decimals}")
            }
            Value(value, decimals) => format!("equal,,,{value},,{decimals}"),
        };
        csv.row(&format!(
            "{figure},{REPORT},{wording},{metric},{parameters},{scope},2024-01-01,2025-01-01,{stated},{reading},{note}"
        ))?;
    }
    Ok(csv)
}
