// One unit: whether it uses the platform, what it does, how it stands beside its peers, and what runs out.

import { isUnit, metricUrl, rowsOf } from "./api.js";
import { activityChart, casesChart, inspectionsChart } from "./charts.js";
import { card, drawDefinitions, element, empty, load, scrolling, table } from "./document.js";
import { amount, count, dayName, hasValue, inWords, isRatio, metricOf, share, t, title } from "./language.js";
import { limitFigures, limitsOn } from "./limits.js";
import { address, go, scopeAndPeriod, start } from "./page.js";
import { page } from "./state.js";
import { drawTiles, lastDay } from "./tiles.js";

const TILES = [
  "officer_activity_ratio",
  "org_silent_working_days",
  "inspections",
  "inspection_detection_ratio",
  "cases_closed",
  "cases_open",
];
const MORE = [
  "patrols",
  "records_per_active_officer",
  "login_only_ratio",
  "backfill_ratio",
  "cases_filed",
  "case_overdue_ratio",
  "repeat_inspection_ratio",
  "opinion_reply_ratio",
];

const words = {
  zh: {
    beside: "与同类单位相比",
    besideSub: (kind, units) => `同类 ${units} 个${kind}；两条竖线之间是中间一半，橙色方块为差于这一半`,
    lower: "下四分位",
    median: "中位数",
    upper: "上四分位",
    place: "位置",
    figures: "其他指标",
    limits: "时限",
    limitsSub: (day) => `截至 ${day}`,
    looking: "查看明细",
    report: "本单位报告",
    allUnits: "全部单位",
    better: { up: "越高越好", down: "越低越好" },
  },
  en: {
    beside: "Beside its peers",
    besideSub: (kind, units) =>
      `${units} units of the same kind (${kind}); the middle half lies between the lines, an orange square is worse than it`,
    lower: "Lower quartile",
    median: "Median",
    upper: "Upper quartile",
    place: "Place",
    figures: "More figures",
    limits: "Limits",
    limitsSub: (day) => `as of ${day}`,
    looking: "Look at them",
    report: "Report of this unit",
    allUnits: "All units",
    better: { up: "higher is better", down: "lower is better" },
  },
};

const rankable = () =>
  [...page.catalogue.values()].filter((metric) => metric.rankable && metric.grains.includes("all"));

// Worse than the middle half of its peers; what has no better side is neither. What the law asks of all is better the higher.
const worse = (metric, { value, peers }) =>
  (["up", "compliance"].includes(metric.direction) && value < peers.p25) ||
  (metric.direction === "down" && value > peers.p75);

// Where the unit stands among its peers: the quartiles as lines, the unit as a dot, and as a square where it is worse.
function place(metric, row) {
  const { p25, p75 } = row.peers,
    marks = [row.value, p25, p75, row.peers.median];
  const low = Math.min(...marks, 0),
    high = Math.max(...marks, marks.every((mark) => mark <= 1) ? 1 : 0) || 1;
  const at = (value) => `${((value - low) / (high - low)) * 100}%`;
  const box = element("i", { class: "box" }),
    dot = element("i", { class: worse(metric, row) ? "dot worse" : "dot" });
  Object.assign(box.style, { left: at(p25), width: `calc(${at(p75)} - ${at(p25)})` });
  dot.style.left = at(row.value);
  return element("span", { class: "place", "aria-hidden": "true" }, box, dot);
}

function drawPeers() {
  const metrics = rankable(),
    part = card("peers", t().beside);
  return load(part, async () => {
    const answers = await Promise.all(
      metrics.map(({ id }) => rowsOf(metricUrl(id, page.period, "all", { peers: "true" })).catch(() => [])),
    );
    return (body) => {
      const shown = metrics
        .map((metric, at) => [metric, answers[at][0]])
        .filter(([, row]) => hasValue(row) && hasValue({ value: row.peers?.median }));
      if (!shown.length) return body.replaceChildren(empty(page.period));
      const { kind, units } = shown[0][1].peers;
      part.querySelector(".sub").textContent = t().besideSub(t().groups[kind] ?? kind, count(units));
      const lines = shown.map(([metric, row]) => ({
        cells: [
          element(
            "a",
            { href: address({ own: { metric: metric.id } }, "explore"), title: t().better[metric.direction] ?? "" },
            title(metric.id),
          ),
          { class: "strong", cell: amount(metric, row.value) },
          isRatio(metric) ? share(row) : "",
          { class: "bar", cell: place(metric, row) },
          ...["p25", "median", "p75"].map((quartile) => amount(metric, row.peers[quartile])),
        ],
      }));
      body.replaceChildren(
        scrolling(
          t().beside,
          table(t().beside, [t().metric, t().value, t().share, t().place, t().lower, t().median, t().upper], lines, {
            hide: true,
          }),
        ),
      );
    };
  });
}

function drawFigures() {
  const part = card("more", t().figures);
  return load(part, async () => {
    const answers = await Promise.all(MORE.map((id) => rowsOf(metricUrl(id, page.period, "all"))));
    return (body) => {
      const lines = MORE.map((id, at) => ({
        cells: [
          element("a", { href: address({ own: { metric: id } }, "explore") }, title(id)),
          { class: "strong", cell: inWords(metricOf(id), answers[at][0]) },
        ],
      }));
      body.replaceChildren(scrolling(t().figures, table(t().figures, [t().metric, t().value], lines, { hide: true })));
    };
  });
}

function drawLimits() {
  const day = lastDay(),
    part = card("limits", t().limits, t().limitsSub(dayName(day.from)), [
      element("a", { href: address({}, "clocks") }, t().looking),
    ]);
  return load(part, async () => {
    const limits = await limitsOn(day, ["5", "15", "30"]);
    return (body) => body.replaceChildren(limitFigures(limits));
  });
}

// The first unit, where the choice is none.
function chooseUnit() {
  const unit = page.scopes.find(isUnit);
  const chosen = page.scopes.find(({ scope }) => scope === page.scope);
  if (!unit || !chosen || isUnit(chosen)) return false;
  go({ scope: unit.scope }, { replace: true });
  return true;
}

start({
  id: "unit",
  words,
  filters: ["scope", "period"],
  scopes: isUnit,
  heading: scopeAndPeriod,
  layout(content) {
    const section = (id) => element("section", { class: `card ${id}`, id });
    content.replaceChildren(
      element("p", { class: "crumbs", id: "crumbs" }),
      element("section", { class: "tiles", id: "tiles", "data-label": "headlines" }),
      element("div", { class: "cards" }, ["activity", "limits", "more", "peers", "inspections", "cases"].map(section)),
    );
  },
  draw() {
    if (chooseUnit()) return [];
    const year = page.period.from.slice(0, 4);
    document
      .getElementById("crumbs")
      .replaceChildren(
        element("a", { href: address({ scope: page.whole }, "units") }, t().allUnits),
        " · ",
        element("a", { href: address({ own: { year, unit: page.scope } }, "report") }, t().report),
      );
    drawDefinitions([...TILES, ...MORE, "clocks_due", "clocks_overdue"]);
    return [
      ...drawTiles(TILES, { peers: true }),
      activityChart(true),
      drawLimits(),
      drawPeers(),
      drawFigures(),
      inspectionsChart(),
      casesChart(),
    ];
  },
});
