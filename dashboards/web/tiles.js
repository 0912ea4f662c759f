// Tiles: the headlines of a scope and a period, and how new the data are.

import { getJson, metricUrl, rowsOf } from "./api.js";
import { addDays, addMonths, endOf, lastMonth, previousPeriod } from "./days.js";
import { $, defined, element, jsonLink, load } from "./document.js";
import {
  addWords,
  amount,
  count,
  dayName,
  hasValue,
  isRatio,
  metricOf,
  moment,
  monthName,
  percent,
  share,
  t,
  title,
  unitWord,
} from "./language.js";
import { page } from "./state.js";

addWords({
  zh: {
    headlines: "主要指标",
    freshness: "数据截至",
    updated: (time) => `最新事件 ${time}`,
    counted: (e, r) => `事件 ${e} 条，拒收 ${r} 条`,
    behind: "已超过 24 小时没有新事件，请告知平台管理员。",
    lastMonth: (m) => `${m}单月`,
    people: "人",
    peers: (value) => `同类中位数 ${value}`,
  },
  en: {
    headlines: "Headline figures",
    freshness: "Data up to",
    updated: (time) => `newest event ${time}`,
    counted: (e, r) => `${e} events, ${r} rejected`,
    behind: "No event for over 24 hours: tell the platform's operators.",
    lastMonth: (m) => `${m} alone`,
    people: "officers",
    peers: (value) => `median of peers ${value}`,
  },
});

// A period that is still running is not compared with a whole one.
function comparable() {
  const before = previousPeriod(page.period);
  return page.bounds.known && before.from >= page.bounds.first && page.period.to <= addDays(page.bounds.last, 1)
    ? before
    : null;
}

export const quietly = (url) => rowsOf(url).catch(() => []);

// The row of the period and that of the one before: by one question where both are whole buckets of a grain.
export async function nowAndBefore(id, more = {}) {
  const before = comparable(),
    { kind, from, to } = page.period;
  const grain = { year: "year", quarter: "quarter", months: addMonths(from, 1) === to ? "month" : null }[kind];
  if (before && grain && metricOf(id)?.grains.includes(grain)) {
    const rows = await rowsOf(metricUrl(id, { from: before.from, to }, grain, more));
    return [rows.find((row) => row.period_start === from), rows.find((row) => row.period_start === before.from)];
  }
  const [[now], [prior]] = await Promise.all([
    rowsOf(metricUrl(id, page.period, "all", more)),
    before ? quietly(metricUrl(id, before, "all", more)) : [],
  ]);
  return [now, prior];
}

// The last day of the period that there are data about, as a period of its own: what states are asked for.
export function lastDay() {
  const to = endOf(page.period, page.bounds);
  return { from: addDays(to, -1), to };
}

function tile(id, heading, link) {
  return element(
    "article",
    { class: "tile", id: `tile-${id}` },
    element("h2", {}, heading),
    element("div", { class: "body" }),
    link,
  );
}

// Tiles of metrics over the period, then that of freshness; what they held stays until it is drawn anew.
export function drawTiles(ids, { peers = false } = {}) {
  const more = peers ? { peers: "true" } : {};
  const tiles = ids.map((id) => tile(id, defined(id), jsonLink(metricUrl(id, page.period, "all", more), title(id))));
  const keep = new Map([...$("tiles").children].map((old) => [old.id, old.querySelector(".body")]));
  const freshness = tile("freshness", t().freshness, jsonLink("/api/v1/status", t().freshness));
  for (const each of [...tiles, freshness])
    if (keep.has(each.id)) each.querySelector(".body").replaceWith(keep.get(each.id));
  $("tiles").replaceChildren(...tiles, freshness);
  return [...ids.map((id, at) => load(tiles[at], () => tileJob(id, more))), load(freshness, freshnessJob)];
}

async function tileJob(id, more) {
  const metric = metricOf(id),
    month = lastMonth(page.period, page.bounds);
  const activity = id === "officer_activity_ratio";
  const [[row, prior], [single]] = await Promise.all([
    nowAndBefore(id, metric?.rankable ? more : {}),
    activity && month.from > page.period.from ? quietly(metricUrl(id, month, "all")) : [],
  ]);
  return (body) => {
    if (!hasValue(row) && !row?.withheld)
      return body.replaceChildren(
        element("p", { class: "value" }, "—"),
        element("p", { class: "detail" }, t().nothing),
      );
    const unit = unitWord(metric);
    const lines = [
      element(
        "p",
        { class: "value", "data-value": row.value },
        amount(metric, row.value),
        unit ? element("small", {}, unit) : null,
      ),
      element(
        "p",
        { class: "detail" },
        isRatio(metric) && hasValue(row) ? `${share(row)}${activity ? ` ${t().people}` : ""}` : "",
      ),
      row.withheld ? element("p", { class: "detail" }, t().suppressed(metric?.suppress_below)) : null,
      hasValue(single)
        ? element("p", { class: "detail" }, `${t().lastMonth(monthName(month.from))} ${percent(single.value)}`)
        : null,
      hasValue(row) && hasValue({ value: row.peers?.median })
        ? element("p", { class: "detail" }, t().peers(amount(metric, row.peers.median)))
        : null,
      hasValue(prior) ? element("p", { class: "prior" }, `${t().prior} ${amount(metric, prior.value)}`) : null,
    ];
    body.replaceChildren(...lines.filter((line) => line?.textContent));
  };
}

async function freshnessJob() {
  const status = await getJson("/api/v1/status");
  return (body) => {
    const behind = Date.parse(status.as_of) - Date.parse(status.last_event_at) > 86_400_000;
    body.replaceChildren(
      element(
        "p",
        { class: "value date" },
        status.last_event_at ? dayName(status.last_event_date ?? status.last_event_at.slice(0, 10)) : t().noData,
      ),
      element(
        "p",
        { class: behind ? "warn" : "detail" },
        behind ? `⚠ ${t().behind}` : t().updated(moment(status.last_event_at)),
      ),
      element("p", { class: "detail" }, t().counted(count(status.events), count(status.rejects))),
    );
  };
}
