// Days, periods and buckets. A day is "YYYY-MM-DD"; a period is half-open. Everything here is pure.

// A chart of a shorter period shows the twelve months that led up to it.
const SHORTEST_CHART_MONTHS = 6;

export const asDate = (day) => new Date(`${day}T00:00:00Z`);
const asDay = (date) => date.toISOString().slice(0, 10);
export const addDays = (day, n) => asDay(new Date(asDate(day).getTime() + n * 86_400_000));
export const monthOf = (day) => `${day.slice(0, 7)}-01`;
export const later = (a, b) => (a > b ? a : b);
export const sooner = (a, b) => (a < b ? a : b);

export function addMonths(day, n) {
  const date = asDate(monthOf(day));
  date.setUTCMonth(date.getUTCMonth() + n);
  return asDay(date);
}

function monthsBetween(from, to) {
  const a = asDate(from),
    b = asDate(to);
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}

export function period(kind, from, to) {
  const month = (day) => day.slice(0, 7);
  const keys = {
    year: () => from.slice(0, 4),
    quarter: () => `${from.slice(0, 4)}-Q${(Number(from.slice(5, 7)) + 2) / 3}`,
    months: () => `${month(from)}..${month(addDays(to, -1))}`,
    custom: () => "",
  };
  return { kind, from, to, key: keys[kind]() };
}

export const yearPeriod = (year) => period("year", `${year}-01-01`, `${Number(year) + 1}-01-01`);
export const quarterPeriod = (day) =>
  period(
    "quarter",
    addMonths(day, -((Number(day.slice(5, 7)) - 1) % 3)),
    addMonths(day, 3 - ((Number(day.slice(5, 7)) - 1) % 3)),
  );
export const isDay = (text) =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(asDate(text).getTime()) && asDay(asDate(text)) === text;

// Null when the parameters name no period; undefined when they are not understood.
export function periodOf(params) {
  const key = params.get("period"),
    from = params.get("from"),
    to = params.get("to");
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
export function defaultPeriod({ first, last }) {
  const year = Number(last.slice(0, 4)),
    full = last.endsWith("-12-31") ? year : year - 1;
  return yearPeriod(full >= Number(first.slice(0, 4)) ? full : year);
}

// The period of equal length before this one.
export function previousPeriod({ kind, from, to }) {
  if (kind !== "custom") return { from: addMonths(from, -monthsBetween(from, to)), to: from };
  return { from: addDays(from, -(asDate(to) - asDate(from)) / 86_400_000), to: from };
}

// Whole months for a chart: the period, or a year up to its end when it is short, within what the data cover.
export function chartWindow({ from, to }, { first, last }) {
  const end = addMonths(addDays(to, -1), 1);
  const start = monthsBetween(monthOf(from), end) < SHORTEST_CHART_MONTHS ? addMonths(end, -12) : monthOf(from);
  const window = { from: later(start, monthOf(first)), to: sooner(end, addMonths(last, 1)) };
  const shown = window.from < window.to ? window : { from: monthOf(from), to: end };
  return {
    ...shown,
    context: shown.from < monthOf(from),
    partial: addDays(shown.to, -1) > last && last >= shown.from ? last : null,
  };
}

// The last month of the period that the data cover in full, or else the newest that they touch.
export function lastMonth({ from, to }, { last }) {
  const newest = monthOf(last < from ? addDays(to, -1) : sooner(addDays(to, -1), last));
  const whole = addMonths(newest, 1) <= addDays(last, 1) ? newest : addMonths(newest, -1);
  const start = whole >= monthOf(from) ? whole : newest;
  return { from: start, to: addMonths(start, 1) };
}

// The first days of the months of a window.
export function monthsOf({ from, to }) {
  return Array.from({ length: monthsBetween(from, to) }, (_, at) => addMonths(from, at));
}

// The day after the newest of the period that the data cover; states, such as open cases, are asked for as of it.
export function endOf({ from, to }, { last }) {
  return last < from ? to : sooner(to, addDays(last, 1));
}
