// All units side by side. In the order of a number only where the catalogue lets units be ranked by it; else by name.

import { membersOf, metricUrl, pageOf, unitNameOf, unitsOf } from "./api.js";
import { lineOf } from "./charts.js";
import { lastMonth } from "./days.js";
import {
  bar,
  card,
  csv,
  csvButton,
  drawDefinitions,
  element,
  empty,
  load,
  save,
  scrolling,
  table,
} from "./document.js";
import {
  amount,
  count,
  hasValue,
  isRatio,
  metricOf,
  monthName,
  percent,
  share,
  t,
  title,
  unitWord,
} from "./language.js";
import { address, go, scopeAndPeriod, start } from "./page.js";
import { page } from "./state.js";
import { lastDay } from "./tiles.js";

// Use is looked at in the last month, states on the last day, volumes over the whole period.
const COLUMNS = [
  { metric: "officer_activity_ratio", of: "month", bar: true },
  { metric: "login_only_ratio", of: "month" },
  { metric: "org_silent_working_days", of: "day" },
  { metric: "records_per_active_officer", of: "month" },
  { metric: "backfill_ratio", of: "period" },
  { metric: "data_quality_ratio", of: "period" },
  { metric: "inspections", of: "period" },
  { metric: "inspection_detection_ratio", of: "period" },
  { metric: "cases_filed", of: "period" },
  { metric: "cases_closed", of: "period" },
  { metric: "cases_open", of: "day" },
  { metric: "clocks_overdue", of: "day" },
];

const words = {
  zh: {
    everyUnit: "各单位",
    find: "按名称查找",
    summary: (all, low, small) =>
      `${all} 个单位中，${low} 个 ${title("officer_activity_ratio")}低于关注线${small ? `；${small} 个在册人数过少，不显示比率` : ""}。`,
    order: "按名称排列；点表头可按允许排名的指标排列。",
    spans: (month) => `使用情况为 ${month}，数量为所选周期，存量和静默为期末。`,
    sortBy: (name) => `按${name}排列`,
    onlySeen: "检查、处罚、罚款类指标不排名",
    roster: "活跃 / 在册",
    noneFound: "没有这个名称的单位。",
  },
  en: {
    everyUnit: "Units",
    find: "Find by name",
    summary: (all, low, small) =>
      `${low} of ${all} units are below the line of ${title("officer_activity_ratio").toLowerCase()}${small ? `; ${small} have too few officers to show a ratio` : ""}.`,
    order: "In the order of names; click a heading to order by a metric that units may be ranked by.",
    spans: (month) =>
      `Use is that of ${month}; volumes are of the period; open cases and silence are those at its end.`,
    sortBy: (name) => `Order by ${name}`,
    onlySeen: "Volumes of inspections, cases and fines are not ranked",
    roster: "Active / roster",
    noneFound: "No unit has that name.",
  },
};

function periods() {
  return { month: lastMonth(page.period, page.bounds), day: lastDay(), period: page.period };
}

function drawUnits() {
  const spans = periods(),
    group = membersOf(page.scope);
  const urls = COLUMNS.map(({ metric, of }) => metricUrl(metric, spans[of], "all", { scope: group }));
  let units = [];
  const part = card("units", t().everyUnit, t().spans(monthName(spans.month.from)), [
    csvButton(t().everyUnit, () => exported(units)),
  ]);
  return load(part, async () => {
    const answers = await Promise.all(urls.map(unitsOf));
    units = joined(answers);
    return (body) => (units.length ? drawTable(body, units) : body.replaceChildren(empty(page.period)));
  });
}

// One entry for each unit with somebody on its roster, with the rows of every column.
function joined(answers) {
  const units = new Map();
  for (const row of answers[0])
    if (row.denominator) units.set(row.scope, { scope: row.scope, name: unitNameOf(row), rows: [] });
  answers.forEach((rows, at) =>
    rows.forEach((row) => {
      if (units.has(row.scope)) units.get(row.scope).rows[at] = row;
    }),
  );
  return [...units.values()].sort((a, b) => a.name.localeCompare(b.name, "zh-CN"));
}

function ordered(units) {
  const at = COLUMNS.findIndex(({ metric }) => metric === page.own.order);
  const metric = metricOf(page.own.order);
  if (at < 0 || !metric?.rankable) return units;
  // The worst first; who has no value has no place in the order.
  const sign = metric.direction === "down" ? -1 : 1;
  const [known, others] = [
    units.filter(({ rows }) => hasValue(rows[at])),
    units.filter(({ rows }) => !hasValue(rows[at])),
  ];
  return [...known.sort((a, b) => sign * (a.rows[at].value - b.rows[at].value)), ...others];
}

function drawTable(body, units) {
  const line = lineOf("officer_activity_ratio");
  const low = units.filter(({ rows: [row] }) => hasValue(row) && row.value < line).length;
  const small = units.filter(({ rows: [row] }) => row?.withheld).length;
  const head = [
    element(
      "th",
      { scope: "col", "aria-sort": page.own.order ? null : "ascending" },
      page.own.order
        ? element("button", { type: "button", class: "plain", click: () => go({ own: { order: "" } }) }, t().unit)
        : t().unit,
    ),
    ...COLUMNS.flatMap(heading),
  ];
  const lines = ordered(units).map((unit) => ({
    class: unit.scope === page.scope ? "chosen" : null,
    "data-name": unit.name,
    cells: [
      element("a", { href: address({ scope: unit.scope }, pageOf(unit.scope)) }, unit.name),
      ...COLUMNS.flatMap((column, at) => cells(column, unit.rows[at])),
    ],
  }));
  const shown = scrolling(t().everyUnit, table(t().everyUnit, head, lines, { classes: "wide", hide: true }));
  const search = element("input", {
    type: "search",
    id: "find",
    input: () => filter(shown, search.value, none),
    autocomplete: "off",
  });
  const none = element("p", { class: "summary", role: "status" });
  search.value = body.querySelector("#find")?.value ?? "";
  const find = element("label", {}, element("span", {}, t().find), search);
  body.replaceChildren(
    element(
      "div",
      { class: "choices" },
      element("p", { class: "summary" }, t().summary(count(units.length), count(low), small), " ", t().order),
      find,
    ),
    none,
    shown,
  );
  filter(shown, search.value, none);
}

function filter(part, text, none) {
  const lines = [...part.querySelectorAll("tbody tr")],
    wanted = text.trim().toLowerCase();
  for (const line of lines) line.hidden = !line.dataset.name.toLowerCase().includes(wanted);
  none.textContent = lines.length && lines.every((line) => line.hidden) ? t().noneFound : "";
}

function heading(column) {
  const metric = metricOf(column.metric),
    name = title(column.metric),
    unit = unitWord(metric);
  const text = `${name}${unit ? ` (${unit})` : ""}`;
  const chosen = page.own.order === column.metric;
  const sorted = chosen ? (metric.direction === "down" ? "descending" : "ascending") : null;
  const inside = metric?.rankable
    ? element(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": t().sortBy(name),
          click: () => go({ own: { order: column.metric } }),
        },
        `${text}${chosen ? (sorted === "ascending" ? " ↑" : " ↓") : " ↕"}`,
      )
    : element("span", { title: t().onlySeen }, text);
  const wide = column.bar ? [element("td", {}), element("th", { scope: "col" }, t().roster)] : [];
  return [element("th", { scope: "col", "aria-sort": sorted }, inside), ...wide];
}

function cells(column, row) {
  const metric = metricOf(column.metric),
    warn = metric?.thresholds?.warn;
  const bad =
    hasValue(row) &&
    warn !== null &&
    warn !== undefined &&
    (metric.direction === "down" ? row.value >= warn : row.value < warn);
  const text = row?.withheld ? t().withheld : column.bar ? percent(row?.value) : amount(metric, row?.value);
  const hint = hasValue(row) && isRatio(metric) ? share(row) : null;
  const first = { class: bad ? "attention" : null, cell: text, title: hint };
  return column.bar
    ? [first, { class: "bar", cell: bar(row?.value ?? null, warn) }, row?.withheld ? "" : share(row)]
    : [first];
}

function exported(units) {
  const columns = [
    "scope",
    "name",
    ...COLUMNS.flatMap(({ metric }) => [metric, `${metric}_numerator`, `${metric}_denominator`]),
  ];
  const rows = ordered(units).map((unit) =>
    Object.fromEntries([
      ["scope", unit.scope],
      ["name", unit.name],
      ...COLUMNS.flatMap(({ metric }, at) => [
        [metric, unit.rows[at]?.value],
        [`${metric}_numerator`, unit.rows[at]?.numerator],
        [`${metric}_denominator`, unit.rows[at]?.denominator],
      ]),
    ]),
  );
  save(`lawpulse-units-${page.period.from}-${page.period.to}.csv`, csv(columns, rows));
}

start({
  id: "units",
  words,
  filters: ["scope", "period"],
  own: { order: "" },
  heading: scopeAndPeriod,
  layout(content) {
    content.replaceChildren(element("section", { class: "card", id: "units" }));
  },
  draw() {
    drawDefinitions(COLUMNS.map(({ metric }) => metric));
    return [drawUnits()];
  },
});
