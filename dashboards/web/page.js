// What all pages share: words, navigation, filters, the URL, and following the lake. A page calls `start` with what it is.

import { explain, getJson, isLevel, isUnit } from "./api.js";
import {
  addDays,
  addMonths,
  defaultPeriod,
  isDay,
  later,
  monthOf,
  monthsOf,
  period,
  periodOf,
  quarterPeriod,
  sooner,
  yearPeriod,
} from "./days.js";
import { $, element } from "./document.js";
import { addWords, isZh, moment, monthName, periodName, range, scopeName, t, today } from "./language.js";
import { page } from "./state.js";

const STATUS_EVERY_MS = 60_000;
const PAGES = ["overview", "units", "clocks", "goals", "report", "explore", "sql", "rejects"];
// A page that is not in the navigation belongs to one that is.
const PARENTS = { unit: "units" };

// id, words ({zh, en}), filters (of "scope" and "period" those that hold here), own (choices of this page with their
// defaults), layout (puts the fixed parts into #content, once), draw (fills them; returns promises), heading.
let definition;

// ---- The URL. ----

const pathOf = (id) => (id === "overview" ? "/" : `/${id}`);

// Where a choice is shown: on this page or another, with the rest of the present choice.
export function address(change = {}, id = page.id) {
  const { lang, scope, period: chosen } = { ...page, ...change };
  const query = new URLSearchParams();
  if (lang !== "zh") query.set("lang", lang);
  if (scope !== defaultScope()) query.set("scope", scope);
  if (chosen?.kind === "custom") {
    query.set("from", chosen.from);
    query.set("to", chosen.to);
  } else if (chosen) query.set("period", chosen.key);
  const own = id === page.id ? { ...page.own, ...change.own } : (change.own ?? {});
  for (const [name, value] of Object.entries(own))
    if (value && (id !== page.id || value !== definition.own?.[name])) query.set(name, value);
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return pathOf(id) + (text ? `?${text}` : "");
}

const defaultScope = () => page.whole;

function readAddress() {
  const query = new URLSearchParams(location.search),
    found = periodOf(query);
  page.lang = query.get("lang") === "en" ? "en" : "zh";
  page.scope = query.get("scope") || defaultScope();
  page.period = found ?? defaultPeriod(page.bounds);
  page.own = Object.fromEntries(
    Object.entries(definition.own ?? {}).map(([name, otherwise]) => [name, query.get(name) || otherwise]),
  );
  return found !== undefined;
}

// Shows another choice on this page; the one before is a step back in the browser.
export async function go(change, { replace = false } = {}) {
  const next = { ...change, own: { ...page.own, ...change.own } };
  history[replace ? "replaceState" : "pushState"](null, "", address(next));
  Object.assign(page, next);
  const { signal } = await render();
  if (!signal.aborted) $("announce").textContent = t().shown($("heading").textContent);
}

// ---- Filters. ----

function options(select, entries, chosen) {
  const known = entries.some(([value]) => value === chosen) ? entries : [[chosen, chosen], ...entries];
  select.replaceChildren(
    ...known.map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
  );
}

// A labelled choice that takes effect at once.
export function pick(id, label, entries, chosen, act) {
  const select = element("select", { id, change: () => act(select.value) });
  options(select, entries, chosen);
  return element("label", {}, element("span", {}, label), select);
}

function drawFilters() {
  const has = (name) => (definition.filters ?? []).includes(name);
  $("filters").hidden = !definition.filters?.length;
  $("scope").closest("label").hidden = !has("scope");
  for (const part of [$("kind").closest("label"), $("period-fields")]) part.hidden = !has("period");
  drawScopes();
  options(
    $("kind"),
    ["year", "quarter", "months", "custom"].map((kind) => [kind, t()[kind]]),
    page.period.kind,
  );
  drawPeriodFields();
}

function drawScopes() {
  const groups = new Map();
  const all = page.scopes.length
    ? page.scopes
    : Object.keys(t().scopes).map((scope) => ({ scope, kind: scope === "district" ? "district" : "kind" }));
  // Of the parts of several districts only those of the chosen one: a province has thousands.
  const chosen = all.find(({ scope }) => scope === page.scope),
    district = chosen?.org_kind === "district" ? page.scope : chosen?.under;
  const isNear = (each) => !each.under || each.under === district || isLevel(each.scope);
  const offered = all.filter((each) => isNear(each) && (definition.scopes?.(each) ?? true));
  for (const each of offered) {
    const group =
      each.scope === page.whole ? "whole" : each.under && !isUnit(each) ? "parts" : each.org_kind || each.kind;
    groups.set(group, [...(groups.get(group) ?? []), each]);
  }
  if (!all.some(({ scope }) => scope === page.scope)) groups.set("", [{ scope: page.scope }]);
  $("scope").replaceChildren(
    ...[...groups].map(([kind, scopes]) => {
      const entries = scopes.map(({ scope }) =>
        element("option", { value: scope, selected: scope === page.scope }, scopeName(scope)),
      );
      return element("optgroup", { label: t().groups[kind] ?? kind }, ...entries);
    }),
  );
}

function drawPeriodFields() {
  const { kind, from, to, key } = page.period,
    { first, last } = page.bounds;
  const months = monthsOf({ from: monthOf(first), to: addMonths(last, 1) }).reverse();
  const day = (id, label, value) =>
    element(
      "label",
      {},
      element("span", {}, label),
      element("input", { id, type: "date", value, change: changeDays, required: true }),
    );
  const fields = {
    year: () => [
      pick(
        "year",
        t().year,
        [...new Set(months.map((m) => m.slice(0, 4)))].map((y) => [y, periodName(yearPeriod(y))]),
        key,
        (year) => go({ period: yearPeriod(year) }),
      ),
    ],
    quarter: () => {
      const quarters = new Map(months.map(quarterPeriod).map((each) => [each.key, each]));
      return [
        pick(
          "quarter",
          t().quarter,
          [...quarters].map(([k, each]) => [k, periodName(each)]),
          key,
          (quarter) => go({ period: periodOf(new URLSearchParams({ period: quarter })) }),
        ),
      ];
    },
    months: () => [
      pick(
        "from-month",
        t().fromMonth,
        months.map((m) => [m, monthName(m)]),
        from,
        changeMonths,
      ),
      pick(
        "to-month",
        t().toMonth,
        months.map((m) => [m, monthName(m)]),
        monthOf(addDays(to, -1)),
        changeMonths,
      ),
    ],
    custom: () => [day("from-day", t().fromDay, from), day("last-day", t().lastDay, addDays(to, -1))],
  };
  const focused = document.activeElement?.id;
  $("period-fields").replaceChildren(...fields[kind]());
  if (focused) $(focused)?.focus();
}

function changeMonths() {
  const from = $("from-month").value,
    last = $("to-month").value;
  changeRange(from <= last, () => period("months", from, addMonths(last, 1)));
}

function changeDays() {
  const from = $("from-day").value,
    last = $("last-day").value;
  changeRange(isDay(from) && isDay(last) && from <= last, () => period("custom", from, addDays(last, 1)));
}

function changeRange(valid, make) {
  $("filter-error").textContent = valid ? "" : t().badOrder;
  if (valid) go({ period: make() });
}

// The period of another kind that lies closest: the last quarter, or the same days.
function changeKind() {
  const { from, to } = page.period,
    newest = later(from, sooner(addDays(to, -1), page.bounds.last));
  const made = {
    year: () => yearPeriod(newest.slice(0, 4)),
    quarter: () => quarterPeriod(newest),
    months: () => period("months", monthOf(from), addMonths(addDays(to, -1), 1)),
    custom: () => period("custom", from, to),
  };
  go({ period: made[$("kind").value]() });
}

// ---- The whole. ----

function drawWords() {
  document.documentElement.lang = isZh() ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t()[node.dataset.text];
  for (const node of document.querySelectorAll("[data-label]"))
    node.setAttribute("aria-label", t()[node.dataset.label]);
  const other = isZh() ? "en" : "zh";
  Object.assign($("language"), {
    textContent: t().other,
    href: address({ lang: other }) + location.hash,
    lang: other,
    hreflang: other,
  });
  const shown = PARENTS[page.id] ?? page.id;
  $("pages").replaceChildren(
    ...PAGES.map((id) =>
      element(
        "li",
        {},
        element(
          "a",
          { href: address({}, id), "aria-current": id === shown ? (id === page.id ? "page" : "true") : null },
          t().nav[id],
        ),
      ),
    ),
  );
  // On a phone the bar is wider than the screen.
  const current = $("pages").querySelector("[aria-current]");
  if (current) $("pages").parentElement.scrollLeft = current.offsetLeft - 16;
  const { heading, sub } = definition.heading();
  $("heading").textContent = heading;
  $("range").textContent = sub ?? "";
  document.title = `${heading} · ${t().nav[page.id]} · ${t().product}`;
  $("stamp").textContent = page.status ? t().stamp(moment(page.status.as_of)) : "";
}

// The heading of a page about a scope and a period.
export function scopeAndPeriod() {
  const { from, to, kind } = page.period;
  return {
    heading: `${scopeName(page.scope)} · ${periodName(page.period)}`,
    sub: kind === "custom" ? "" : range(from, to),
  };
}

function notice(...content) {
  $("notice").hidden = !content.length;
  $("notice").replaceChildren(...content);
}

// The address without the place on the page, as it was when the page was drawn: `address()` may say the same in other words.
let shownAt = "";
const whereabouts = () => location.pathname + location.search;

// Resolves, with what may have aborted it, when every part has loaded or failed.
async function render({ keepFilters = false } = {}) {
  shownAt = whereabouts();
  page.abort.abort();
  page.abort = new AbortController();
  const { abort } = page;
  document.body.dataset.state = "loading";
  drawWords();
  if (!keepFilters) drawFilters();
  await Promise.all(definition.draw());
  // For whoever looks at the page by a program.
  if (!abort.signal.aborted) Object.assign(document.body.dataset, { state: "shown", shownAfter: performance.now() });
  return abort;
}

function boundsOf(status) {
  if (status?.first_event_date && status.last_event_date)
    return { first: status.first_event_date, last: status.last_event_date, known: true };
  const day = today();
  return { first: `${Number(day.slice(0, 4)) - 1}-01-01`, last: day, known: false };
}

// What the server says about itself. Each answer may be missing: the page then does with less.
async function learn() {
  const [status, scopes, metrics] = await Promise.all(
    ["status", "scopes", "metrics"].map((noun) => getJson(`/api/v1/${noun}`, null).catch((error) => error)),
  );
  page.status = status instanceof Error ? null : status;
  page.unreachable = status instanceof Error ? explain(status) : "";
  page.bounds = boundsOf(page.status);
  page.scopes = scopes?.scopes ?? [];
  page.whole = scopes?.whole ?? "district";
  page.catalogue = new Map((metrics?.metrics ?? []).map((metric) => [metric.id, metric]));
}

function begin({ keepFilters = false } = {}) {
  const understood = readAddress();
  if (page.status?.events === 0)
    notice(
      t().emptyLake,
      element("code", {}, "lawpulse land --lake DIR FILE"),
      t().emptyLakeDemo,
      element("code", {}, "lawpulse demo"),
    );
  else if (page.unreachable)
    notice(page.unreachable, " ", element("button", { type: "button", click: restart }, t().retry));
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
  if (document.hidden || definition.stays) return;
  const status = await getJson("/api/v1/status", null).catch(() => null);
  if (!status || status.lake_version === page.status?.lake_version) return;
  await learn();
  // Nobody's half-made choice is taken away.
  begin({ keepFilters: $("filters").contains(document.activeElement) });
}

function openDefinition() {
  if (!location.hash.startsWith("#def-")) return;
  $("definitions").open = true;
  $(location.hash.slice(1))?.scrollIntoView({ block: "center" });
}

export async function start(what) {
  definition = what;
  page.id = what.id;
  addWords(what.words ?? { zh: {}, en: {} });
  page.bounds = boundsOf(null);
  readAddress();
  what.layout($("content"));
  drawWords();
  $("heading").textContent = t().loading;
  $("range").textContent = "";
  $("scope").addEventListener("change", () => go({ scope: $("scope").value }));
  $("kind").addEventListener("change", changeKind);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  // A link to another place of the same page is one, too.
  window.addEventListener("popstate", () => {
    if (whereabouts() !== shownAt) begin();
  });
  window.addEventListener("hashchange", openDefinition);
  window.addEventListener("beforeprint", () => {
    $("definitions").open = true;
  });
  setInterval(follow, STATUS_EVERY_MS);
  await learn();
  begin();
  openDefinition();
}
