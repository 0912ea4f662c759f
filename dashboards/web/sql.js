// The SQL console: one statement, whose names are completed from the data dictionary; its first rows as a table, all of them as a
// file. The statement is in the address behind the #, which is not sent to any server, and runs only when somebody says so.

import { ApiError, askFor, explain, getJson } from "./api.js";
import { addDays, defaultPeriod } from "./days.js";
import { $, card, element, load, save, scrolling } from "./document.js";
import { count, isZh, t, titleOf, today } from "./language.js";
import { bestOf, learnNames, names, offersAt, pathOf } from "./names.js";
import { start } from "./page.js";
import { CELLS_MAX, readRows, ROWS_MAX } from "./rows.js";
import { page } from "./state.js";

// Of a cell; a file holds all of it.
const CELL_TEXT_MAX = 5000,
  CELL_LINE = 60,
  WORD_MIN = 2;
// Of the tab, not of the browser: several people may use one.
const DRAFT = "lawpulse.sql";

const words = {
  zh: {
    heading: "SQL 查询",
    sub: "只读。人员和当事人对分析员显示为化名。",
    statement: "语句",
    run: "运行",
    stop: "停止",
    shortcut: "Ctrl+Enter",
    hint: "Ctrl+Enter 运行；输入时自动提示名称，Ctrl+空格或 Alt+↓ 随时提示；也可输入中文名称查找。",
    examples: "示例",
    result: "结果",
    earlier: "此前的结果",
    options: "名称提示",
    optionKeys: "↑↓ 选择 · Tab 采用 · Esc 关闭",
    offered: (n) => `${n} 个提示，按下箭头选择。`,
    accepted: (name) => `已插入 ${name}`,
    running: "正在运行…",
    exporting: (kind) => `正在导出 ${kind}…`,
    stopped: "已停止。",
    exported: (name) => `已导出 ${name}。`,
    emptyStatement: "请先写一条语句。",
    ready: "语句来自链接或上次编辑，尚未运行。",
    whole: (n, s) => `${n} 行，${s} 秒`,
    cut: (n, s) => `只显示前 ${n} 行，${s} 秒；导出的文件含全部行`,
    wide: (n) => `（共 ${n} 列，列多时行数减少）`,
    noRows: "没有符合条件的行。",
    exportAll: "导出全部：",
    exportAs: (kind) => `把全部结果导出为 ${kind}`,
    row: "行",
    longer: (n) => `…（共 ${n} 字符，导出可得全文）`,
    place: (line, column) => `第 ${line} 行第 ${column} 列`,
    replace: (name) => `改为 ${name}`,
    brokenOff: "结果中断：超过了允许的大小或时间，或连接断开。请缩小范围（加条件或 limit），或先汇总再查询。",
    problems: {
      400: "语句有误",
      401: "需要登录",
      403: "没有权限",
      413: "结果过大：请加条件、加 limit，或先汇总",
      422: "无法算出：请减少数据量，或改正不合适的值",
      503: "查询太多，请稍后再试",
      504: "超过了允许的时间：请缩小范围，或先汇总",
    },
    // What the engine says most often; it knows English only.
    told: [
      [/there is no column `([^`]+)`/, (name) => `没有列 ${name}。`],
      [/table '(?:lawpulse\.public\.)?([^']+)' not found/, (name) => `没有表 ${name}。`],
      [/Invalid function '([^']+)'/, (name) => `没有函数 ${name}。`],
      [/there is no metric `([^`]+)`/, (name) => `没有指标 ${name}。`],
      [/Expected: (.+?),? found: (\S+)/, (wanted, found) => `在 ${found} 处无法理解，这里应当是：${wanted}。`],
    ],
    names: "表和列",
    filter: "筛选（名称或中文）",
    columnsOf: (name) => `${name} 的列`,
    insert: (name) => `插入 ${name}`,
    noNames: "没有匹配的名称。",
    columnCount: (n) => `${n} 列`,
    kinds: {
      table: "表",
      column: "列",
      metric: "指标",
      schema: "模式",
      keyword: "关键字",
      function: "函数",
      query: "子查询",
    },
    values: { officer: "化名", party: "化名", withheld: "仅审计员", attributes: "部分", reject: "部分" },
    exampleNames: ["各类单位每月巡查", "镇街执法人员活跃度", "各单位立案与在办", "一类案件的明细", "查询计划"],
    metricFunction: "指标函数：编号、起、止、周期、范围、参数",
  },
  en: {
    heading: "SQL console",
    sub: "Read-only. Analysts see officers and parties under pseudonyms.",
    statement: "Statement",
    run: "Run",
    stop: "Stop",
    shortcut: "Ctrl+Enter",
    hint: "Ctrl+Enter runs it. Names are suggested while you type, with Ctrl+Space or Alt+↓ at any time; words of their titles find them, too.",
    examples: "Examples",
    result: "Result",
    earlier: "Result from before",
    options: "Names",
    optionKeys: "↑↓ choose · Tab takes · Esc closes",
    offered: (n) => `${n} suggestions, arrow down to choose.`,
    accepted: (name) => `Inserted ${name}`,
    running: "Running …",
    exporting: (kind) => `Exporting ${kind} …`,
    stopped: "Stopped.",
    exported: (name) => `Exported ${name}.`,
    emptyStatement: "Write a statement first.",
    ready: "This statement comes from a link or from before, and has not run yet.",
    whole: (n, s) => `${n} ${n === "1" ? "row" : "rows"}, ${s} s`,
    cut: (n, s) => `the first ${n} rows, ${s} s; a file has them all`,
    wide: (n) => ` (${n} columns: fewer rows)`,
    noRows: "No rows match.",
    exportAll: "Export all: ",
    exportAs: (kind) => `Export the whole result as ${kind}`,
    row: "Row",
    longer: (n) => `… (${n} characters; a file has them all)`,
    place: (line, column) => `line ${line}, column ${column}`,
    replace: (name) => `Change to ${name}`,
    brokenOff:
      "The result broke off: it exceeds the size or time allowed, or the connection is gone. Narrow it (a condition, a limit), or aggregate first.",
    problems: {
      400: "The statement is wrong",
      401: "Log in first",
      403: "Not allowed",
      413: "The result is too large: add a condition or a limit, or aggregate first",
      422: "It cannot be computed: use less data, or mend the value that does not fit",
      503: "Too many queries run: try again later",
      504: "It takes longer than allowed: narrow it, or aggregate first",
    },
    told: [],
    names: "Tables and columns",
    filter: "Filter (name or title)",
    columnsOf: (name) => `Columns of ${name}`,
    insert: (name) => `Insert ${name}`,
    noNames: "No name matches.",
    columnCount: (n) => `${n} columns`,
    kinds: {
      table: "table",
      column: "column",
      metric: "metric",
      schema: "schema",
      keyword: "keyword",
      function: "function",
      query: "subquery",
    },
    values: {
      officer: "pseudonym",
      party: "pseudonym",
      withheld: "auditors",
      attributes: "in part",
      reject: "in part",
    },
    exampleNames: [
      "Patrols by kind of unit, monthly",
      "Activity in towns",
      "Cases filed and open, by unit",
      "Rows of one kind of case",
      "A query plan",
    ],
    metricFunction: "a metric: id, from, to, grain, scope, parameters",
  },
};

// Every row of the data is of this year, so that an example finds something.
function examples() {
  const { from, to } = defaultPeriod(page.bounds);
  return [
    `select time, scope_name, value
from metrics.patrols
where grain = 'month' and scope_kind = 'kind'
order by time, scope_name`,
    `select period_start, scope_name, numerator, denominator, value
from metric('officer_activity_ratio', '${from}', '${to}', 'month', 'towns/*', 'level=L2')
order by period_start, scope_name`,
    `select o.name, count(*) as filed,
  count(*) filter (where c.closed_date is null and c.withdrawn_date is null) as open
from cases c
join orgs o on o.org_id = c.org_id and o.valid_to is null
where c.filed_date >= '${from}' and c.filed_date < '${to}'
group by o.name
order by o.name`,
    `select case_id, org_id, party_id, filed_date, decided_date,
  decided_date - filed_date as days, fine_fen / 100.0 as fine_yuan
from cases
where is_major and filed_date >= '${from}'
order by filed_date desc`,
    `explain
select event_type, count(*) from events where event_date >= '${addDays(to, -31)}' group by event_type`,
  ];
}

const box = () => $("statement");

// ---- The statement. ----

const hashOf = (sql) => (sql ? `#sql=${encodeURIComponent(sql)}` : "");

function statementInAddress() {
  if (!location.hash.startsWith("#sql=")) return null;
  try {
    return decodeURIComponent(location.hash.slice("#sql=".length));
  } catch {
    return null;
  }
}

function keepDraft(sql) {
  // A browser may forbid it; the address has the statement all the same.
  try {
    sessionStorage.setItem(DRAFT, sql);
  } catch {
    /* nothing is lost */
  }
}

function draft() {
  try {
    return sessionStorage.getItem(DRAFT);
  } catch {
    return null;
  }
}

// The first change after a run is a step of its own in the history: going back finds what ran.
let hasRun = false,
  writing = 0;
function remember() {
  clearTimeout(writing);
  const sql = box().value;
  keepDraft(sql);
  if (sql === (statementInAddress() ?? "")) return;
  history[hasRun ? "pushState" : "replaceState"](null, "", location.pathname + location.search + hashOf(sql));
  hasRun = false;
  $("language").hash = hashOf(sql);
}

function changed() {
  unmark();
  clearTimeout(writing);
  writing = setTimeout(remember, 400);
}

function takeFromAddress() {
  const sql = statementInAddress();
  if (sql === null || sql === box().value) return;
  box().value = sql;
  keepDraft(sql);
  $("language").hash = location.hash;
  close();
  unmark();
  say(t().ready);
}

// Writes as if typed: this old command keeps the browser's undo, which setRangeText does not.
function write(from, to, text) {
  box().focus();
  box().setSelectionRange(from, to);
  if (document.execCommand("insertText", false, text)) return;
  box().setRangeText(text, from, to, "end");
  box().dispatchEvent(new Event("input", { bubbles: true }));
}

// ---- Running. ----

// What is asked next ends what was asked before.
let running = null,
  shown = null;

const say = (text) => {
  $("said").textContent = text;
};
const seconds = (began) =>
  new Intl.NumberFormat(t().locale, { maximumFractionDigits: 2 }).format((performance.now() - began) / 1000);

async function work(text, sql, job) {
  running?.abort();
  const mine = new AbortController(),
    began = performance.now();
  running = mine;
  unmark();
  say(text);
  $("stop").hidden = false;
  const tick = setInterval(() => {
    if (running === mine) $("elapsed").textContent = `${Math.round((performance.now() - began) / 1000)} s`;
  }, 1000);
  try {
    await job(mine.signal, began);
  } catch (error) {
    if (running === mine) failed(error, sql);
  } finally {
    clearInterval(tick);
    if (running === mine) settled();
  }
}

function settled() {
  running = null;
  $("elapsed").textContent = "";
  $("result").setAttribute("aria-busy", "false");
  if (document.activeElement === $("stop")) $("run").focus();
  $("stop").hidden = true;
}

function run() {
  const sql = box().value;
  close();
  if (!sql.trim()) return say(t().emptyStatement);
  remember();
  hasRun = true;
  $("result").setAttribute("aria-busy", "true");
  return work(t().running, sql, async (signal, began) => {
    const read = await readRows(await askFor("application/json", sql, { signal }));
    if (signal.aborted) return;
    shown = { sql, ...read };
    drawResult(shown, began);
  });
}

const KINDS = {
  CSV: ["text/csv", "csv"],
  JSON: ["application/json", "json"],
  Parquet: ["application/vnd.apache.parquet", "parquet"],
};

function exportAs(kind) {
  const { sql } = shown,
    [accept, ending] = KINDS[kind];
  work(t().exporting(kind), sql, async (signal) => {
    const content = await (await askFor(accept, sql, { signal })).blob();
    if (signal.aborted) return;
    const name = `lawpulse-sql-${today()}.${ending}`;
    save(name, content, kind === "CSV" ? "text/csv;charset=utf-8" : accept);
    say(t().exported(name));
  });
}

// ---- The result. ----

const isNumber = (raw) => /^-?\d/.test(raw);

const exportButton = (kind) =>
  element(
    "button",
    {
      type: "button",
      class: "plain",
      id: `export-${kind.toLowerCase()}`,
      "aria-label": t().exportAs(kind),
      click: () => exportAs(kind),
    },
    kind,
  );

function summaryOf({ columns, rows, whole }, began) {
  const lines = count(rows.length);
  if (whole) return t().whole(lines, seconds(began));
  return (
    t().cut(lines, seconds(began)) +
    (rows.length < ROWS_MAX && columns.length > CELLS_MAX / ROWS_MAX ? t().wide(count(columns.length)) : "")
  );
}

function drawResult(result, began) {
  const { columns, rows } = result,
    summary = summaryOf(result, began);
  const links = [element("span", { class: "sub" }, t().exportAll), ...Object.keys(KINDS).map(exportButton)];
  $("result").hidden = false;
  const part = card("result", t().result, summary, links),
    body = part.querySelector(":scope > .body");
  body.replaceChildren(scrolling(t().result, resultTable(columns, rows)));
  if (!rows.length) body.append(element("p", { class: "summary" }, t().noRows));
  say("");
  $("announce").textContent = summary;
}

// Built by hand: a thousand rows of many columns are most of the page's work.
function resultTable(columns, rows) {
  const isNumeric = (values) => values.length > 0 && values.every(isNumber);
  const numeric = columns.map((_, at) => isNumeric(rows.map((row) => row[at]).filter((raw) => raw !== "null")));
  const body = document.createElement("tbody");
  for (const [at, row] of rows.entries()) {
    const line = body.insertRow(),
      number = line.appendChild(document.createElement("th"));
    number.scope = "row";
    number.textContent = at + 1;
    row.forEach((raw, column) => fillCell(line.insertCell(), raw, numeric[column]));
  }
  const names = columns.map((name, at) => element("th", { scope: "col", class: numeric[at] ? null : "text" }, name));
  const head = element("tr", {}, element("th", { scope: "col" }, element("span", { class: "unseen" }, t().row)), names);
  return element("table", {}, element("caption", { class: "unseen" }, t().result), element("thead", {}, head), body);
}

function fillCell(cell, raw, numeric) {
  if (!numeric) cell.className = "text";
  if (raw === "null") {
    cell.classList.add("null");
    cell.textContent = "NULL";
    return;
  }
  const text = raw.startsWith('"') ? JSON.parse(raw) : raw;
  if (text.includes("\n")) cell.classList.add("lines");
  else if (text.length > CELL_LINE) cell.classList.add("long");
  cell.textContent = text.length > CELL_TEXT_MAX ? text.slice(0, CELL_TEXT_MAX) + t().longer(count(text.length)) : text;
}

// ---- What is wrong. ----

function unmark() {
  $("problem").replaceChildren();
  box().removeAttribute("aria-invalid");
}

function failed(error, sql) {
  if (shown && shown.sql !== sql) $("result-heading").textContent = t().earlier;
  if (error.name === "AbortError") return say(t().stopped);
  say("");
  if (!(error instanceof ApiError)) return $("problem").replaceChildren(element("p", {}, t().brokenOff));
  const { problem } = error,
    place = placeOf(sql, problem),
    same = box().value === sql;
  // Place and suggestion are said apart from it.
  const detail = error.message.replace(/ \(line \d+, column \d+\)/, "").replace(/; did you mean `.*`\?$/, "");
  const where = problem.line ? t().place(problem.line, problem.column) : "",
    mend = () => write(...place.last, problem.suggestion);
  const heading = [t().problems[error.status] ?? explain(error), where].filter(Boolean).join(isZh() ? "，" : ", ");
  const told = t()
    .told.map(([pattern, tell]) => [detail.match(pattern), tell])
    .find(([found]) => found);
  const parts = [
    element("p", {}, element("strong", {}, heading)),
    told && element("p", {}, told[1](...told[0].slice(1))),
    error.status && element("p", { lang: "en", class: told ? "summary" : null }, detail),
    problem.suggestion &&
      place &&
      same &&
      element("button", { type: "button", id: "mend", click: mend }, t().replace(problem.suggestion)),
  ];
  $("problem").replaceChildren(...parts.filter(Boolean));
  if (!place || !same) return;
  box().setAttribute("aria-invalid", "true");
  mark(place.whole);
}

// The place as the statement's characters: all of the name that is wrong, and its last part.
function placeOf(sql, { line, column, detail = "" }) {
  let from = -1;
  if (line) {
    const lines = sql.split("\n"),
      before = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    from = before + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  } else {
    const name = detail.match(/`([\w.]+)`/)?.[1];
    from = name ? sql.search(new RegExp(`(?<![\\w.])${name.replaceAll(".", "\\.")}(?![\\w.])`)) : -1;
  }
  if (from < 0 || from > sql.length) return null;
  const found = sql.slice(from).match(/^(?:[\p{L}\p{N}_.]+|"[^"]*"|\S)/u)?.[0] ?? "",
    last = found.lastIndexOf(".") + 1;
  return { whole: [from, from + found.length], last: [from + last, from + found.length] };
}

function mark([from, to]) {
  box().focus();
  box().setSelectionRange(from, to);
  const { top, height } = placeInBox(from);
  if (top < 0 || top + height > box().clientHeight) box().scrollTop += top - box().clientHeight / 2;
}

// Where a character is, in pixels from the corner of the box: a copy of the text up to it ends there.
function placeInBox(at) {
  const mark = element("span", {}, "\u200b"),
    mirror = element("div", { class: "mirror", "aria-hidden": "true" }, box().value.slice(0, at), mark);
  $("editor").append(mirror);
  mirror.style.width = `${box().clientWidth}px`;
  const place = {
    left: mark.offsetLeft - box().scrollLeft,
    top: mark.offsetTop - box().scrollTop,
    height: mark.offsetHeight,
  };
  mirror.remove();
  return place;
}

// ---- Completion. ----

let offered = null;

function offer({ wanted = false } = {}) {
  const caret = box().selectionStart;
  if (!names || caret !== box().selectionEnd) return close();
  const { word, groups, qualified } = offersAt(box().value, caret);
  // Nobody who types on past a short or a finished word is held up.
  if (!wanted && !qualified && word.length < WORD_MIN && !/[^\x00-\x7f]/.test(word)) return close();
  const options = bestOf(groups, word);
  if (!options.length || (!wanted && options.some(({ name }) => name.toLowerCase() === word.toLowerCase())))
    return close();
  offered = { from: caret - word.length, to: caret, options, active: -1 };
  drawOffers();
  if (wanted) choose(0);
  $("announce").textContent = t().offered(options.length);
}

function drawOffers() {
  const entries = offered.options.map(({ name, kind, title }, at) =>
    element(
      "li",
      { role: "option", id: `option-${at}`, "aria-selected": "false", click: () => accept(at) },
      element("span", { class: "name" }, name),
      element("span", { class: "title" }, title),
      element("span", { class: "kind" }, t().kinds[kind]),
    ),
  );
  $("options").replaceChildren(...entries);
  $("offers").hidden = false;
  const { left, top, height } = placeInBox(offered.from),
    room = $("editor").clientWidth - $("offers").offsetWidth;
  $("offers").style.left = `${Math.max(0, Math.min(left, room))}px`;
  $("offers").style.top = `${Math.min(top + height, box().offsetHeight)}px`;
}

function choose(at) {
  const entries = $("options").children,
    { active } = offered;
  entries[active]?.setAttribute("aria-selected", "false");
  offered.active = (at + entries.length) % entries.length;
  const entry = entries[offered.active];
  entry.setAttribute("aria-selected", "true");
  // Only within the list: the page stays where it is.
  const list = $("options"),
    { offsetTop: top, offsetHeight: height } = entry;
  list.scrollTop = Math.max(Math.min(list.scrollTop, top), top + height - list.clientHeight);
  box().setAttribute("aria-activedescendant", entry.id);
}

function accept(at) {
  const { from, to, options } = offered,
    { insert, kind } = options[at];
  close();
  write(from, to, insert);
  if (kind === "schema" || insert.endsWith("'")) offer();
}

function close() {
  offered = null;
  $("offers").hidden = true;
  box().removeAttribute("aria-activedescendant");
}

// Tab leaves the box, as everywhere, unless names are offered.
function pressed(event) {
  if (event.isComposing) return;
  const held = event.ctrlKey || event.metaKey;
  const take = (act) => {
    event.preventDefault();
    act();
  };
  if (event.key === "Enter" && held) return take(run);
  if ((event.code === "Space" && event.ctrlKey) || (event.key === "ArrowDown" && event.altKey))
    return take(() => offer({ wanted: true }));
  if (!offered) return;
  const { active } = offered;
  if (event.key === "ArrowDown") take(() => choose(active + 1));
  else if (event.key === "ArrowUp") take(() => choose(active < 0 ? -1 : active - 1));
  else if (event.key === "Tab" && !event.shiftKey) take(() => accept(Math.max(active, 0)));
  else if (event.key === "Enter" && active >= 0) take(() => accept(active));
  else if (event.key === "Escape") take(close);
  else if (["Enter", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) close();
}

// ---- The tables and columns beside it. ----

function insertName(event, name) {
  const { selectionStart: from, selectionEnd: to, value } = box(),
    fromKeyboard = event.detail === 0;
  write(from, to, `${/[\w"]$/.test(value.slice(0, from)) ? " " : ""}${name}`);
  close();
  // Whoever walks through the list with the keyboard stays in it.
  if (fromKeyboard) event.target.closest("button").focus();
  $("announce").textContent = t().accepted(name);
}

function nameButton(name, title, more) {
  const attributes = {
    type: "button",
    class: "entry",
    title: t().insert(name),
    click: (event) => insertName(event, name),
  };
  return element(
    "button",
    attributes,
    element("code", {}, name),
    " ",
    element("span", { class: "title" }, title),
    more,
  );
}

const matches = (each, name, wanted) =>
  [name, each.title_zh, each.title_en].some((text) => text?.toLowerCase().includes(wanted));

function columnList(table, columns) {
  return element(
    "ul",
    {},
    columns.map((column) => {
      const note = t().values[column.values];
      return element(
        "li",
        {},
        nameButton(
          column.column,
          titleOf(column),
          element("span", { class: "kind" }, [column.type, note].filter(Boolean).join(" · ")),
        ),
      );
    }),
  );
}

function tableEntry(schema, table, wanted) {
  const own = matches(table, table.table, wanted);
  const hits = wanted ? table.columns.filter((column) => matches(column, column.column, wanted)) : [];
  if (wanted && !own && !hits.length) return null;
  const name = pathOf(schema.schema, table.table),
    entry = element("li", {});
  const toggle = element("button", {
    type: "button",
    class: "toggle",
    "aria-expanded": "false",
    "aria-label": t().columnsOf(name),
    click: () => open(toggle.getAttribute("aria-expanded") === "false", table.columns),
  });
  const open = (yes, columns) => {
    toggle.setAttribute("aria-expanded", String(yes));
    entry.querySelector("ul")?.remove();
    if (yes) entry.append(columnList(table, columns));
  };
  entry.append(toggle, nameButton(name, titleOf(table)));
  // A word that many columns have would open everything.
  if (hits.length && !own) open(true, hits);
  return entry;
}

function drawNames(body) {
  const wanted = $("names-filter").value.trim().toLowerCase();
  const groups = names.schemas
    .map((schema) => {
      const entries = schema.tables.map((table) => tableEntry(schema, table, wanted)).filter(Boolean);
      const heading = element(
        "summary",
        {},
        element("code", {}, schema.schema),
        " ",
        titleOf(schema),
        ` (${count(entries.length)})`,
      );
      return entries.length ? element("details", { open: Boolean(wanted) }, heading, element("ul", {}, entries)) : null;
    })
    .filter(Boolean);
  body.replaceChildren(...(groups.length ? groups : [element("p", { class: "summary" }, t().noNames)]));
}

const idle = () => new Promise((resolve) => (globalThis.requestIdleCallback ?? setTimeout)(resolve));

function loadNames() {
  return load($("names"), async () => {
    await idle();
    if (!names) learnNames(await getJson("/api/v1/dictionary"));
    return drawNames;
  });
}

// ---- The page. ----

function drawExamples() {
  const links = examples().map((sql, at) => element("a", { href: hashOf(sql), title: sql }, t().exampleNames[at]));
  $("examples").replaceChildren(...links.map((link) => element("li", {}, link)));
}

function editor() {
  const area = element("textarea", {
    id: "statement",
    rows: 9,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-describedby": "statement-hint problem",
    "aria-autocomplete": "list",
    "aria-haspopup": "listbox",
    "aria-controls": "options",
    input: (event) => {
      changed();
      if (!event.isComposing) offer();
    },
    compositionend: () => offer(),
    keydown: pressed,
    blur: close,
    click: close,
  });
  const list = element("ul", { id: "options", role: "listbox", "aria-label": t().options });
  // The pointer chooses without taking the focus from the statement.
  const offers = { id: "offers", hidden: true, mousedown: (event) => event.preventDefault() };
  return element(
    "div",
    { id: "editor" },
    area,
    element("div", offers, list, element("p", { "aria-hidden": "true" }, t().optionKeys)),
  );
}

const desk = () =>
  element(
    "section",
    { class: "card console" },
    element("label", { for: "statement" }, t().statement),
    editor(),
    element("p", { id: "statement-hint", class: "summary" }, t().hint),
    element(
      "div",
      { class: "buttons" },
      element("button", { type: "button", id: "run", class: "main", title: t().shortcut, click: run }, t().run),
      element("button", { type: "button", id: "stop", hidden: true, click: () => running?.abort() }, t().stop),
      element("p", { id: "said", role: "status" }),
      element("span", { id: "elapsed", "aria-hidden": "true" }),
    ),
    element("div", { id: "problem", role: "alert" }),
    element("div", { class: "examples" }, element("h2", {}, t().examples), element("ul", { id: "examples" })),
  );

function nameList() {
  const filter = () => {
    if (names) drawNames($("names").querySelector(":scope > .body"));
  };
  return element(
    "details",
    { class: "card names", id: "names", open: matchMedia("(min-width: 1000px)").matches },
    element("summary", {}, t().names),
    element(
      "label",
      {},
      element("span", {}, t().filter),
      element("input", { type: "search", id: "names-filter", input: filter }),
    ),
    element("div", { class: "body" }),
  );
}

function layout(content) {
  const result = element("section", { class: "result", id: "result", hidden: true });
  content.replaceChildren(element("div", { class: "workbench" }, desk(), nameList(), result));
  box().value = statementInAddress() ?? draft() ?? "";
  if (box().value) {
    remember();
    say(t().ready);
  }
  window.addEventListener("hashchange", takeFromAddress);
}

start({
  id: "sql",
  words,
  stays: true,
  heading: () => ({ heading: t().heading, sub: t().sub }),
  layout,
  draw() {
    drawExamples();
    if (!box().value) box().value = examples()[0];
    return [loadNames()];
  },
});
