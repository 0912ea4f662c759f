// The three charts that a scope is looked at with: use, inspections, cases.

import { rowsByValue } from "./api.js";
import { lastAndLowest, monthlyChart } from "./chart.js";
import { addWords, count, metricOf, monthName, percent, share, t } from "./language.js";

addWords({
  zh: {
    levels: { L1: "L1 登录", L2: "L2 业务", L3: "L3 深度" },
    charts: { activity: "执法人员活跃度", inspections: "检查量与发现问题率", cases: "立案、办结与在办" },
    lowLine: (level) => `虚线为 ${level} 关注线`,
    visits: "检查（户次）",
    detection: "发现问题率",
    filedClosed: "立案与办结（件）",
    openAtEnd: "月末在办（件）",
    filed: "立案",
    closed: "办结",
    open: "在办",
    peersMedian: "同类中位数",
    activitySummary: ({ month, row, low, lowMonth }) =>
      `${month} L2 活跃度 ${percent(row.value)}（${share(row)} 人），图中最低 ${percent(low.value)}（${lowMonth}）`,
    inspectionsSummary: (a, b, i0, i1, d0, d1) => `${a} → ${b}：检查 ${i0} → ${i1} 户次，发现问题率 ${d0} → ${d1}`,
    casesSummary: (m, f, c, o) => `${m}：立案 ${f} 件，办结 ${c} 件，月末在办 ${o} 件`,
  },
  en: {
    levels: { L1: "L1 login", L2: "L2 substantive", L3: "L3 sustained" },
    charts: {
      activity: "Officer activity",
      inspections: "Inspections and detection",
      cases: "Cases filed, closed and open",
    },
    lowLine: (level) => `dashed: the line of ${level}`,
    visits: "Inspections",
    detection: "Detection ratio",
    filedClosed: "Filed and closed",
    openAtEnd: "Open at the end",
    filed: "Filed",
    closed: "Closed",
    open: "Open",
    peersMedian: "median of peers",
    activitySummary: ({ month, row, low, lowMonth }) =>
      `${month}: L2 activity ${percent(row.value)} (${share(row)} officers); lowest shown ${percent(low.value)} (${lowMonth})`,
    inspectionsSummary: (a, b, i0, i1, d0, d1) => `${a} → ${b}: inspections ${i0} → ${i1}, detection ${d0} → ${d1}`,
    casesSummary: (m, f, c, o) => `${m}: ${f} filed, ${c} closed, ${o} open at the end`,
  },
});

const LEVELS = ["L1", "L2", "L3"];

// Below it a metric deserves attention, as its file says.
export const lineOf = (id) => metricOf(id)?.thresholds?.warn ?? undefined;

// By level; for a unit, its substantive use beside the median of its peers.
export function activityChart(beside = false) {
  const line = lineOf("officer_activity_ratio"),
    metric = "officer_activity_ratio";
  const level = (level, at) => ({
    metric,
    more: { level },
    name: t().levels[level],
    short: level,
    colour: [3, 1, 2][at],
    mark: ["dot", "line", "dash"][at],
  });
  const peers = {
    metric,
    more: { level: "L2", peers: "true" },
    name: t().peersMedian,
    short: t().peersMedian,
    colour: 2,
    mark: "dash",
    of: (row) => ({ value: row.peers?.median }),
  };
  return monthlyChart("activity", {
    heading: t().charts.activity,
    line,
    note: line ? t().lowLine(percent(line)) : null,
    series: beside ? [level("L1", 0), level("L2", 1), peers] : LEVELS.map(level),
    rows: beside ? null : (window) => rowsByValue(metric, window, "month", "level", LEVELS),
    summary: ([, substantive], months) => lastAndLowest(t().activitySummary)([substantive], months),
  });
}

export function inspectionsChart() {
  return monthlyChart("inspections", {
    heading: t().charts.inspections,
    panels: [t().visits, t().detection],
    series: [
      { metric: "inspections", name: t().visits, colour: 1, mark: "bar", panel: 1 },
      { metric: "inspection_detection_ratio", name: t().detection, colour: 2, mark: "line", panel: 2 },
    ],
    summary: ([volume, ratio], months) =>
      t().inspectionsSummary(
        monthName(months[0]),
        monthName(months.at(-1)),
        count(volume.rows[0]?.value),
        count(volume.rows.at(-1)?.value),
        percent(ratio.rows[0]?.value),
        percent(ratio.rows.at(-1)?.value),
      ),
  });
}

export function casesChart() {
  return monthlyChart("cases", {
    heading: t().charts.cases,
    panels: [t().filedClosed, t().openAtEnd],
    series: [
      { metric: "cases_filed", name: t().filed, colour: 1, mark: "bar", panel: 1 },
      { metric: "cases_closed", name: t().closed, colour: 2, mark: "bar", panel: 1 },
      { metric: "cases_open", name: t().open, colour: 3, mark: "line", panel: 2 },
    ],
    summary: (series, months) =>
      t().casesSummary(monthName(months.at(-1)), ...series.map((each) => count(each.rows.at(-1)?.value))),
  });
}
