// Charts over the buckets of a period, with the same numbers as a table below. Plotly draws; without it the table is open.

import { explain, metricUrl, rowsOf } from "./api.js";
import { addDays, addMonths, asDate, chartWindow, later, monthOf, monthsOf } from "./days.js";
import { $, card, element, empty, jsonLink, load, scrolling, state, table } from "./document.js";
import {
  bucketName,
  dayName,
  hasValue,
  inWords,
  isRatio,
  isZh,
  metricOf,
  monthName,
  scopeName,
  shortDay,
  shortMonth,
  t,
} from "./language.js";
import { page } from "./state.js";

// What style.css prints on: A4 less its margins.
const PAPER = { width: 670, height: 225, rem: 12 };

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

// A card with a chart of the months of the period.
// chart: heading, series ({metric, more (parameters), name, short, colour 1..3, mark line|dash|dot|bar, panel 1|2}),
// panels (headings of the upper and the lower half), line (a level to keep above or below), note, summary(series, months).
export function monthlyChart(id, chart) {
  const shown = chartWindow(page.period, page.bounds);
  return bucketChart(id, { ...chart, grain: "month", window: shown, buckets: monthsOf(shown) });
}

// The same for any grain; `buckets` are the first days of its buckets.
export function bucketChart(id, chart) {
  const { window, grain } = chart;
  const series = chart.series.map((each) => ({
    ...each,
    ratio: isRatio(metricOf(each.metric)),
    url: metricUrl(each.metric, window, grain, each.more),
  }));
  const span = window.context ? t().context : t().grains[grain];
  const notes = [
    span === chart.heading ? null : span,
    chart.note,
    window.partial ? t().partial(dayName(window.partial)) : null,
  ];
  const label = (each) => (series.length > 1 ? `JSON ${each.short ?? each.name.replace(/[(（].*/, "")}` : "JSON");
  const part = card(
    id,
    chart.heading,
    notes.filter(Boolean).join(t().and),
    series.map((each) => jsonLink(each.url, each.name, label(each))),
  );
  return load(part, async () => {
    // Series of one metric may come together.
    const answers = chart.rows
      ? (await chart.rows(window)).map((value) => ({ status: "fulfilled", value }))
      : await Promise.allSettled(series.map((each) => rowsOf(each.url)));
    if (answers.every((answer) => answer.status === "rejected")) throw answers[0].reason;
    await plotlyLoaded;
    return (body, retry) => drawChart(body, { ...chart, series, answers, retry });
  });
}

function drawChart(body, chart) {
  const { window, buckets, answers, grain } = chart;
  const series = chart.series.map((each, at) => {
    const byBucket = new Map((answers[at].value ?? []).map((row) => [row.period_start, row]));
    // Some draw another number of the row than its value.
    const of = (row) => (row && each.of ? each.of(row) : row);
    return { ...each, rows: buckets.map((bucket) => of(byBucket.get(bucket))) };
  });
  if (!series.some((each) => each.rows.some(hasValue))) {
    const withheld = series.flatMap((each) => each.rows).some((row) => row?.withheld);
    return body.replaceChildren(
      withheld ? state("empty", t().suppressed(metricOf(series[0].metric)?.suppress_below ?? 5)) : empty(window),
    );
  }
  const failures = answers.flatMap((answer, at) =>
    answer.status === "rejected" ? [t().oneFailed(series[at].name, explain(answer.reason))] : [],
  );
  // A month that has only begun is drawn, but says nothing beside whole ones.
  const whole = window.partial && buckets.length > 1 ? buckets.slice(0, -1) : buckets;
  const summary =
    failures.length || !chart.summary
      ? ""
      : chart.summary(
          series.map((each) => ({ ...each, rows: each.rows.slice(0, whole.length) })),
          whole,
        );
  const plot = element("div", { class: "plot", role: "img", "aria-label": `${chart.heading}. ${summary}` });
  const opened = body.querySelector("details")?.open || !globalThis.Plotly;
  const lines = buckets.map((bucket, at) => ({
    cells: [bucketName(bucket, grain), ...series.map((each) => inWords(metricOf(each.metric), each.rows[at]))],
  }));
  const data = table(
    `${chart.heading} · ${scopeName(page.scope)}`,
    [grain === "month" ? t().month : t().period, ...series.map((each) => each.name)],
    lines,
  );
  const panels = chart.panels ?? [""];
  body.classList.toggle("tall", panels.length > 1);
  const parts = [
    summary ? element("p", { class: "summary" }, summary) : null,
    panels.length < series.length ? legend(series) : null,
    failures.length
      ? element(
          "p",
          { class: "warn" },
          failures.join(" "),
          " ",
          element("button", { type: "button", click: chart.retry }, t().retry),
        )
      : null,
    globalThis.Plotly ? plot : element("p", { class: "warn" }, t().noPlotly),
    element("details", { open: opened }, element("summary", {}, t().table), scrolling(chart.heading, data)),
  ];
  body.replaceChildren(...parts.filter(Boolean));
  if (!globalThis.Plotly) return;
  plot.redraw = (size) =>
    globalThis.Plotly.react(plot, traces(series, chart), layout(plot, series, { ...chart, panels }, size), {
      displayModeBar: false,
      responsive: false,
    });
  plot.redraw();
  resized.observe(plot);
}

// A card grows with its row, which the window's own resize event does not tell.
const resized = new ResizeObserver((entries) =>
  entries.forEach(({ target }) => {
    const drawn = target.querySelector(".main-svg");
    if (
      target.isConnected &&
      drawn &&
      !printing &&
      (drawn.clientWidth !== target.clientWidth || drawn.clientHeight !== target.clientHeight)
    )
      target.redraw();
  }),
);

function legend(series) {
  const swatch = ({ colour, mark }) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 34 18");
    svg.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS(svg.namespaceURI, "path");
    shape.setAttribute("d", mark === "bar" ? "M9 1h16v16H9z" : "M1 9h32");
    shape.setAttribute(
      "style",
      mark === "bar"
        ? `fill: var(--c${colour})`
        : `stroke: var(--c${colour}); stroke-width: 4; stroke-dasharray: ${{ line: "none", dash: "9 4", dot: "3 4" }[mark]}`,
    );
    svg.append(shape);
    return svg;
  };
  return element(
    "ul",
    { class: "legend" },
    series.map((each) => element("li", {}, swatch(each), each.name)),
  );
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rem = () => (printing ? PAPER.rem : parseFloat(getComputedStyle(document.documentElement).fontSize));

function traces(series, { buckets, grain }) {
  const symbols = { line: "circle", dash: "square", dot: "triangle-up" };
  const crowded = buckets.length > 60;
  return series.map((each) => ({
    type: each.mark === "bar" ? "bar" : "scatter",
    mode: crowded ? "lines" : "lines+markers",
    name: each.name,
    x: buckets.map((bucket) => bucketName(bucket, grain)),
    y: each.rows.map((row) => row?.value ?? null),
    xaxis: "x",
    yaxis: each.panel === 2 ? "y2" : "y",
    marker: { color: style(`--c${each.colour}`), symbol: symbols[each.mark], size: rem() * 0.45 },
    line: { color: style(`--c${each.colour}`), width: rem() * 0.14, dash: { dash: "dash", dot: "dot" }[each.mark] },
    customdata: each.rows.map((row) => inWords(metricOf(each.metric), row)),
    hovertemplate: `${each.name} %{customdata}<extra></extra>`,
  }));
}

function layout(plot, series, chart, size) {
  const { panels, line, buckets } = chart,
    small = rem() * 0.78,
    width = size?.width ?? plot.clientWidth;
  const domains =
    panels.length > 1
      ? [
          [0.46, 0.94],
          [0, 0.3],
        ]
      : [[0, 0.98]];
  const axis = (panel) => {
    const inside = series.filter((each) => (each.panel ?? 1) === panel),
      ratio = inside.some((each) => each.ratio);
    const values = inside.flatMap((each) => each.rows.map((row) => row?.value ?? 0));
    const top = Math.max(ratio ? 0.05 : 0, ...values),
      bottom = Math.min(0, ...values),
      whole = values.every(Number.isInteger);
    const range =
      line !== undefined && ratio && top <= 1 ? [0, 1.04] : [bottom * 1.12, (Math.max(top, line ?? 0) || 1) * 1.12];
    const format = ratio
      ? { tickformat: ".0%", hoverformat: ".1%" }
      : { tickformat: whole ? ",d" : ",.2~f", hoverformat: whole ? ",d" : ",.1f" };
    return {
      domain: domains[panel - 1],
      range,
      ...format,
      ...(!ratio && whole && top < 5 ? { dtick: 1 } : {}),
      nticks: panel === 1 ? 6 : 4,
      gridcolor: style("--grid"),
      zerolinecolor: style("--line"),
      fixedrange: true,
    };
  };
  const level =
    line === undefined
      ? []
      : [
          {
            type: "line",
            xref: "paper",
            x0: 0,
            x1: 1,
            y0: line,
            y1: line,
            line: { color: style("--soft"), width: 1, dash: "6px 4px" },
          },
        ];
  return {
    ...(size ?? { autosize: true }),
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    showlegend: false,
    barmode: "group",
    bargap: 0.32,
    bargroupgap: 0.06,
    font: { family: getComputedStyle(document.body).fontFamily, size: small, color: style("--soft") },
    margin: { l: rem() * 3.4, r: rem() * 0.6, t: 4, b: rem() * 2.7 },
    hovermode: "x unified",
    hoversubplots: "axis",
    dragmode: false,
    hoverlabel: {
      bgcolor: style("--card"),
      bordercolor: style("--line"),
      font: { color: style("--ink"), size: small },
    },
    xaxis: {
      ...ticks(chart, width),
      anchor: panels.length > 1 ? "y2" : "y",
      fixedrange: true,
      showgrid: false,
      spikecolor: style("--soft"),
      spikethickness: 1,
      spikedash: "solid",
      linecolor: style("--line"),
      tickangle: 0,
    },
    yaxis: axis(1),
    ...(panels.length > 1 ? { yaxis2: axis(2) } : {}),
    shapes: [...shading(buckets, chart.grain), ...level],
    annotations: panels
      .map((text, at) => ({
        text,
        xref: "paper",
        yref: "paper",
        x: 0,
        y: domains[at][1],
        xanchor: "left",
        yanchor: "bottom",
        showarrow: false,
        font: { size: small, color: style("--soft") },
      }))
      .filter(({ text }) => text),
  };
}

// As many as there is room for; under months the year, at the first and at each January.
function ticks({ buckets, grain }, width) {
  const room = Math.max(1, Math.floor(width / (rem() * (grain === "month" ? 3 : 5.5))));
  const step =
    grain === "month"
      ? ([1, 2, 3, 6, 12].find((each) => buckets.length / each <= room) ?? 12)
      : Math.ceil(buckets.length / room);
  const shown = buckets.map((bucket, at) => [bucket, at]).filter(([, at]) => at % step === 0);
  const text = ([bucket, at]) => {
    if (grain !== "month")
      return grain === "day" || grain === "week"
        ? `${shortDay(bucket)}<br>${bucket.slice(0, 4)}`
        : bucketName(bucket, grain);
    return shortMonth(bucket) + (at === 0 || bucket.slice(5, 7) === "01" ? `<br>${bucket.slice(0, 4)}` : "");
  };
  // A hair beside the category: a tick right on it would put its short text in place of the month in the hover box.
  return {
    type: "category",
    range: [-0.6, buckets.length - 0.4],
    tickvals: shown.map(([, at]) => at + 0.01),
    ticktext: shown.map(text),
  };
}

function shading(buckets, grain) {
  const { from, to } = page.period;
  const inside = buckets
    .map((bucket, at) => [bucket, at])
    .filter(([bucket]) => bucket >= (grain === "month" ? monthOf(from) : from) && bucket < to);
  if (!inside.length || inside.length === buckets.length) return [];
  return [
    {
      type: "rect",
      yref: "paper",
      y0: 0,
      y1: 1,
      x0: inside[0][1] - 0.5,
      x1: inside.at(-1)[1] + 0.5,
      fillcolor: style("--shade"),
      line: { width: 0 },
      layer: "below",
    },
  ];
}

// Paper is light and of one width, whatever the screen is.
let printing = false;
function redrawAll(size) {
  printing = Boolean(size);
  document.documentElement.toggleAttribute("data-paper", printing);
  for (const plot of document.querySelectorAll(".plot")) plot.redraw?.(size);
}

window.addEventListener("beforeprint", () => redrawAll({ width: PAPER.width, height: PAPER.height }));
window.addEventListener("afterprint", () => redrawAll());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawAll());

// The first days of the buckets of a grain that a period touches.
export function bucketsOf({ from, to }, grain) {
  if (grain === "all") return [from];
  const step = {
    day: (day) => addDays(day, 1),
    month: (day) => addMonths(day, 1),
    week: (day) => addDays(day, 7),
    quarter: (day) => addMonths(day, 3),
    year: (day) => addMonths(day, 12),
  }[grain];
  // The first bucket begins where the period does, the others where their grain does.
  const weekday = (asDate(from).getUTCDay() + 6) % 7,
    monthInQuarter = (Number(from.slice(5, 7)) - 1) % 3;
  const aligned = {
    day: from,
    week: addDays(from, -weekday),
    month: monthOf(from),
    quarter: addMonths(from, -monthInQuarter),
    year: `${from.slice(0, 4)}-01-01`,
  }[grain];
  const buckets = [];
  for (let day = aligned; day < to; day = step(day)) buckets.push(later(day, from));
  return buckets;
}

// A summary of the last month of a series, and of where it was lowest.
export const lastAndLowest =
  (write) =>
  ([series], months) => {
    const known = months.map((month, at) => [series.rows[at], month]).filter(([row]) => hasValue(row));
    if (!known.length) return "";
    const [row, last] = known.at(-1),
      [low, lowMonth] = known.reduce((a, b) => (b[0].value < a[0].value ? b : a));
    return write({ month: monthName(last), row, low, lowMonth: monthName(lowMonth), zh: isZh() });
  };
