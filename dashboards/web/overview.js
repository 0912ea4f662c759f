// The first page, in the order in which leadership reads: the headlines, who needs attention, whether officers use the
// platform, inspections against what they find, cases, lawful procedure, supervision, the year's goals.

import { getJson, membersOf, metricUrl, pageOf, rowsByValue, rowsOf, unitNameOf, unitsOf } from "./api.js";
import { activityChart, casesChart, inspectionsChart, lineOf } from "./charts.js";
import { addMonths, lastMonth } from "./days.js";
import { $, bar, card, drawDefinitions, element, empty, figure, figures, load, scrolling, table } from "./document.js";
import {
  amount,
  count,
  dayName,
  hasValue,
  isRatio,
  metricOf,
  monthName,
  percent,
  scopeName,
  share,
  t,
  title,
  titleOf,
  unitWord,
} from "./language.js";
import { limitFigures, limitsOn } from "./limits.js";
import { address, scopeAndPeriod, start } from "./page.js";
import { page } from "./state.js";
import { STATUSES, statusBadge } from "./status.js";
import { drawTiles, lastDay, nowAndBefore, quietly } from "./tiles.js";

const TILES = [
  "officer_activity_ratio",
  "patrols",
  "inspections",
  "cases_closed",
  "cases_open",
  "orgs_onboarded_ratio",
];
const COMPLIANCE = [
  "two_officer_ratio",
  "credential_shown_ratio",
  "code_scanned_ratio",
  "legal_review_ratio",
  "decision_service_timely_ratio",
  "penalty_publication_timely_ratio",
  "full_record_ratio",
];
const SUPERVISION = [
  "opinions_issued",
  "opinion_reply_ratio",
  "opinion_rectified_ratio",
  "complaint_handled_ratio",
  "dossier_pass_ratio",
  "social_reviews",
];
const AGES = ["0-30", "31-60", "61-90", "over-90"];
// How far back it is looked for how long a unit has been below the line.
const MONTHS_BACK = 12;

const words = {
  zh: {
    attention: "需要关注的单位",
    attentionSummary: (red, amber, all) =>
      `${all} 个单位中，${red} 个静默，另有 ${amber} 个活跃度低于关注线或有事项超期。`,
    nobody: (all) => `${all} 个单位都在正常使用。`,
    why: "原因",
    activity: "活跃度",
    silent: (days) => `静默 ${days} 个工作日`,
    low: (value, months, least) => `活跃度 ${value}，连续 ${months} 个月${least ? "以上" : ""}偏低`,
    overdue: (n) => `${n} 项超期未办`,
    funnel: "使用漏斗",
    steps: { onboarded: "单位入驻", activated: "账号激活", active: "业务活跃", deep: "深度使用" },
    funnelSummary: (idle) => `只登录、没有业务活动的占 ${idle}。`,
    limits: "时限与账龄",
    limitsSub: (day) => `截至 ${day}`,
    limitsSummary: (over, soon) => `${over} 项已超期，5 日内到期 ${soon} 项。`,
    age: "在办案件账龄",
    ages: { "0-30": "30 天内", "31-60": "31–60 天", "61-90": "61–90 天", "over-90": "90 天以上" },
    compliance: "法定程序",
    supervision: "监督闭环",
    thisPeriod: "本期",
    goals: (year) => `${year} 年度目标`,
    goalsSummary: (off) => `偏离的目标 ${off} 项`,
    allGoals: "全部目标",
    allUnits: "全部单位",
    allLimits: "全部临期案件",
  },
  en: {
    attention: "Units that need attention",
    attentionSummary: (red, amber, all) =>
      `Of ${all} units ${red} are silent; ${amber} more have low activity or limits past.`,
    nobody: (all) => `All ${all} units use the platform as they should.`,
    why: "Why",
    activity: "Activity",
    silent: (days) => `silent for ${days} working days`,
    low: (value, months, least) => `activity ${value}, low for ${months} months${least ? " or more" : ""}`,
    overdue: (n) => `${n} limits past`,
    funnel: "From onboarding to use",
    steps: {
      onboarded: "Onboarded",
      activated: "Activated",
      active: "Active",
      deep: "Sustained",
    },
    funnelSummary: (idle) => `${idle} of the roster log in and record nothing.`,
    limits: "Limits and age",
    limitsSub: (day) => `as of ${day}`,
    limitsSummary: (over, soon) => `${over} are past, ${soon} end within 5 days.`,
    age: "Age of open cases",
    ages: { "0-30": "up to 30 days", "31-60": "31–60 days", "61-90": "61–90 days", "over-90": "over 90 days" },
    compliance: "Lawful procedure",
    supervision: "Supervision",
    thisPeriod: "This period",
    goals: (year) => `Goals of ${year}`,
    goalsSummary: (off) => `Goals off course: ${off}`,
    allGoals: "All goals",
    allUnits: "All units",
    allLimits: "All limits",
  },
};

// ---- Who needs attention. ----

function drawAttention() {
  const month = lastMonth(page.period, page.bounds),
    group = membersOf(page.scope),
    day = lastDay();
  const back = { from: addMonths(month.from, 1 - MONTHS_BACK), to: month.to };
  const urls = {
    silent: metricUrl("org_silent_working_days", day, "all", { scope: group }),
    activity: metricUrl("officer_activity_ratio", back, "month", { scope: group, level: "L2" }),
    overdue: metricUrl("clocks_overdue", day, "all", { scope: group }),
  };
  const links = [element("a", { href: address({}, "units") }, t().allUnits)];
  const part = card("attention", t().attention, dayName(day.from), links);
  return load(part, async () => {
    const [silent, activity, overdue] = await Promise.all(Object.values(urls).map(unitsOf));
    return (body) => drawUnits(body, { silent, activity, overdue, month });
  });
}

function drawUnits(body, { silent, activity, overdue, month }) {
  const units = new Map(),
    of = (row) => units.get(row.scope) ?? units.set(row.scope, { row, months: [], reasons: [] }).get(row.scope);
  const known = activity.filter((row) => row.denominator);
  for (const row of known) of(row).months.push(row);
  const present = [...units.values()].filter(({ months }) => months.at(-1)?.period_start === month.from);
  const line = lineOf("officer_activity_ratio"),
    quiet = lineOf("org_silent_working_days");
  const find = (rows, scope) => rows.find((row) => row.scope === scope)?.value ?? 0;
  for (const unit of present) {
    const { scope } = unit.row,
      days = find(silent, scope),
      late = find(overdue, scope),
      now = unit.months.at(-1);
    unit.red = quiet !== undefined && days >= quiet;
    unit.value = now.value;
    const above = unit.months.findLastIndex((row) => hasValue(row) && row.value >= line);
    const lasting = unit.months.length - 1 - above;
    if (unit.red) unit.reasons.push(["bad", t().silent(count(days))]);
    if (hasValue(now) && now.value < line)
      unit.reasons.push(["warn", t().low(percent(now.value), count(lasting), above < 0 && lasting >= MONTHS_BACK)]);
    if (late > 0) unit.reasons.push(["warn", t().overdue(count(late))]);
  }
  const listed = present.filter(({ reasons }) => reasons.length);
  const red = listed.filter((unit) => unit.red).length;
  // The silent first. By activity only if the catalogue lets units be ranked by it, else by name.
  const ranked = metricOf("officer_activity_ratio")?.rankable;
  const byName = (a, b) => String(a.row.scope_name).localeCompare(String(b.row.scope_name), "zh-CN");
  listed.sort((a, b) => b.red - a.red || (ranked && (a.value ?? 2) - (b.value ?? 2)) || byName(a, b));
  const lines = listed.map(({ row, reasons }) => ({
    cells: [
      element("a", { href: address({ scope: row.scope }, pageOf(row.scope)) }, unitNameOf(row)),
      {
        class: "text",
        cell: element(
          "ul",
          { class: "chips" },
          reasons.map(([kind, text]) => element("li", { class: kind }, text)),
        ),
      },
    ],
  }));
  const summary = element(
    "p",
    { class: "summary" },
    listed.length
      ? t().attentionSummary(count(red), count(listed.length - red), count(present.length))
      : t().nobody(count(present.length)),
  );
  if (!listed.length) return body.replaceChildren(present.length ? summary : empty(page.period));
  body.replaceChildren(
    summary,
    scrolling(t().attention, table(t().attention, [t().unit, { text: t().why, class: "text" }], lines, { hide: true })),
  );
}

// ---- Use, procedure, supervision. ----

function drawFunnel() {
  const steps = [
    ["onboarded", "orgs_onboarded_ratio", {}],
    ["activated", "officer_activation_ratio", {}],
    ["active", "officer_activity_ratio", { level: "L2" }],
    ["deep", "officer_activity_ratio", { level: "L3" }],
  ];
  const month = lastMonth(page.period, page.bounds);
  const urls = steps.map(([, id, more]) => metricUrl(id, month, "all", more));
  const part = card("funnel", t().funnel, monthName(month.from), []);
  return load(part, async () => {
    const [[idle], ...answers] = await Promise.all([
      quietly(metricUrl("login_only_ratio", month, "all")),
      ...urls.map(rowsOf),
    ]);
    const rows = answers.map(([row]) => row);
    return (body) => {
      if (!rows.some(hasValue)) return body.replaceChildren(empty(month));
      const lines = steps.map(([name], at) => ({
        cells: [
          t().steps[name],
          { class: "bar", cell: bar(rows[at]?.value) },
          hasValue(rows[at]) ? percent(rows[at].value) : t().withheld,
          hasValue(rows[at]) ? share(rows[at]) : "",
        ],
      }));
      const columns = [t().metric, "", t().value, t().share].map((text) => (text ? text : element("td", {})));
      body.replaceChildren(
        element("p", { class: "summary" }, hasValue(idle) ? t().funnelSummary(percent(idle.value)) : ""),
        scrolling(t().funnel, table(t().funnel, columns, lines, { hide: true })),
      );
    };
  });
}

// Metrics one below the other: this period, the one before, and what the share is of.
function drawList(id, heading, metrics) {
  const part = card(id, heading);
  return load(part, async () => {
    const answers = await Promise.all(metrics.map((metric) => nowAndBefore(metric)));
    return (body) => {
      const lines = metrics.map((metric, at) => {
        const [row, old] = answers[at],
          entry = metricOf(metric);
        const value = row?.withheld
          ? t().withheld
          : `${amount(entry, row?.value)}${hasValue(row) && !isRatio(entry) ? ` ${unitWord(entry)}` : ""}`;
        return {
          cells: [
            element("a", { href: address({ own: { metric } }, "explore") }, title(metric)),
            { class: "strong", cell: value },
            hasValue(old) ? amount(entry, old.value) : "—",
            isRatio(entry) && hasValue(row) ? share(row) : "",
          ],
        };
      });
      body.replaceChildren(
        scrolling(heading, table(heading, [t().metric, t().thisPeriod, t().prior, t().share], lines, { hide: true })),
      );
    };
  });
}

function drawLimits() {
  const day = lastDay(),
    part = card("limits", t().limits, t().limitsSub(dayName(day.from)), [
      element("a", { href: address({}, "clocks") }, t().allLimits),
    ]);
  return load(part, async () => {
    const [limits, open] = await Promise.all([
      limitsOn(day, ["5", "15", "30"]),
      rowsByValue("cases_open", day, "all", "age", AGES),
    ]);
    return (body) => {
      const byAge = figures(open.map(([row], at) => figure(t().ages[AGES[at]], count(row?.value))));
      body.replaceChildren(
        element("p", { class: "summary" }, t().limitsSummary(count(limits.past), count(limits.soon[0]))),
        limitFigures(limits),
        element("h3", {}, t().age),
        byAge,
      );
    };
  });
}

function drawGoals() {
  const part = card("goals", t().nav.goals, "", [element("a", { href: address({}, "goals") }, t().allGoals)]);
  return load(part, async () => {
    const { goals, year } = await getJson("/api/v1/goals");
    return (body) => {
      $("goals-heading").textContent = t().goals(year);
      const statuses = figures(
        STATUSES.map((status) =>
          figure(statusBadge(status), count(goals.filter((goal) => goal.status === status).length)),
        ),
      );
      const off = goals.filter((goal) => goal.status === "off_course");
      const list = element(
        "ul",
        { class: "plain" },
        off.map((goal) =>
          element("li", {}, `${titleOf(goal)}${goal.scope === page.whole ? "" : `（${scopeName(goal.scope)}）`}`),
        ),
      );
      body.replaceChildren(
        statuses,
        element("p", { class: "summary" }, t().goalsSummary(count(off.length))),
        element(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": t().goalsSummary(count(off.length)) },
          list,
        ),
      );
    };
  });
}

// ---- The page. ----

start({
  id: "overview",
  words,
  filters: ["scope", "period"],
  heading: scopeAndPeriod,
  layout(content) {
    const section = (id) => element("section", { class: `card ${id}`, id });
    content.replaceChildren(
      element("section", { class: "tiles", id: "tiles", "data-label": "headlines" }),
      element(
        "div",
        { class: "cards" },
        ["attention", "activity", "funnel", "inspections", "cases", "limits", "compliance", "supervision", "goals"].map(
          section,
        ),
      ),
    );
  },
  draw() {
    drawDefinitions([
      ...TILES,
      "inspection_detection_ratio",
      "cases_filed",
      "org_silent_working_days",
      "clocks_overdue",
      "clocks_due",
      "officer_activation_ratio",
      ...COMPLIANCE,
      ...SUPERVISION,
    ]);
    return [
      ...drawTiles(TILES),
      drawAttention(),
      activityChart(),
      drawFunnel(),
      inspectionsChart(),
      casesChart(),
      drawLimits(),
      drawList("compliance", t().compliance, COMPLIANCE),
      drawList("supervision", t().supervision, SUPERVISION),
      drawGoals(),
    ];
  },
});
