// Which limits run out, and which have: what to press for today, case by case.

import { ask, getJson, metricUrl } from "./api.js";
import { addDays } from "./days.js";
import { card, csv, csvButton, drawDefinitions, element, load, save, scrolling, state, table } from "./document.js";
import { count, dayName, metricOf, scopeName, sourceOf, t, titleOf, today } from "./language.js";
import { limitFigures, limitsOn } from "./limits.js";
import { address, go, pick, start } from "./page.js";
import { page } from "./state.js";

const WITHIN = ["5", "10", "15", "30"];
// As many rows as the server explains a number with at most; shown are fewer until somebody wants all.
const ROWS = 10_000,
  SHOWN = 50;

const words = {
  zh: {
    heading: (scope) => `${scope} · 临期与超期`,
    asOf: (day) => `截至 ${day}（今天）`,
    figures: "今天的时限",
    clock: "时限",
    clocks: "各类时限",
    allClocks: "全部",
    lead: "提前",
    due: (n) => `${n} 日内到期的事项`,
    dueSub: "先到期的在前",
    overdue: "已超期的事项",
    overdueSub: "超得最久的在前",
    object: "案件或事项",
    party: "相对人",
    started: "起算",
    dueDate: "期限",
    left: "剩余",
    days: (n) => `${n} 天`,
    today: "今天",
    late: (n) => `超 ${n} 天`,
    unknown: "期限不明",
    nothingDue: "没有临期的事项。",
    nothingPast: "没有超期的事项。",
    law: "依据",
    ofParty: "（相对人的期限，不计入合计）",
  },
  en: {
    heading: (scope) => `${scope} · limits`,
    asOf: (day) => `as of ${day} (today)`,
    figures: "Limits today",
    clock: "Limit",
    clocks: "By limit",
    allClocks: "All",
    lead: "Within",
    due: (n) => `What ends within ${n} days`,
    dueSub: "the soonest first",
    overdue: "What is past its limit",
    overdueSub: "the longest first",
    object: "Case or matter",
    party: "Party",
    started: "Since",
    dueDate: "Limit",
    left: "Left",
    days: (n) => `${n} days`,
    today: "today",
    late: (n) => `${n} days late`,
    unknown: "unknown",
    nothingDue: "Nothing ends that soon.",
    nothingPast: "Nothing is past its limit.",
    law: "Source",
    ofParty: "(the party’s, not in the sum)",
  },
};

const day = () => ({ from: today(), to: addDays(today(), 1) });
const clocksOf = () => metricOf("clocks_due")?.parameters.find(({ name }) => name === "clock")?.values ?? ["all"];

// What the limits are called; whoever may not read the table sees their codes.
let rules = new Map();
async function learnRules() {
  if (!rules.size)
    rules = new Map(
      (await ask("select clock, title_zh, title_en, rule, source from clock_rules").catch(() => [])).map((rule) => [
        rule.clock,
        rule,
      ]),
    );
}
// A limit of the other side does not count among those that bind the unit.
const bindsParty = (clock) => rules.get(clock)?.rule === "party";
const clockName = (clock) => (clock === "all" ? t().allClocks : titleOf(rules.get(clock)) || clock);

// ---- How many. ----

function drawFigures() {
  const part = card("limits", t().figures);
  return load(part, async () => {
    const [limits] = await Promise.all([limitsOn(day(), WITHIN, { clock: page.own.clock }), learnRules()]);
    return (body) => {
      const clock = pick(
        "clock",
        t().clock,
        clocksOf().map((each) => [each, clockName(each)]),
        page.own.clock,
        (each) => go({ own: { clock: each } }),
      );
      const within = pick(
        "within",
        t().lead,
        WITHIN.map((each) => [each, t().days(each)]),
        page.own.within,
        (each) => go({ own: { within: each } }),
      );
      body.replaceChildren(limitFigures(limits), element("div", { class: "choices" }, clock, within));
    };
  });
}

function drawClocks() {
  const part = card("clocks", t().clocks);
  const kinds = clocksOf().filter((clock) => clock !== "all"),
    quoted = kinds.map((clock) => `'${clock}'`).join(", ");
  return load(part, async () => {
    const where = `grain = 'day' and scope = '${page.scope.replaceAll("'", "''")}' and period_start = date '${day().from}' and clock in (${quoted})`;
    const [due, past] = await Promise.all([
      ask(`select clock, within, value from metrics.clocks_due where ${where} and within in ('5', '15', '30')`),
      ask(`select clock, value from metrics.clocks_overdue where ${where}`),
      learnRules(),
    ]);
    return (body) => {
      const find = (clock, within) => due.find((row) => row.clock === clock && row.within === within)?.value ?? 0;
      const lines = kinds
        .map((clock) => [
          clock,
          past.find((row) => row.clock === clock)?.value ?? 0,
          ...["5", "15", "30"].map((within) => find(clock, within)),
        ])
        .filter(([, ...numbers]) => numbers.some(Boolean))
        .sort(([a], [b]) => bindsParty(a) - bindsParty(b))
        .map(([clock, late, ...soon]) => ({
          class: bindsParty(clock) ? "aside" : null,
          cells: [
            element(
              "a",
              { href: address({ own: { clock } }), title: `${t().law}: ${sourceOf(rules.get(clock))}` },
              `${clockName(clock)}${bindsParty(clock) ? ` ${t().ofParty}` : ""}`,
            ),
            { class: late ? "attention" : null, cell: count(late) },
            ...soon.map(count),
          ],
        }));
      const columns = [t().clock, t().past, ...[5, 15, 30].map((n) => t().within(n))];
      body.replaceChildren(
        lines.length
          ? scrolling(t().clocks, table(t().clocks, columns, lines, { hide: true }))
          : state("empty", t().nothingDue),
      );
    };
  });
}

// ---- Which. ----

const COLUMNS = ["clock", "object_id", "org_id", "party_id", "start_date", "due_date", "days_left"];

function drawRows(id, metric, more, { heading, sub, nothing, order }) {
  const url = metricUrl(metric, day(), "all", { clock: page.own.clock, ...more, rows: String(ROWS) }, "/explain");
  let rows = [];
  const part = card(id, heading, sub, [
    csvButton(heading, () => save(`lawpulse-${metric}-${day().from}.csv`, csv(COLUMNS, rows))),
  ]);
  return load(part, async () => {
    const [answer] = await Promise.all([
      getJson(url).catch((error) => {
        if (error.status === 403) return null;
        throw error;
      }),
      learnRules(),
    ]);
    rows = (answer?.rows ?? []).sort(order);
    return (body) => {
      if (!answer) return body.replaceChildren(state("empty", t().caseRows));
      if (!rows.length) return body.replaceChildren(state("empty", nothing));
      drawList(body, heading, rows);
    };
  });
}

function drawList(body, heading, rows, all = false) {
  const left = (row) => {
    if (row.days_left === null || row.days_left === undefined) return t().unknown;
    if (row.days_left === 0) return t().today;
    return row.days_left < 0 ? t().late(count(-row.days_left)) : t().days(count(row.days_left));
  };
  const lines = (all ? rows : rows.slice(0, SHOWN)).map((row) => ({
    cells: [
      row.object_id,
      { class: "text", cell: clockName(row.clock) },
      { class: "text", cell: element("a", { href: address({ scope: row.org_id }) }, scopeName(row.org_id)) },
      { class: "text", cell: row.party_id ?? "" },
      row.start_date ? dayName(row.start_date) : "—",
      row.due_date ? dayName(row.due_date) : "—",
      { class: row.days_left < 0 ? "attention" : row.days_left <= 5 ? "strong" : null, cell: left(row) },
    ],
  }));
  const text = (name) => ({ text: name, class: "text" });
  const columns = [t().object, text(t().clock), text(t().unit), text(t().party), t().started, t().dueDate, t().left];
  const more =
    rows.length > SHOWN && !all
      ? element(
          "button",
          { type: "button", class: "more", click: () => drawList(body, heading, rows, true) },
          t().showAll(count(rows.length)),
        )
      : null;
  body.replaceChildren(...[scrolling(heading, table(heading, columns, lines, { hide: true })), more].filter(Boolean));
}

const byDue = (a, b) =>
  String(a.due_date ?? "").localeCompare(String(b.due_date ?? "")) ||
  String(a.object_id).localeCompare(String(b.object_id));

start({
  id: "clocks",
  words,
  filters: ["scope"],
  own: { clock: "all", within: "10" },
  heading: () => ({ heading: t().heading(scopeName(page.scope)), sub: t().asOf(dayName(today())) }),
  layout(content) {
    const section = (id) => element("section", { class: `card ${id}`, id });
    content.replaceChildren(element("div", { class: "cards" }, ["limits", "clocks", "due", "overdue"].map(section)));
  },
  draw() {
    drawDefinitions(["clocks_due", "clocks_overdue"]);
    return [
      drawFigures(),
      drawClocks(),
      drawRows(
        "due",
        "clocks_due",
        { within: page.own.within },
        { heading: t().due(page.own.within), sub: t().dueSub, nothing: t().nothingDue, order: byDue },
      ),
      drawRows(
        "overdue",
        "clocks_overdue",
        {},
        { heading: t().overdue, sub: t().overdueSub, nothing: t().nothingPast, order: byDue },
      ),
    ];
  },
});
