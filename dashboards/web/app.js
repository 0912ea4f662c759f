// The built-in page. All state is in the URL (lang, scope, period or from + to), all numbers come from the JSON API,
// and every tile, chart and table loads, fails and is retried on its own.

const TIME_ZONE = "Asia/Shanghai";
const STATUS_EVERY_MS = 60_000;
// The server suppresses a ratio over fewer officers, and the line is the one of the alert OfficerActivityLow.
const SMALLEST_ROSTER = 5;
const LOW_ACTIVITY = 0.8;
// A chart of a shorter period shows the twelve months that led up to it.
const SHORTEST_CHART_MONTHS = 6;
// What style.css prints on: A4 less its margins.
const PAPER = { width: 670, height: 225, rem: 12 };

const TEXT = {
  zh: {
    locale: "zh-CN", other: "English", product: "执法脉动", tagline: "行政执法监督数据", skip: "跳到主要内容",
    filters: "范围与周期", headlines: "主要指标", scope: "范围", period: "周期", kind: "周期类型",
    year: "年度", quarter: "季度", months: "月份", custom: "自定义", which: "选择", fromMonth: "起始月", toMonth: "截止月",
    fromDay: "起始日", lastDay: "截止日（含）", badOrder: "截止须不早于起始，请重新选择。",
    badPeriod: "网址中的周期无法识别，已改为默认周期。", definitions: "指标口径", definedIn: "指标的定义、口径和来源：",
    monitoredIn: "监控（Prometheus）：", explainedIn: "接口文档和数据字典：", fairness: "检查量、罚款类指标只看趋势，不排名、不作考核。", source: "来源：",
    to: "至", prior: "上期", lastMonth: (m) => `${m}单月`, people: "人", visits: "次", items: "件", loading: "加载中…", retry: "重试", table: "数据表", month: "月份",
    groups: { district: "全区", kind: "单位类型", area: "片区", town: "镇街", department: "部门", team: "支队", org: "单位" },
    scopes: { district: "全区", towns: "镇街", departments: "部门", teams: "支队" },
    metrics: {
      officer_activity_ratio: "执法人员活跃度", patrols: "日常巡查", inspections: "行政检查", cases_closed: "案件办结",
      cases_open: "期末在办案件", orgs_onboarded_ratio: "单位入驻", inspection_detection_ratio: "检查发现问题率", cases_filed: "立案",
    },
    levels: { L1: "L1 登录", L2: "L2 业务", L3: "L3 深度" },
    charts: { activity: "执法人员活跃度", inspections: "检查量与发现问题率", cases: "立案、办结与在办", quiet: "活跃度较低的单位" },
    byMonth: "按月", context: "近 12 个月，阴影为所选周期", partial: (d) => `最后一月截至 ${d}`, lowLine: "虚线为 80% 关注线",
    freshness: "数据截至", updated: (t) => `最新事件 ${t}`, counted: (e, r) => `事件 ${e} 条，拒收 ${r} 条`,
    behind: "已超过 24 小时没有新事件，请告知平台管理员。", stamp: (t) => `截至 ${t}`,
    suppressed: `在册不足 ${SMALLEST_ROSTER} 人，不显示比率`, noData: "无数据", nothing: "此范围和周期内没有记录",
    noDataWhy: (range, covered) => `此范围在 ${range} 没有可统计的记录。${covered ? `数据覆盖 ${covered}，` : ""}请换一个周期或范围。`,
    emptyLake: "数据湖中还没有事件。请先落库日志：", emptyLakeDemo: "；或先看模拟数据：",
    unreachable: "连不上服务。请确认 lawpulse 正在运行、网络可达，然后重试。",
    forbidden: "没有查看权限。请向平台管理员申请。", refused: (d) => `请求无法满足：${d}。请换一个范围或周期。`,
    failed: (d) => `服务出错：${d}。请稍后重试；反复出现时请告知平台管理员。`, oneFailed: (name, why) => `${name}：${why}`,
    noPlotly: "图表组件没有加载，先看数据表。刷新页面可再试。", shown: (what) => `已显示${what}。`,
    jsonOf: (name) => `${name}的 JSON 数据`, activitySummary: (m, v, nd, low, lm) => `${m} L2 活跃度 ${v}（${nd} 人），图中最低 ${low}（${lm}）`,
    inspectionsSummary: (a, b, i0, i1, d0, d1) => `${a} → ${b}：检查 ${i0} → ${i1} 次，发现问题率 ${d0} → ${d1}`,
    casesSummary: (m, f, c, o) => `${m}：立案 ${f} 件，办结 ${c} 件，月末在办 ${o} 件`,
    inspectionsAxis: "检查（次）", detectionAxis: "发现问题率", filedClosedAxis: "立案与办结（件）", openAxis: "月末在办（件）",
    filed: "立案", closed: "办结", open: "在办",
    quietCaption: (m) => `${m}，L2 业务活跃度由低到高`, quietUnranked: (m) => `${m}，L2 业务活跃度`, unit: "单位", activity: "活跃度", activeOfRoster: "活跃 / 在册",
    quietSummary: (all, low, small) => `${all} 个单位中，${low} 个低于 80%${small ? `；${small} 个在册不足 ${SMALLEST_ROSTER} 人，不显示比率` : ""}。`,
    showAll: (n) => `显示全部 ${n} 个单位`, showFewer: "收起",
  },
  en: {
    locale: "en-GB", other: "中文", product: "Lawpulse", tagline: "Supervision of administrative enforcement", skip: "Skip to the content",
    filters: "Scope and period", headlines: "Headline figures", scope: "Scope", period: "Period", kind: "Kind of period",
    year: "Year", quarter: "Quarter", months: "Months", custom: "Custom", which: "Choice", fromMonth: "From", toMonth: "To",
    fromDay: "From", lastDay: "To (inclusive)", badOrder: "The end must not be before the start: choose again.",
    badPeriod: "The period in the address was not understood; the default is shown.", definitions: "Definitions", definedIn: "Definitions and sources of all metrics: ",
    monitoredIn: "Monitoring (Prometheus): ", explainedIn: "The interface and the data dictionary: ", fairness: "Volumes of inspections and fines are shown as trends only: never ranked, never a target.", source: "Source: ",
    to: "to", prior: "Previous period", lastMonth: (m) => `${m} alone`, people: "officers", visits: "", items: "", loading: "Loading …", retry: "Try again", table: "Data table", month: "Month",
    groups: { district: "District", kind: "Kinds of unit", area: "Areas", town: "Towns", department: "Departments", team: "Teams", org: "Units" },
    scopes: { district: "District", towns: "Towns and sub-districts", departments: "Departments", teams: "Teams" },
    metrics: {
      officer_activity_ratio: "Officer activity", patrols: "Patrols", inspections: "Inspections", cases_closed: "Cases closed",
      cases_open: "Cases open at the end", orgs_onboarded_ratio: "Units onboarded", inspection_detection_ratio: "Problem detection ratio", cases_filed: "Cases filed",
    },
    levels: { L1: "L1 login", L2: "L2 substantive", L3: "L3 sustained" },
    charts: { activity: "Officer activity", inspections: "Inspections and detection", cases: "Cases filed, closed and open", quiet: "Quietest units" },
    byMonth: "monthly", context: "the last 12 months; the chosen period is shaded", partial: (d) => `the last month runs to ${d}`, lowLine: "dashed: the 80% line",
    freshness: "Data up to", updated: (t) => `newest event ${t}`, counted: (e, r) => `${e} events, ${r} rejected`,
    behind: "No event for over 24 hours: tell the platform's operators.", stamp: (t) => `As of ${t}`,
    suppressed: `Fewer than ${SMALLEST_ROSTER} officers: no ratio is shown`, noData: "No data", nothing: "Nothing recorded in this scope and period",
    noDataWhy: (range, covered) => `Nothing to count in this scope for ${range}. ${covered ? `The data cover ${covered}. ` : ""}Choose another period or scope.`,
    emptyLake: "The lake holds no events yet. Land logs first: ", emptyLakeDemo: ", or look at simulated data: ",
    unreachable: "The server cannot be reached. Check that lawpulse is running and the network is up, then try again.",
    forbidden: "You may not see this. Ask the platform's operators for access.", refused: (d) => `The request cannot be met: ${d}. Choose another scope or period.`,
    failed: (d) => `The server failed: ${d}. Try again later; tell the platform's operators if it persists.`, oneFailed: (name, why) => `${name}: ${why}`,
    noPlotly: "The chart component did not load; here is the data. Reload the page to try again.", shown: (what) => `Now showing ${what}.`,
    jsonOf: (name) => `${name} as JSON`, activitySummary: (m, v, nd, low, lm) => `${m}: L2 activity ${v} (${nd} officers); lowest shown ${low} (${lm})`,
    inspectionsSummary: (a, b, i0, i1, d0, d1) => `${a} → ${b}: inspections ${i0} → ${i1}, detection ${d0} → ${d1}`,
    casesSummary: (m, f, c, o) => `${m}: ${f} filed, ${c} closed, ${o} open at the end`,
    inspectionsAxis: "Inspections", detectionAxis: "Detection ratio", filedClosedAxis: "Filed and closed", openAxis: "Open at the end",
    filed: "Filed", closed: "Closed", open: "Open",
    quietCaption: (m) => `${m}, L2 activity, lowest first`, quietUnranked: (m) => `${m}, L2 activity`, unit: "Unit", activity: "Activity", activeOfRoster: "Active / roster",
    quietSummary: (all, low, small) => `${low} of ${all} units are below 80%${small ? `; ${small} have fewer than ${SMALLEST_ROSTER} officers and show no ratio` : ""}.`,
    showAll: (n) => `Show all ${n} units`, showFewer: "Show fewer",
  },
};

// What the page knows: the choice in the URL, and what the server said about itself.
const page = { lang: "zh", scope: "district", period: null, bounds: null, status: null, unreachable: "", scopes: [], catalogue: new Map(), abort: new AbortController() };
const t = () => TEXT[page.lang];

// ---- Days and periods. A day is "YYYY-MM-DD"; a period is half-open. ----

const asDate = (day) => new Date(`${day}T00:00:00Z`);
const asDay = (date) => date.toISOString().slice(0, 10);
const addDays = (day, n) => asDay(new Date(asDate(day).getTime() + n * 86_400_000));
const monthOf = (day) => `${day.slice(0, 7)}-01`;
const later = (a, b) => (a > b ? a : b);
const sooner = (a, b) => (a < b ? a : b);

function addMonths(day, n) {
  const date = asDate(monthOf(day));
  date.setUTCMonth(date.getUTCMonth() + n);
  return asDay(date);
}

function monthsBetween(from, to) {
  const a = asDate(from), b = asDate(to);
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}

function period(kind, from, to) {
  const month = (day) => day.slice(0, 7);
  const keys = { year: () => from.slice(0, 4), quarter: () => `${from.slice(0, 4)}-Q${(Number(from.slice(5, 7)) + 2) / 3}`, months: () => `${month(from)}..${month(addDays(to, -1))}`, custom: () => "" };
  return { kind, from, to, key: keys[kind]() };
}

const yearPeriod = (year) => period("year", `${year}-01-01`, `${Number(year) + 1}-01-01`);
const quarterPeriod = (day) => period("quarter", addMonths(day, -((Number(day.slice(5, 7)) - 1) % 3)), addMonths(day, 3 - ((Number(day.slice(5, 7)) - 1) % 3)));
const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(asDate(text).getTime()) && asDay(asDate(text)) === text;

// Null when the parameters name no period; undefined when they are not understood.
function periodOf(params) {
  const key = params.get("period"), from = params.get("from"), to = params.get("to");
  if (!key && !from && !to) return null;
  if (from || to) return isDay(from ?? "") && isDay(to ?? "") && from < to ? period("custom", from, to) : undefined;
  if (/^\d{4}$/.test(key)) return yearPeriod(key);
  const quarter = key.match(/^(\d{4})-Q([1-4])$/);
  if (quarter) return quarterPeriod(`${quarter[1]}-${String(quarter[2] * 3).padStart(2, "0")}-01`);
  const months = key.match(/^(\d{4}-\d\d)(?:\.\.(\d{4}-\d\d))?$/);
  const [first, last] = months ? [`${months[1]}-01`, `${months[2] ?? months[1]}-01`] : ["", ""];
  return isDay(first) && isDay(last) && first <= last ? period("months", first, addMonths(last, 1)) : undefined;
}

// The last full year of the data, or the year of the newest event when none is full.
function defaultPeriod({ first, last }) {
  const year = Number(last.slice(0, 4)), full = last.endsWith("-12-31") ? year : year - 1;
  return yearPeriod(full >= Number(first.slice(0, 4)) ? full : year);
}

// The period of equal length before this one.
function previousPeriod({ kind, from, to }) {
  if (kind !== "custom") return { from: addMonths(from, -monthsBetween(from, to)), to: from };
  return { from: addDays(from, -(asDate(to) - asDate(from)) / 86_400_000), to: from };
}

// Whole months for a chart: the period, or a year up to its end when it is short, within what the data cover.
function chartWindow({ from, to }, { first, last }) {
  const end = addMonths(addDays(to, -1), 1);
  const start = monthsBetween(monthOf(from), end) < SHORTEST_CHART_MONTHS ? addMonths(end, -12) : monthOf(from);
  const window = { from: later(start, monthOf(first)), to: sooner(end, addMonths(last, 1)) };
  const shown = window.from < window.to ? window : { from: monthOf(from), to: end };
  return { ...shown, context: shown.from < monthOf(from), partial: addDays(shown.to, -1) > last && last >= shown.from ? last : null };
}

// The last month of the period that the data cover in full, or else the newest that they touch.
function lastMonth({ from, to }, { last }) {
  const newest = monthOf(last < from ? addDays(to, -1) : sooner(addDays(to, -1), last));
  const whole = addMonths(newest, 1) <= addDays(last, 1) ? newest : addMonths(newest, -1);
  const start = whole >= monthOf(from) ? whole : newest;
  return { from: start, to: addMonths(start, 1) };
}

// ---- Words and numbers of the language. ----

const format = (options) => new Intl.DateTimeFormat(t().locale, options);
const count = (n) => (n === null || n === undefined ? "—" : new Intl.NumberFormat(t().locale).format(n));
const percent = (v) => (v === null || v === undefined ? "—" : new Intl.NumberFormat(t().locale, { style: "percent", maximumFractionDigits: 1, minimumFractionDigits: v === 1 || v === 0 ? 0 : 1 }).format(v));
const share = (row) => `${count(row?.numerator)} / ${count(row?.denominator)}`;
const dayName = (day) => format({ year: "numeric", month: page.lang === "zh" ? "long" : "short", day: "numeric", timeZone: "UTC" }).format(asDate(day));
const monthName = (day) => format({ year: "numeric", month: page.lang === "zh" ? "long" : "short", timeZone: "UTC" }).format(asDate(day));
const moment = (text) => format({ year: "numeric", month: page.lang === "zh" ? "2-digit" : "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false, timeZone: TIME_ZONE }).format(new Date(text));
const range = (from, to) => `${dayName(from)} ${page.lang === "zh" ? t().to : "–"} ${dayName(addDays(to, -1))}`;
const title = (id) => { const metric = page.catalogue.get(id); return (page.lang === "zh" ? metric?.title_zh : metric?.title_en) || t().metrics[id] || id; };

function periodName({ kind, from, to }) {
  const year = from.slice(0, 4), zh = page.lang === "zh";
  if (kind === "year") return zh ? `${year}年` : year;
  if (kind === "quarter") { const n = Math.ceil(Number(from.slice(5, 7)) / 3); return zh ? `${year}年第${n}季度` : `Q${n} ${year}`; }
  const last = addMonths(addDays(to, -1), 0);
  if (kind === "months") return from === last ? monthName(from) : `${monthName(from)}${zh ? "至" : " – "}${monthName(last)}`;
  return range(from, to);
}

function scopeName(id) {
  const scope = page.scopes.find((s) => s.scope === id);
  return (page.lang === "en" && (scope?.name_en || t().scopes[id])) || scope?.name || t().scopes[id] || id;
}

// ---- The document. ----

const $ = (id) => document.getElementById(id);

// element("p", {class: "x"}, "text", child): attributes by name, functions as listeners, children as nodes or text.
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const jsonLink = (url, name, label = "JSON") => element("a", { class: "json", href: url, "aria-label": `${label} · ${name}`, title: t().jsonOf(name) }, label);
const defined = (id, text) => (page.catalogue.has(id) ? element("a", { href: `#def-${id}` }, text) : text);

// A wide table scrolls in a region of its own, which the keyboard must be able to reach.
const scrolling = (name, table) => element("div", { class: "scroll", role: "region", "aria-label": `${name} · ${t().table}`, tabindex: "0" }, table);

function state(kind, message, retry) {
  const body = element("div", { class: `state ${kind}` }, element("p", {}, message));
  if (kind === "loading") body.replaceChildren(element("div", { class: "bone" }), element("p", { class: "unseen" }, message));
  if (retry) body.append(element("button", { type: "button", click: retry }, t().retry));
  return body;
}

const empty = ({ from, to }) => {
  const { bounds } = page;
  return state("empty", t().noDataWhy(range(from, to), bounds?.known ? range(bounds.first, addDays(bounds.last, 1)) : ""));
};

// ---- The API. ----

class ApiError extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

async function getJson(url, signal) {
  let response;
  try {
    response = await fetch(url, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, String(error));
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body?.detail || body?.title || `HTTP ${response.status}`);
  if (body === null) throw new ApiError(502, "the answer is not JSON");
  return body;
}

function explain(error) {
  if (!(error instanceof ApiError)) return t().failed(error.message);
  if (error.status === 0) return t().unreachable;
  if (error.status === 401 || error.status === 403) return t().forbidden;
  return error.status < 500 ? t().refused(error.message) : t().failed(error.message);
}

function metricUrl(id, { from, to }, grain, more = {}) {
  const query = new URLSearchParams({ from, to, grain, scope: page.scope, ...more });
  return `/api/v1/metrics/${id}?${query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/")}`;
}

const rowsOf = async (url) => (await getJson(url, page.abort.signal)).rows ?? [];
const hasValue = (row) => row?.value !== null && row?.value !== undefined;

// Loads one part of the page. The old content stays, dimmed, until the new one or its error is there.
async function load(part, job) {
  const { signal } = page.abort;
  const retry = () => load(part, job);
  const body = part.querySelector(":scope > .body");
  part.setAttribute("aria-busy", "true");
  if (!body.hasChildNodes() || body.querySelector(".state")) body.replaceChildren(state("loading", t().loading));
  try {
    const draw = await job();
    if (signal.aborted) return;
    draw(body, retry);
  } catch (error) {
    if (signal.aborted) return;
    body.replaceChildren(state("error", explain(error), retry));
  }
  part.setAttribute("aria-busy", "false");
}

// ---- Tiles. ----

const unitOf = { patrols: "visits", inspections: "visits", cases_closed: "items", cases_open: "items" };
const TILES = ["officer_activity_ratio", "patrols", "inspections", "cases_closed", "cases_open", "orgs_onboarded_ratio"];

function tile(id, heading, link) {
  return element("article", { class: "tile", id: `tile-${id}` }, element("h3", {}, heading), element("div", { class: "body" }), link);
}

function drawTiles() {
  const tiles = TILES.map((id) => tile(id, defined(id, title(id)), jsonLink(metricUrl(id, page.period, "all"), title(id))));
  const keep = new Map([...$("tiles").children].map((old) => [old.id, old.querySelector(".body")]));
  const freshness = tile("freshness", t().freshness, jsonLink("/api/v1/status", t().freshness));
  for (const each of [...tiles, freshness]) if (keep.has(each.id)) each.querySelector(".body").replaceWith(keep.get(each.id));
  $("tiles").replaceChildren(...tiles, freshness);
  return [...TILES.map((id, at) => load(tiles[at], () => tileJob(id))), load(freshness, freshnessJob)];
}

async function tileJob(id) {
  const before = previousPeriod(page.period), month = lastMonth(page.period, page.bounds);
  const activity = id === "officer_activity_ratio";
  // A period that is still running is not compared with a whole one.
  const comparable = page.bounds.known && before.from >= page.bounds.first && page.period.to <= addDays(page.bounds.last, 1);
  const quietly = (url) => rowsOf(url).catch(() => []);
  const [now, prior, single] = await Promise.all([
    rowsOf(metricUrl(id, page.period, "all")),
    comparable ? quietly(metricUrl(id, before, "all")) : [],
    activity && month.from > page.period.from ? quietly(metricUrl(id, month, "all")) : [],
  ]);
  return (body) => {
    const [row] = now, ratio = id.endsWith("_ratio"), write = ratio ? percent : count;
    if (!hasValue(row) && !row?.denominator) return body.replaceChildren(element("p", { class: "value" }, "—"), element("p", { class: "detail" }, t().nothing));
    const people = activity ? ` ${t().people}` : "";
    const small = !hasValue(row) && row.denominator < SMALLEST_ROSTER;
    const lines = [
      element("p", { class: "value" }, write(row.value), unitOf[id] ? element("small", {}, t()[unitOf[id]]) : null),
      element("p", { class: "detail" }, ratio ? `${share(row)}${people}` : ""),
      small ? element("p", { class: "detail" }, t().suppressed) : null,
      hasValue(single[0]) ? element("p", { class: "detail" }, `${t().lastMonth(monthName(month.from))} ${percent(single[0].value)}`) : null,
      hasValue(prior[0]) ? element("p", { class: "prior" }, `${t().prior} ${write(prior[0].value)}`) : null,
    ];
    body.replaceChildren(...lines.filter((line) => line?.textContent));
  };
}

async function freshnessJob() {
  const status = await getJson("/api/v1/status", page.abort.signal);
  return (body) => {
    const behind = Date.parse(status.as_of) - Date.parse(status.last_event_at) > 86_400_000;
    body.replaceChildren(
      element("p", { class: "value date" }, status.last_event_at ? dayName(status.last_event_date ?? status.last_event_at.slice(0, 10)) : t().noData),
      element("p", { class: behind ? "warn" : "detail" }, behind ? `⚠ ${t().behind}` : t().updated(moment(status.last_event_at))),
      element("p", { class: "detail" }, t().counted(count(status.events), count(status.rejects))),
    );
    $("stamp").textContent = t().stamp(moment(status.as_of));
  };
}

// ---- Charts. ----

// A series: metric, more (parameters), name, colour (1..3), mark (line, dash, dot, bar), panel (1 upper, 2 lower).
const CHARTS = {
  activity: {
    series: () => ["L1", "L2", "L3"].map((level, at) => ({ metric: "officer_activity_ratio", more: { level }, name: t().levels[level], short: level, colour: [3, 1, 2][at], mark: ["dot", "line", "dash"][at], panel: 1 })),
    panels: () => [""],
    line: LOW_ACTIVITY,
    summary: ([, l2], months) => {
      const known = months.map((month, at) => [l2.rows[at], month]).filter(([row]) => hasValue(row));
      if (!known.length) return "";
      const [row, month] = known.at(-1), [low, lowMonth] = known.reduce((a, b) => (b[0].value < a[0].value ? b : a));
      return t().activitySummary(monthName(month), percent(row.value), share(row), percent(low.value), monthName(lowMonth));
    },
  },
  inspections: {
    series: () => [
      { metric: "inspections", name: t().inspectionsAxis, colour: 1, mark: "bar", panel: 1 },
      { metric: "inspection_detection_ratio", name: t().detectionAxis, colour: 2, mark: "line", panel: 2 },
    ],
    panels: () => [t().inspectionsAxis, t().detectionAxis],
    summary: ([volume, ratio], months) => t().inspectionsSummary(monthName(months[0]), monthName(months.at(-1)), count(volume.rows[0]?.value), count(volume.rows.at(-1)?.value), percent(ratio.rows[0]?.value), percent(ratio.rows.at(-1)?.value)),
  },
  cases: {
    series: () => [
      { metric: "cases_filed", name: t().filed, colour: 1, mark: "bar", panel: 1 },
      { metric: "cases_closed", name: t().closed, colour: 2, mark: "bar", panel: 1 },
      { metric: "cases_open", name: t().open, colour: 3, mark: "line", panel: 2 },
    ],
    panels: () => [t().filedClosedAxis, t().openAxis],
    summary: ([filed, closed, open], months) => t().casesSummary(monthName(months.at(-1)), ...[filed, closed, open].map((each) => count(each.rows.at(-1)?.value))),
  },
};

// Resolves to whether the chart component is there; it is loaded beside the page and may be missing.
const plotlyLoaded = new Promise((resolve) => {
  const done = () => resolve(Boolean(window.Plotly));
  if (window.Plotly) return done();
  $("plotly").addEventListener("load", done);
  $("plotly").addEventListener("error", done);
  // Both events may have passed already.
  if (document.readyState === "complete") done();
  else window.addEventListener("load", done);
});

function chartCard(id) {
  const chart = CHARTS[id], window_ = chartWindow(page.period, page.bounds);
  const series = chart.series().map((each) => ({ ...each, url: metricUrl(each.metric, window_, "month", each.more) }));
  const notes = [window_.context ? t().context : t().byMonth, chart.line ? t().lowLine : null, window_.partial ? t().partial(dayName(window_.partial)) : null];
  const links = series.map((each) => jsonLink(each.url, each.name, series.length > 1 ? `JSON ${each.short ?? each.name.replace(/[(（].*/, "")}` : "JSON"));
  card(id, t().charts[id], notes.filter(Boolean).join(page.lang === "zh" ? "；" : "; "), links);
  return load($(id), async () => {
    const answers = await Promise.allSettled(series.map((each) => rowsOf(each.url)));
    if (answers.every((answer) => answer.status === "rejected")) throw answers[0].reason;
    await plotlyLoaded;
    return (body, retry) => drawChart(body, id, { chart, window: window_, series, answers, retry });
  });
}

function card(id, heading, sub, links) {
  const part = $(id), body = part.querySelector(":scope > .body") ?? element("div", { class: "body" });
  part.setAttribute("aria-labelledby", `${id}-heading`);
  part.replaceChildren(element("header", {}, element("h3", { id: `${id}-heading` }, heading), element("span", { class: "sub" }, sub), element("div", { class: "links" }, ...links)), body);
}

function monthsOf({ from, to }) {
  return Array.from({ length: monthsBetween(from, to) }, (_, at) => addMonths(from, at));
}

function drawChart(body, id, { chart, window, series, answers, retry }) {
  const months = monthsOf(window);
  const filled = series.map((each, at) => {
    const byMonth = new Map((answers[at].value ?? []).map((row) => [row.period_start.slice(0, 7), row]));
    return { ...each, ratio: each.metric.endsWith("_ratio"), rows: months.map((month) => byMonth.get(month.slice(0, 7))) };
  });
  if (!filled.some((each) => each.rows.some(hasValue))) {
    const small = filled[0].rows.some((row) => row?.denominator);
    return body.replaceChildren(small && filled[0].ratio ? state("empty", t().suppressed) : empty(window));
  }
  const failures = answers.flatMap((answer, at) => (answer.status === "rejected" ? [t().oneFailed(series[at].name, explain(answer.reason))] : []));
  // A month that has only begun is drawn, but says nothing beside whole ones.
  const whole = window.partial && months.length > 1 ? months.slice(0, -1) : months;
  const summary = failures.length ? "" : chart.summary(filled.map((each) => ({ ...each, rows: each.rows.slice(0, whole.length) })), whole);
  const plot = element("div", { class: "plot", role: "img", "aria-label": `${t().charts[id]}. ${summary}` });
  const opened = body.querySelector("details")?.open || !globalThis.Plotly;
  const data = element("details", { open: opened }, element("summary", {}, t().table), scrolling(t().charts[id], chartTable(id, filled, months)));
  body.classList.toggle("tall", chart.panels().length > 1);
  const parts = [
    element("p", { class: "summary" }, summary), chart.panels().length < series.length ? legend(filled) : null,
    failures.length ? element("p", { class: "warn" }, failures.join(" "), " ", element("button", { type: "button", click: retry }, t().retry)) : null,
    globalThis.Plotly ? plot : element("p", { class: "warn" }, t().noPlotly), data,
  ];
  body.replaceChildren(...parts.filter(Boolean));
  if (!globalThis.Plotly) return;
  plot.redraw = (size) => globalThis.Plotly.react(plot, traces(filled, months), layout(plot, chart, filled, months, size), { displayModeBar: false, responsive: false });
  plot.redraw();
  resized.observe(plot);
}

// A card grows with its row, which the window's own resize event does not tell.
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
  const drawn = target.querySelector(".main-svg");
  if (target.isConnected && drawn && !printing && (drawn.clientWidth !== target.clientWidth || drawn.clientHeight !== target.clientHeight)) target.redraw();
}));

function legend(series) {
  const swatch = ({ colour, mark }) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 34 18");
    svg.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS(svg.namespaceURI, "path");
    shape.setAttribute("d", mark === "bar" ? "M9 1h16v16H9z" : "M1 9h32");
    shape.setAttribute("style", mark === "bar" ? `fill: var(--c${colour})` : `stroke: var(--c${colour}); stroke-width: 4; stroke-dasharray: ${{ line: "none", dash: "9 4", dot: "3 4" }[mark]}`);
    svg.append(shape);
    return svg;
  };
  return element("ul", { class: "legend" }, ...series.map((each) => element("li", {}, swatch(each), each.name)));
}

const valueOf = (each, row) => (each.ratio ? `${percent(row?.value)} (${share(row)})` : count(row?.value));

function chartTable(id, series, months) {
  const head = element("tr", {}, element("th", { scope: "col" }, t().month), ...series.map((each) => element("th", { scope: "col" }, each.name)));
  const lines = months.map((month, at) => element("tr", {}, element("th", { scope: "row" }, monthName(month)), ...series.map((each) => element("td", {}, valueOf(each, each.rows[at])))));
  return element("table", {}, element("caption", {}, `${t().charts[id]} · ${scopeName(page.scope)}`), element("thead", {}, head), element("tbody", {}, ...lines));
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rem = () => (printing ? PAPER.rem : parseFloat(getComputedStyle(document.documentElement).fontSize));

function traces(series, months) {
  const symbols = { line: "circle", dash: "square", dot: "triangle-up" };
  return series.map((each) => ({
    type: each.mark === "bar" ? "bar" : "scatter", mode: "lines+markers", name: each.name,
    x: months.map(monthName), y: each.rows.map((row) => row?.value ?? null), xaxis: "x", yaxis: each.panel === 2 ? "y2" : "y",
    marker: { color: style(`--c${each.colour}`), symbol: symbols[each.mark], size: rem() * 0.45 },
    line: { color: style(`--c${each.colour}`), width: rem() * 0.14, dash: { dash: "dash", dot: "dot" }[each.mark] },
    customdata: each.rows.map((row) => valueOf(each, row)), hovertemplate: `${each.name} %{customdata}<extra></extra>`,
  }));
}

function layout(plot, chart, series, months, size) {
  const panels = chart.panels(), small = rem() * 0.78, width = size?.width ?? plot.clientWidth;
  const domains = panels.length > 1 ? [[0.46, 0.94], [0, 0.3]] : [[0, 0.98]];
  const axis = (panel) => {
    const ratio = series.some((each) => each.panel === panel && each.ratio), line = chart.line !== undefined;
    const top = Math.max(0.05, ...series.filter((each) => each.panel === panel).flatMap((each) => each.rows.map((row) => row?.value ?? 0)));
    return { domain: domains[panel - 1], range: [0, line ? 1.04 : top * 1.12], tickformat: ratio ? ".0%" : ",d", ...(!ratio && top < 5 ? { dtick: 1 } : {}), nticks: panel === 1 ? 6 : 4, gridcolor: style("--grid"), zerolinecolor: style("--line"), fixedrange: true, hoverformat: ratio ? ".1%" : ",d" };
  };
  return {
    ...(size ?? { autosize: true }), paper_bgcolor: "transparent", plot_bgcolor: "transparent", showlegend: false, barmode: "group", bargap: 0.32, bargroupgap: 0.06,
    font: { family: getComputedStyle(document.body).fontFamily, size: small, color: style("--soft") },
    margin: { l: rem() * 3.2, r: rem() * 0.6, t: 4, b: rem() * 2.7 },
    hovermode: "x unified", hoversubplots: "axis", dragmode: false,
    hoverlabel: { bgcolor: style("--card"), bordercolor: style("--line"), font: { color: style("--ink"), size: small } },
    xaxis: { ...monthTicks(months, width), anchor: panels.length > 1 ? "y2" : "y", fixedrange: true, showgrid: false, spikecolor: style("--soft"), spikethickness: 1, spikedash: "solid", linecolor: style("--line"), tickangle: 0 },
    yaxis: axis(1), ...(panels.length > 1 ? { yaxis2: axis(2) } : {}),
    shapes: [...shading(months), ...(chart.line ? [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: chart.line, y1: chart.line, line: { color: style("--soft"), width: 1, dash: "6px 4px" } }] : [])],
    annotations: panels.map((text, at) => ({ text, xref: "paper", yref: "paper", x: 0, y: domains[at][1], xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: small, color: style("--soft") } })).filter(({ text }) => text),
  };
}

// As many months as there is room for, the year under the first and under each January.
function monthTicks(months, width) {
  const step = [1, 2, 3, 6, 12].find((each) => (months.length / each) * rem() * 3 <= width) ?? 12;
  const shown = months.map((month, at) => [month, at]).filter(([, at]) => at % step === 0);
  const short = (month) => format({ month: page.lang === "zh" ? "long" : "short", timeZone: "UTC" }).format(asDate(month)).replace(/^(\p{Script=Han}+)月$/u, `${Number(month.slice(5, 7))}月`);
  // A hair beside the category: a tick right on it would put its short text in place of the month in the hover box.
  return { type: "category", range: [-0.6, months.length - 0.4], tickvals: shown.map(([, at]) => at + 0.01), ticktext: shown.map(([month], at) => short(month) + (at === 0 || month.slice(5, 7) === "01" ? `<br>${month.slice(0, 4)}` : "")) };
}

function shading(months) {
  const { from, to } = page.period, inside = months.map((month, at) => [month, at]).filter(([month]) => month >= monthOf(from) && month < to);
  if (!inside.length || inside.length === months.length) return [];
  return [{ type: "rect", yref: "paper", y0: 0, y1: 1, x0: inside[0][1] - 0.5, x1: inside.at(-1)[1] + 0.5, fillcolor: style("--shade"), line: { width: 0 }, layer: "below" }];
}

// Paper is light and of one width, whatever the screen is.
let printing = false;
function redrawAll(size) {
  printing = Boolean(size);
  document.documentElement.toggleAttribute("data-paper", printing);
  for (const plot of document.querySelectorAll(".plot")) plot.redraw?.(size);
}

// ---- The quietest units. ----

function quietCard() {
  const month = lastMonth(page.period, page.bounds);
  const group = ["towns", "departments", "teams"].includes(page.scope) ? page.scope : "district";
  const url = metricUrl("officer_activity_ratio", month, "month", { scope: `${group}/*`, level: "L2" });
  card("quiet", t().charts.quiet, scopeName(group), [jsonLink(url, t().charts.quiet)]);
  return load($("quiet"), async () => {
    const rows = (await rowsOf(url)).filter((row) => row.denominator !== null && row.denominator !== undefined);
    return (body) => (rows.length ? drawQuiet(body, rows, month) : body.replaceChildren(empty(month)));
  });
}

function drawQuiet(body, rows, month) {
  // Ranked only if the catalogue allows it; a suppressed value has no place in the order.
  const ranked = page.catalogue.get("officer_activity_ratio")?.rankable !== false;
  const byName = (a, b) => String(a.scope_name).localeCompare(String(b.scope_name), "zh-CN");
  const known = rows.filter(hasValue).sort((a, b) => (ranked && a.value - b.value) || byName(a, b));
  const hidden = rows.filter((row) => !hasValue(row)).sort(byName);
  const low = known.filter((row) => row.value < LOW_ACTIVITY).length;
  const head = [t().unit, t().activity, "", t().activeOfRoster].map((text) => (text ? element("th", { scope: "col" }, text) : element("td", {})));
  const expanded = body.querySelector("tbody")?.classList.contains("all") ?? false;
  const lines = element("tbody", { class: expanded ? "all" : null }, ...[...known, ...hidden].map(quietLine));
  const table = element("table", {}, element("caption", {}, (ranked ? t().quietCaption : t().quietUnranked)(monthName(month.from))), element("thead", {}, element("tr", {}, ...head)), lines);
  const more = element("button", { type: "button", class: "more", click: () => label(lines.classList.toggle("all")) });
  const label = (all) => {
    more.textContent = all ? t().showFewer : t().showAll(rows.length);
    more.setAttribute("aria-expanded", String(all));
  };
  label(expanded);
  const parts = [element("p", { class: "summary" }, t().quietSummary(count(rows.length), count(low), hidden.length)), scrolling(t().charts.quiet, table), rows.length > 10 ? more : null];
  body.replaceChildren(...parts.filter(Boolean));
}

function quietLine(row) {
  const link = element("a", { href: address({ scope: row.scope }) }, row.scope_name || row.scope);
  const bar = element("span", {}, element("i", { class: row.value < LOW_ACTIVITY ? "low" : "" }));
  bar.firstChild.style.width = `${Math.round((row.value ?? 0) * 1000) / 10}%`;
  const cells = hasValue(row) ? [element("td", {}, percent(row.value)), element("td", { class: "bar", "aria-hidden": "true" }, bar)] : [element("td", { title: t().suppressed }, "—"), element("td", {})];
  return element("tr", { class: row.scope === page.scope ? "chosen" : null }, element("th", { scope: "row" }, link), ...cells, element("td", {}, share(row)));
}

// ---- Filters and the URL. ----

function address(change = {}) {
  const { lang, scope, period: chosen } = { ...page, ...change };
  const query = new URLSearchParams();
  if (lang !== "zh") query.set("lang", lang);
  if (scope !== "district") query.set("scope", scope);
  if (chosen?.kind === "custom") { query.set("from", chosen.from); query.set("to", chosen.to); } else if (chosen) query.set("period", chosen.key);
  return `?${query}`;
}

async function go(change) {
  history.replaceState(null, "", address(change));
  Object.assign(page, change);
  const { signal } = await render();
  if (!signal.aborted) $("announce").textContent = t().shown($("heading").textContent);
}

function options(select, entries, chosen) {
  const known = entries.some(([value]) => value === chosen) ? entries : [[chosen, chosen], ...entries];
  select.replaceChildren(...known.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}

function drawFilters() {
  const groups = new Map();
  const all = page.scopes.length ? page.scopes : Object.keys(t().scopes).map((scope) => ({ scope, kind: scope === "district" ? "district" : "kind" }));
  for (const each of all.filter(({ scope }) => !scope.endsWith("/*"))) groups.set(each.kind, [...(groups.get(each.kind) ?? []), each]);
  if (!all.some(({ scope }) => scope === page.scope)) groups.set("", [{ scope: page.scope }]);
  $("scope").replaceChildren(...[...groups].map(([kind, scopes]) => {
    const entries = scopes.map(({ scope }) => element("option", { value: scope, selected: scope === page.scope }, scopeName(scope)));
    return element("optgroup", { label: t().groups[kind] ?? kind }, ...entries);
  }));
  options($("kind"), ["year", "quarter", "months", "custom"].map((kind) => [kind, t()[kind]]), page.period.kind);
  drawPeriodFields();
}

function drawPeriodFields() {
  const { kind, from, to, key } = page.period, { first, last } = page.bounds;
  const months = monthsOf({ from: monthOf(first), to: addMonths(last, 1) }).reverse();
  const pick = (id, label, entries, chosen, act) => {
    const select = element("select", { id, change: act });
    options(select, entries, chosen);
    return element("label", {}, element("span", {}, label), select);
  };
  const day = (id, label, value) => element("label", {}, element("span", {}, label), element("input", { id, type: "date", value, change: changeDays, required: true }));
  const fields = {
    year: () => [pick("year", t().year, [...new Set(months.map((m) => m.slice(0, 4)))].map((y) => [y, periodName(yearPeriod(y))]), key, () => go({ period: yearPeriod($("year").value) }))],
    quarter: () => {
      const quarters = new Map(months.map(quarterPeriod).map((each) => [each.key, each]));
      return [pick("quarter", t().quarter, [...quarters].map(([k, each]) => [k, periodName(each)]), key, () => go({ period: periodOf(new URLSearchParams({ period: $("quarter").value })) }))];
    },
    months: () => [
      pick("from-month", t().fromMonth, months.map((m) => [m, monthName(m)]), from, changeMonths),
      pick("to-month", t().toMonth, months.map((m) => [m, monthName(m)]), monthOf(addDays(to, -1)), changeMonths),
    ],
    custom: () => [day("from-day", t().fromDay, from), day("last-day", t().lastDay, addDays(to, -1))],
  };
  const focused = document.activeElement?.id;
  $("period-fields").replaceChildren(...fields[kind]());
  if (focused) $(focused)?.focus();
}

function changeMonths() {
  const from = $("from-month").value, last = $("to-month").value;
  changeRange(from <= last, () => period("months", from, addMonths(last, 1)));
}

function changeDays() {
  const from = $("from-day").value, last = $("last-day").value;
  changeRange(isDay(from) && isDay(last) && from <= last, () => period("custom", from, addDays(last, 1)));
}

function changeRange(valid, make) {
  $("filter-error").textContent = valid ? "" : t().badOrder;
  if (valid) go({ period: make() });
}

// The period of another kind that lies closest: the last quarter, or the same days.
function changeKind() {
  const { from, to } = page.period, newest = later(from, sooner(addDays(to, -1), page.bounds.last));
  const made = { year: () => yearPeriod(newest.slice(0, 4)), quarter: () => quarterPeriod(newest), months: () => period("months", monthOf(from), addMonths(addDays(to, -1), 1)), custom: () => period("custom", from, to) };
  go({ period: made[$("kind").value]() });
}

function readAddress() {
  const query = new URLSearchParams(location.search), found = periodOf(query);
  page.lang = query.get("lang") === "en" ? "en" : "zh";
  page.scope = query.get("scope") || "district";
  page.period = found ?? defaultPeriod(page.bounds);
  return found !== undefined;
}

// ---- The whole. ----

function drawWords() {
  document.documentElement.lang = page.lang === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t()[node.dataset.text];
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t()[node.dataset.label]);
  const other = page.lang === "zh" ? "en" : "zh";
  Object.assign($("language"), { textContent: t().other, href: address({ lang: other }), lang: other, hreflang: other });
  $("heading").textContent = `${scopeName(page.scope)} · ${periodName(page.period)}`;
  $("range").textContent = page.period.kind === "custom" ? "" : range(page.period.from, page.period.to);
  document.title = `${scopeName(page.scope)} ${periodName(page.period)} · ${t().product}`;
}

function drawDefinitions() {
  const shown = [...new Set([...TILES, ...Object.values(CHARTS).flatMap((chart) => chart.series().map((each) => each.metric))])].filter((id) => page.catalogue.has(id));
  $("definitions").hidden = !shown.length;
  $("definition-list").replaceChildren(...shown.map((id) => {
    const { definition, source } = page.catalogue.get(id);
    return element("div", { id: `def-${id}` }, element("dt", {}, title(id)), element("dd", {}, `${definition ?? ""}${source ? ` ${t().source}${source}` : ""}`));
  }));
}

function notice(...content) {
  $("notice").hidden = !content.length;
  $("notice").className = "notice";
  $("notice").replaceChildren(...content);
}

// Resolves, with what may have aborted it, when every part has loaded or failed.
async function render({ keepFilters = false } = {}) {
  page.abort.abort();
  page.abort = new AbortController();
  const { abort } = page;
  drawWords();
  if (!keepFilters) drawFilters();
  drawDefinitions();
  await Promise.all([...drawTiles(), ...Object.keys(CHARTS).map(chartCard), quietCard()]);
  return abort;
}

function boundsOf(status) {
  if (status?.first_event_date && status.last_event_date) return { first: status.first_event_date, last: status.last_event_date, known: true };
  const today = new Intl.DateTimeFormat("sv-SE", { timeZone: TIME_ZONE }).format(new Date());
  return { first: `${Number(today.slice(0, 4)) - 1}-01-01`, last: today, known: false };
}

// What the server says about itself. Each answer may be missing: the page then does with less.
async function learn() {
  const [status, scopes, metrics] = await Promise.all(["status", "scopes", "metrics"].map((noun) => getJson(`/api/v1/${noun}`).catch((error) => error)));
  page.status = status instanceof Error ? null : status;
  page.unreachable = status instanceof Error ? explain(status) : "";
  page.bounds = boundsOf(page.status);
  page.scopes = scopes?.scopes ?? [];
  page.catalogue = new Map((metrics?.metrics ?? []).map((metric) => [metric.id, metric]));
}

function begin({ keepFilters = false } = {}) {
  const understood = readAddress();
  if (page.status?.events === 0) notice(t().emptyLake, element("code", {}, "lawpulse land --lake DIR FILE"), t().emptyLakeDemo, element("code", {}, "lawpulse demo"));
  else if (page.unreachable) notice(page.unreachable, " ", element("button", { type: "button", click: restart }, t().retry));
  else if (!understood) notice(t().badPeriod);
  else notice();
  render({ keepFilters });
}

async function restart() {
  await learn();
  begin();
}

// A wall display stays open for weeks: when the lake has moved on, so does the page.
async function follow() {
  if (document.hidden) return;
  const status = await getJson("/api/v1/status").catch(() => null);
  if (!status || status.lake_version === page.status?.lake_version) return;
  await learn();
  // Nobody's half-made choice is taken away.
  begin({ keepFilters: $("filters").contains(document.activeElement) });
}

// Before the server has answered, at least the words are in the right language.
function drawLoading() {
  page.bounds = boundsOf(null);
  readAddress();
  drawWords();
  $("heading").textContent = t().loading;
  $("range").textContent = "";
  $("tiles").replaceChildren(...[...TILES, "freshness"].map(() => element("article", { class: "tile" }, state("loading", t().loading))));
}

function openDefinition() {
  if (!location.hash.startsWith("#def-")) return;
  $("definitions").open = true;
  $(location.hash.slice(1))?.scrollIntoView({ block: "center" });
}

$("scope").addEventListener("change", () => go({ scope: $("scope").value }));
$("kind").addEventListener("change", changeKind);
$("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("popstate", () => begin());
window.addEventListener("hashchange", openDefinition);
window.addEventListener("beforeprint", () => {
  $("definitions").open = true;
  redrawAll({ width: PAPER.width, height: PAPER.height });
});
window.addEventListener("afterprint", () => redrawAll());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawAll());
setInterval(follow, STATUS_EVERY_MS);

drawLoading();
await learn();
begin();
openDefinition();

