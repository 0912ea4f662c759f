// The year's goals: where each stands, where it should stand today, and where it will stand at the end.

import { ask, getJson } from "./api.js";
import { $, card, csv, csvButton, element, figure, figures, load, save, scrolling, table } from "./document.js";
import {
  amount,
  count,
  dayName,
  inWords,
  isZh,
  metricOf,
  phrase,
  scopeName,
  sourceOf,
  t,
  titleOf,
  today,
  unitWord,
} from "./language.js";
import { address, go, pick, start } from "./page.js";
import { page } from "./state.js";
import { STATUSES, statusBadge } from "./status.js";

const words = {
  zh: {
    heading: (year) => `${year} 年度目标`,
    asOf: (day) => `截至 ${day}`,
    status: "状态",
    owner: "责任单位",
    summary: "目标进展",
    now: "今天",
    shouldBe: "今天应达到",
    target: "目标",
    baseline: "基数（上年）",
    forecast: "年底预测",
    interval: (low, high) => `80% 区间 ${low} 至 ${high}`,
    sides: { at_least: "不低于", at_most: "不高于" },
    kinds: { target: "目标", ceiling: "上限", warning: "护栏预警" },
    due: (day) => `${day}前`,
    legend: "条形为今天的值；竖线为今天应达到，菱形为目标，浅色段为年底预测区间。",
    why: "原因",
    note: "说明",
    changes: "目标修改记录",
    changedOn: "日期",
    goal: "目标",
    change: "修改",
    keys: "内容",
    changeWords: { added: "新增", changed: "修改", removed: "删除" },
    noGoal: "没有符合条件的目标。",
    noGoals: (year) => `${year} 年没有设定目标。目标写在 sql/goals/${year}.toml。`,
    methods: { seasonal: "按上年同期节奏推算", linear: "按线性进度推算", trend: "按近期趋势推算" },
  },
  en: {
    heading: (year) => `Goals of ${year}`,
    asOf: (day) => `as of ${day}`,
    status: "Status",
    owner: "Owner",
    summary: "Progress",
    now: "Today",
    shouldBe: "Should be",
    target: "Target",
    baseline: "Baseline (last year)",
    forecast: "Forecast for the end",
    interval: (low, high) => `80% interval ${low} to ${high}`,
    sides: { at_least: "at least", at_most: "at most" },
    kinds: { target: "target", ceiling: "ceiling", warning: "guardrail" },
    due: (day) => `by ${day}`,
    legend:
      "The bar is the value today; the line is where it should be, the diamond the target, the light stretch the interval of the forecast.",
    why: "Why",
    note: "Note",
    changes: "Changes of goals",
    changedOn: "Day",
    goal: "Goal",
    change: "Change",
    keys: "What",
    changeWords: { added: "added", changed: "changed", removed: "removed" },
    noGoal: "No goal is like that.",
    noGoals: (year) => `There are no goals for ${year}. They are written in sql/goals/${year}.toml.`,
    methods: { seasonal: "by last year's season", linear: "linear", trend: "by the recent trend" },
  },
};

const nameOf = (goal) => `${titleOf(goal)}${goal.scope === page.whole ? "" : ` · ${scopeName(goal.scope)}`}`;
// The year of the goals that are shown: the chosen one, or the newest that has any, which the server knows.
let newest = "";
const yearShown = () => page.own.year || newest;

// The value between the least and the most that the goal speaks of, as a share of one.
function scaleOf(goal) {
  const marks = [
    goal.value,
    goal.target,
    goal.should_be,
    goal.baseline,
    goal.forecast?.low,
    goal.forecast?.high,
  ].filter(Number.isFinite);
  const low = Math.min(0, ...marks),
    high = Math.max(...marks, goal.unit === "ratio" && Math.max(...marks) > 0.5 ? 1 : 0) || 1;
  return (value) => `${((value - low) / (high - low)) * 100}%`;
}

function bullet(goal) {
  const at = scaleOf(goal),
    mark = (kind, value) => {
      if (!Number.isFinite(value)) return null;
      const node = element("i", { class: kind });
      node.style.left = at(value);
      return node;
    };
  const value = element("i", { class: `value ${goal.status}` });
  value.style.width = Number.isFinite(goal.value) ? at(goal.value) : "0";
  const interval = element("i", { class: "interval" });
  const { low, high } = goal.forecast ?? {};
  if (Number.isFinite(low)) Object.assign(interval.style, { left: at(low), width: `calc(${at(high)} - ${at(low)})` });
  return element(
    "div",
    { class: "bullet", "aria-hidden": "true" },
    interval,
    value,
    mark("should", goal.should_be),
    mark("target", goal.target),
  );
}

function goalEntry(goal) {
  const metric = metricOf(goal.metric) ?? { unit: goal.unit };
  const write = (value) =>
    Number.isFinite(value) ? `${amount(metric, value)}${unitWord(metric) ? ` ${unitWord(metric)}` : ""}` : "—";
  const row = { value: goal.value, numerator: goal.numerator, denominator: goal.denominator };
  const period = {
    own: {
      metric: goal.metric,
      params: Object.entries(goal.parameters)
        .map((pair) => pair.join("="))
        .join(","),
    },
    scope: goal.scope,
  };
  const { forecast } = goal,
    interval =
      forecast && forecast.low !== forecast.high ? t().interval(write(forecast.low), write(forecast.high)) : "";
  const more = [
    goal.reason && `${t().why}: ${phrase(goal.reason)}`,
    goal.note && `${t().note}: ${phrase(goal.note)}`,
    `${t().source}${sourceOf(goal)}`,
    forecast && (t().methods[forecast.method] ?? forecast.method),
  ].filter(Boolean);
  return element(
    "article",
    { class: "goal", id: `goal-${goal.goal}-${goal.scope}` },
    element(
      "header",
      {},
      statusBadge(goal.status),
      element("h3", {}, element("a", { href: address(period, "explore") }, nameOf(goal))),
      element(
        "span",
        { class: "sub" },
        [goal.owner, t().kinds[goal.kind], t().due(dayName(goal.due))].filter(Boolean).join(" · "),
      ),
    ),
    bullet(goal),
    figures(
      figure(t().now, inWords(metric, row), "now"),
      figure(t().shouldBe, write(goal.should_be)),
      figure(t().target, `${t().sides[goal.side]} ${write(goal.target)}`),
      figure(t().baseline, write(goal.baseline)),
      forecast
        ? figure(t().forecast, [write(forecast.value), interval].filter(Boolean).join(isZh() ? "，" : ", "))
        : null,
    ),
    element("p", { class: "detail" }, more.join(t().and)),
  );
}

function drawSummary(body, goals) {
  const chosen = (status) => page.own.status === status;
  const buttons = STATUSES.map((status) =>
    element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: "figure",
          "aria-pressed": String(chosen(status)),
          click: () => go({ own: { status: chosen(status) ? "" : status } }),
        },
        statusBadge(status),
        element("b", {}, count(goals.filter((goal) => goal.status === status).length)),
      ),
    ),
  );
  const owners = [...new Set(goals.map((goal) => goal.owner))];
  const owner = pick(
    "owner",
    t().owner,
    [["", t().all], ...owners.map((each) => [each, each])],
    page.own.owner,
    (each) => go({ own: { owner: each } }),
  );
  const years = [
    ...new Set([page.bounds.first, page.bounds.last, `${yearShown()}-01-01`].map((day) => day.slice(0, 4))),
  ]
    .sort()
    .reverse();
  const year = pick(
    "goal-year",
    t().year,
    years.map((each) => [each, each]),
    yearShown(),
    (each) => go({ own: { year: each, owner: "", status: "" } }),
  );
  body.replaceChildren(
    element("ul", { class: "statuses" }, buttons),
    element("div", { class: "choices" }, year, owner),
    element("p", { class: "summary" }, t().legend),
  );
}

function drawTasks(goals) {
  const shown = goals.filter(
    (goal) =>
      (!page.own.status || goal.status === page.own.status) && (!page.own.owner || goal.owner === page.own.owner),
  );
  const tasks = Map.groupBy
    ? Map.groupBy(shown, (goal) => goal.task)
    : shown.reduce((map, goal) => map.set(goal.task, [...(map.get(goal.task) ?? []), goal]), new Map());
  const sections = [...tasks].map(([task, each]) =>
    element(
      "section",
      { class: "card task", id: `task-${task}` },
      element("h2", {}, isZh() ? each[0].task_zh : each[0].task_en),
      each.map(goalEntry),
    ),
  );
  $("tasks").replaceChildren(...(sections.length ? sections : [element("p", { class: "summary" }, t().noGoal)]));
}

const EXPORTED = [
  "goal",
  "task_zh",
  "title_zh",
  "title_en",
  "metric",
  "scope",
  "scope_name",
  "kind",
  "side",
  "owner",
  "due",
  "baseline",
  "value",
  "numerator",
  "denominator",
  "should_be",
  "target",
  "forecast_value",
  "forecast_low",
  "forecast_high",
  "status",
  "reason",
  "source",
  "note",
];

function exported(goals) {
  const flat = goals.map((goal) => ({
    ...goal,
    forecast_value: goal.forecast?.value,
    forecast_low: goal.forecast?.low,
    forecast_high: goal.forecast?.high,
  }));
  return save(`lawpulse-goals-${yearShown()}.csv`, csv(EXPORTED, flat));
}

function drawGoals() {
  const url = `/api/v1/goals${page.own.year ? `?year=${page.own.year}` : ""}`;
  let goals = [];
  const part = card("summary", t().summary, "", [
    element("a", { class: "json", href: url }, "JSON"),
    csvButton(t().summary, () => exported(goals)),
  ]);
  return load(part, async () => {
    const answer = await getJson(url).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    });
    goals = answer?.goals ?? [];
    newest ||= String(answer?.year ?? today().slice(0, 4));
    return (body) => {
      $("summary-heading").textContent = t().heading(yearShown());
      drawSummary(body, goals);
      if (answer) drawTasks(goals);
      else $("tasks").replaceChildren(element("p", { class: "notice" }, t().noGoals(yearShown())));
    };
  });
}

// When a goal was set or changed. Read only when somebody looks.
function drawChanges() {
  const part = $("changes");
  part.querySelector("summary").textContent = t().changes;
  const show = () =>
    part.open &&
    load(part, async () => {
      const rows = await ask(
        "select changed_on, goal_id, change, keys from goal_changes where year = $1 order by change_no desc limit 500",
        [Number(yearShown())],
      );
      return (body) =>
        body.replaceChildren(
          scrolling(
            t().changes,
            table(
              t().changes,
              [
                t().changedOn,
                { text: t().goal, class: "text" },
                { text: t().change, class: "text" },
                { text: t().keys, class: "text" },
              ],
              rows.map((row) => ({
                cells: [
                  dayName(row.changed_on),
                  { class: "text", cell: row.goal_id },
                  { class: "text", cell: t().changeWords[row.change] ?? row.change },
                  { class: "text", cell: row.keys },
                ],
              })),
              { hide: true },
            ),
          ),
        );
    });
  part.ontoggle = show;
  return show();
}

start({
  id: "goals",
  words,
  own: { year: "", status: "", owner: "" },
  heading: () => ({ heading: t().nav.goals, sub: t().asOf(dayName(today())) }),
  layout(content) {
    content.replaceChildren(
      element("section", { class: "card", id: "summary" }),
      element("div", { id: "tasks" }),
      element("details", { class: "card", id: "changes" }, element("summary", {}), element("div", { class: "body" })),
    );
  },
  draw: () => [drawGoals(), drawChanges()],
});
