// The language of the page: shared words, and how numbers, days and names are written in it.

import { addDays, addMonths, asDate } from "./days.js";
import { page } from "./state.js";

const TIME_ZONE = "Asia/Shanghai";

// Words that more than one page uses; each page brings its own besides.
const WORDS = {
  zh: {
    locale: "zh-CN",
    other: "English",
    product: "执法脉动",
    tagline: "行政执法监督数据",
    skip: "跳到主要内容",
    pages: "页面",
    nav: {
      overview: "总览",
      units: "单位",
      unit: "单位画像",
      clocks: "临期案件",
      goals: "年度目标",
      report: "年度报告",
      explore: "指标",
      sql: "SQL",
      rejects: "拒收记录",
    },
    filters: "范围与周期",
    scope: "范围",
    period: "周期",
    year: "年度",
    quarter: "季度",
    months: "月份",
    custom: "自定义",
    fromMonth: "起始月",
    toMonth: "截止月",
    fromDay: "起始日",
    lastDay: "截止日（含）",
    to: "至",
    badOrder: "截止须不早于起始，请重新选择。",
    badPeriod: "网址中的周期无法识别，已改为默认周期。",
    definitions: "指标口径",
    definedIn: "指标的定义、口径和来源：",
    monitoredIn: "监控（Prometheus）：",
    explainedIn: "接口文档和数据字典：",
    fairness: "检查量、罚款类指标只看趋势，不排名、不作考核。",
    source: "来源：",
    definition: "口径",
    loading: "加载中…",
    retry: "重试",
    table: "数据表",
    month: "月份",
    unit: "单位",
    metric: "指标",
    value: "数值",
    share: "分子 / 分母",
    groups: {
      whole: "全部",
      district: "区县",
      municipality: "市",
      province: "省",
      country: "国家",
      parts: "本区县",
      kind: "单位类型",
      area: "片区",
      town: "镇街",
      department: "部门",
      team: "支队",
      org: "单位",
    },
    scopes: {
      district: "全区",
      municipality: "全市",
      province: "全省",
      country: "全国",
      towns: "镇街",
      departments: "部门",
      teams: "支队",
    },
    metricGroups: {
      usage: "应用使用",
      inspection: "行政检查",
      case: "行政处罚与许可",
      compliance: "法定程序",
      supervision: "监督闭环",
      reform: "改革事项",
      data: "数据质量",
    },
    units: {
      visits: "户次",
      patrols: "次",
      inspections: "次",
      cases: "件",
      officers: "人",
      units: "个",
      items: "项",
      clocks: "项",
      opinions: "份",
      complaints: "件",
      dossiers: "件",
      meetings: "次",
      licences: "件",
      certificates: "个",
      scenes: "个",
      incidents: "件",
      pairs: "组",
      runs: "次",
      applications: "个",
      areas: "个",
      events: "条",
      days: "天",
      CNY: "元",
      count: "",
      points: "个百分点",
      "visits per firm": "次/户",
      "inspections per officer": "次/人",
      "records per officer": "条/人",
      "cases per officer": "件/人",
    },
    directions: {
      up: "越高越好",
      down: "越低越好",
      neutral: "只看趋势",
      guardrail: "护栏，不作考核",
      compliance: "合规要求",
    },
    grains: { day: "按日", week: "按周", month: "按月", quarter: "按季", year: "按年", all: "整个周期" },
    prior: "上期",
    suppressed: (n) => `不足 ${n} 人，不显示`,
    withheld: "不显示",
    noData: "无数据",
    nothing: "此范围和周期内没有记录",
    noDataWhy: (range, covered) =>
      `此范围在 ${range} 没有可统计的记录。${covered ? `数据覆盖 ${covered}，` : ""}请换一个周期或范围。`,
    emptyLake: "数据湖中还没有事件。请先落库日志：",
    emptyLakeDemo: "；或先看模拟数据：",
    unreachable: "连不上服务。请确认 lawpulse 正在运行、网络可达，然后重试。",
    forbidden: "没有查看权限。请向平台管理员申请。",
    refused: (d) => `请求无法满足：${d}。请换一个范围或周期。`,
    failed: (d) => `服务出错：${d}。请稍后重试；反复出现时请告知平台管理员。`,
    oneFailed: (name, why) => `${name}：${why}`,
    shown: (what) => `已显示${what}。`,
    jsonOf: (name) => `${name}的 JSON 数据`,
    stamp: (time) => `截至 ${time}`,
    noPlotly: "图表组件没有加载，先看数据表。刷新页面可再试。",
    context: "近 12 个月，阴影为所选周期",
    byMonth: "按月",
    partial: (d) => `最后一月截至 ${d}`,
    downloadOf: (name) => `下载${name}的 CSV`,
    showAll: (n) => `显示全部 ${n} 行`,
    showFewer: "收起",
    more: "查看",
    all: "全部",
    none: "—",
    and: "；",
    caseRows: "明细只向分析员和审计员显示。",
  },
  en: {
    locale: "en-GB",
    other: "中文",
    product: "Lawpulse",
    tagline: "Supervision of administrative enforcement",
    skip: "Skip to the content",
    pages: "Pages",
    nav: {
      overview: "Overview",
      units: "Units",
      unit: "One unit",
      clocks: "Limits",
      goals: "Goals",
      report: "Report",
      explore: "Metrics",
      sql: "SQL",
      rejects: "Rejects",
    },
    filters: "Scope and period",
    scope: "Scope",
    period: "Period",
    year: "Year",
    quarter: "Quarter",
    months: "Months",
    custom: "Custom",
    fromMonth: "From",
    toMonth: "To",
    fromDay: "From",
    lastDay: "To (inclusive)",
    to: "to",
    badOrder: "The end must not be before the start: choose again.",
    badPeriod: "The period in the address was not understood; the default is shown.",
    definitions: "Definitions",
    definedIn: "Definitions and sources of all metrics: ",
    monitoredIn: "Monitoring (Prometheus): ",
    explainedIn: "The interface and the data dictionary: ",
    fairness: "Volumes of inspections and fines are shown as trends only: never ranked, never a target.",
    source: "Source: ",
    definition: "Definition",
    loading: "Loading …",
    retry: "Try again",
    table: "Data table",
    month: "Month",
    unit: "Unit",
    metric: "Metric",
    value: "Value",
    share: "Numerator / denominator",
    groups: {
      whole: "Everything",
      district: "Districts",
      municipality: "Municipalities",
      province: "Provinces",
      country: "Country",
      parts: "Of this district",
      kind: "Kinds of unit",
      area: "Areas",
      town: "Towns",
      department: "Departments",
      team: "Teams",
      org: "Units",
    },
    scopes: {
      district: "District",
      municipality: "Municipality",
      province: "Province",
      country: "Country",
      towns: "Towns and sub-districts",
      departments: "Departments",
      teams: "Teams",
    },
    metricGroups: {
      usage: "Use of the platform",
      inspection: "Inspections",
      case: "Cases and licences",
      compliance: "Lawful procedure",
      supervision: "Supervision",
      reform: "Reform",
      data: "Data",
    },
    units: {
      CNY: "CNY",
      days: "days",
      points: "points",
      "visits per firm": "per firm",
      "inspections per officer": "per officer",
      "records per officer": "per officer",
      "cases per officer": "per officer",
    },
    directions: {
      up: "higher is better",
      down: "lower is better",
      neutral: "a trend only",
      guardrail: "a guardrail, never a score",
      compliance: "required by law",
    },
    grains: {
      day: "by day",
      week: "by week",
      month: "by month",
      quarter: "by quarter",
      year: "by year",
      all: "the whole period",
    },
    prior: "Previous period",
    suppressed: (n) => `Fewer than ${n} persons: not shown`,
    withheld: "Not shown",
    noData: "No data",
    nothing: "Nothing recorded in this scope and period",
    noDataWhy: (range, covered) =>
      `Nothing to count in this scope for ${range}. ${covered ? `The data cover ${covered}. ` : ""}Choose another period or scope.`,
    emptyLake: "The lake holds no events yet. Land logs first: ",
    emptyLakeDemo: ", or look at simulated data: ",
    unreachable: "The server cannot be reached. Check that lawpulse is running and the network is up, then try again.",
    forbidden: "You may not see this. Ask the platform's operators for access.",
    refused: (d) => `The request cannot be met: ${d}. Choose another scope or period.`,
    failed: (d) => `The server failed: ${d}. Try again later; tell the platform's operators if it persists.`,
    oneFailed: (name, why) => `${name}: ${why}`,
    shown: (what) => `Now showing ${what}.`,
    jsonOf: (name) => `${name} as JSON`,
    stamp: (time) => `As of ${time}`,
    noPlotly: "The chart component did not load; here is the data. Reload the page to try again.",
    context: "the last 12 months; the chosen period is shaded",
    byMonth: "monthly",
    partial: (d) => `the last month runs to ${d}`,
    downloadOf: (name) => `Download ${name} as CSV`,
    showAll: (n) => `Show all ${n} rows`,
    showFewer: "Show fewer",
    more: "Look",
    all: "All",
    none: "—",
    and: "; ",
    caseRows: "Rows are shown to analysts and auditors only.",
  },
};

// Adds the words of a module. One that is taken already means something else to those who use it.
export function addWords(words) {
  for (const lang of ["zh", "en"]) {
    const taken = Object.keys(words[lang]).find((word) => word in WORDS[lang]);
    if (taken) throw new Error(`the word ${taken} is taken`);
    Object.assign(WORDS[lang], words[lang]);
  }
}

export const t = () => WORDS[page.lang];
export const isZh = () => page.lang === "zh";

// ---- Numbers. ----

const format = (options) => new Intl.DateTimeFormat(t().locale, options);
const decimals = (digits, least = 0) =>
  new Intl.NumberFormat(t().locale, { maximumFractionDigits: digits, minimumFractionDigits: least });
const isMissing = (value) => value === null || value === undefined;

export const count = (n) => (isMissing(n) ? "—" : decimals(0).format(n));
export const percent = (v) =>
  isMissing(v)
    ? "—"
    : new Intl.NumberFormat(t().locale, {
        style: "percent",
        maximumFractionDigits: 1,
        minimumFractionDigits: v === 1 || v === 0 ? 0 : 1,
      }).format(v);
export const share = (row) => `${count(row?.numerator)} / ${count(row?.denominator)}`;
export const hasValue = (row) => !isMissing(row?.value);

// What a number of a metric is: a share of one, points between shares, a moment, an average, or a count.
export const isRatio = (metric) => metric?.unit === "ratio";
const isMoment = (metric) => metric?.unit === "seconds";
const isAverage = (metric) => metric?.unit === "days" || metric?.unit?.includes(" per ");

export function amount(metric, value) {
  if (isMissing(value)) return "—";
  if (isRatio(metric)) return percent(value);
  if (metric?.unit === "ratio points") return `${value > 0 ? "+" : ""}${decimals(1, 1).format(value * 100)}`;
  if (isMoment(metric)) return moment(new Date(value * 1000).toISOString());
  return isAverage(metric) ? decimals(1, Number.isInteger(value) ? 0 : 1).format(value) : decimals(2).format(value);
}

export function unitWord(metric) {
  if (isRatio(metric) || isMoment(metric)) return "";
  if (metric?.unit === "ratio points") return t().units.points;
  return t().units[metric?.unit] ?? "";
}

// A number in words: with its unit, and with what it is a share of.
export function inWords(metric, row) {
  if (!hasValue(row)) return row?.withheld ? t().withheld : "—";
  const text = `${amount(metric, row.value)}${unitWord(metric) ? `${isZh() ? "" : " "}${unitWord(metric)}` : ""}`;
  return isRatio(metric) && !isMissing(row.denominator) ? `${text} (${share(row)})` : text;
}

// ---- Days and names. ----

const month = () => (isZh() ? "long" : "short");
export const dayName = (day) =>
  format({ year: "numeric", month: month(), day: "numeric", timeZone: "UTC" }).format(asDate(day));
export const monthName = (day) => format({ year: "numeric", month: month(), timeZone: "UTC" }).format(asDate(day));
export const moment = (text) =>
  format({
    year: "numeric",
    month: isZh() ? "2-digit" : "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
    timeZone: TIME_ZONE,
  }).format(new Date(text));
export const today = () =>
  new Intl.DateTimeFormat("sv-SE", { timeZone: TIME_ZONE }).format(
    page.status ? new Date(page.status.as_of) : new Date(),
  );
export const range = (from, to) => `${dayName(from)} ${isZh() ? t().to : "–"} ${dayName(addDays(to, -1))}`;
export const shortMonth = (day) =>
  format({ month: month(), timeZone: "UTC" })
    .format(asDate(day))
    .replace(/^(\p{Script=Han}+)月$/u, `${Number(day.slice(5, 7))}月`);
export const shortDay = (day) => format({ month: month(), day: "numeric", timeZone: "UTC" }).format(asDate(day));

export function periodName({ kind, from, to }) {
  const year = from.slice(0, 4),
    zh = isZh();
  if (kind === "year") return zh ? `${year}年` : year;
  if (kind === "quarter") {
    const n = Math.ceil(Number(from.slice(5, 7)) / 3);
    return zh ? `${year}年第${n}季度` : `Q${n} ${year}`;
  }
  const last = addMonths(addDays(to, -1), 0);
  if (kind === "months")
    return from === last ? monthName(from) : `${monthName(from)}${zh ? "至" : " – "}${monthName(last)}`;
  return range(from, to);
}

// A bucket of a grain, named by its first day.
export function bucketName(day, grain) {
  if (grain === "month") return monthName(day);
  if (grain === "quarter") return periodName({ kind: "quarter", from: day });
  if (grain === "year") return periodName({ kind: "year", from: day });
  return dayName(day);
}

export const metricOf = (id) => page.catalogue.get(id);
// The title of whatever has one in both languages.
export const titleOf = (entry) => (isZh() ? entry?.title_zh : entry?.title_en) ?? "";
export const title = (id) => titleOf(metricOf(id)) || id;

// The half of a text in both languages that is of the page's: "中文。English", as definitions, sources and notes are
// written. A text in one language is shown as it is.
function inLanguage(text = "") {
  // English sentences end with another stop.
  const end = text.lastIndexOf("。") + 1;
  return (isZh() ? text.slice(0, end) : text.slice(end).trim()) || text;
}

export const definitionOf = (metric) => inLanguage(metric?.definition);

// The same of a phrase, without the stop that parts the languages.
export const phrase = (text) => inLanguage(text).replace(/。$/, "");

// Where a metric, a goal or a limit comes from.
export const sourceOf = (entry) => phrase(entry?.source);

export function scopeName(id) {
  const scope = page.scopes.find((each) => each.scope === id);
  return (!isZh() && (scope?.name_en || t().scopes[id])) || scope?.name || t().scopes[id] || id;
}
