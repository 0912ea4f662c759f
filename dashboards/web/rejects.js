// Lines that were refused: how many and why, what to do about each reason, and the lines themselves.

import { ApiError, ask, askFor, explain, send } from "./api.js";
import { $, card, element, load, save, scrolling, state, table } from "./document.js";
import { count, moment, t, today } from "./language.js";
import { address, go, pick, start } from "./page.js";
import { page } from "./state.js";

const PAGE_ROWS = 100,
  TEXT_SHOWN = 500;

const words = {
  zh: {
    heading: "拒收记录",
    sub: "没有落库的日志行及其原因；一行也不丢，改好后可重新落库。",
    summary: "按原因",
    lines: "拒收的行",
    reason: "原因",
    sourceName: "来源",
    count: "行数",
    newest: "最近落库",
    landed: "落库时间",
    file: "文件",
    line: "行号",
    detail: "细节",
    text: "原文",
    fileFilter: "文件名含",
    clear: "清除筛选",
    remedy: "处理：",
    moreLines: (n) => `再显示 ${n} 行`,
    shownOf: (n, all) => `显示 ${n} / ${all} 行，最新在前`,
    withheldText: "细节和原文可能含个人信息，只向审计员显示；您可按文件和行号到源系统核对。",
    notUtf8: "（不是 UTF-8）",
    cut: (n) => `…（共 ${n} 字符，CSV 含全文）`,
    nobody: "没有拒收的行：所有日志行都已落库。",
    noMatch: "没有符合筛选的行。",
    exporting: "正在导出…",
    exported: "已导出。",
    totals: (n, reasons) => `共 ${n} 行，${reasons} 种原因。`,
    lineFilters: "筛选",
    allLines: "全部",
    show: (what) => `只看：${what}`,
    again: [
      "改好映射或补登单位后，在下方“再试一次”，或运行 ",
      "；每行只落库一次。源数据有误的，取回原文（",
      "）改好后推送到 ",
      "。",
    ],
    replay: "再试一次",
    replaying: "正在重试…",
    replayed: (told) =>
      `重试 ${count(told.tried)} 行：落库 ${count(told.landed)}，已有 ${count(told.duplicate)}，仍被拒 ${count(told.rejected)}${told.cut ? `；${count(told.cut)} 行过长只存了开头，请从原文件重新落库` : ""}。`,
    reasons: {
      malformed_json: ["不是有效的 JSON", "每行须是一个完整的 JSON 对象：检查截断、跨行写入和多余的逗号。"],
      invalid_utf8: ["编码不是 UTF-8", "由源系统以 UTF-8 导出（常见的是 GBK），再重新落库。"],
      line_too_long: ["行过长", "检查是否缺少换行；确需更长的行，调大映射中的 max_line_bytes。"],
      malformed_row: ["列数与表头不符", "检查 CSV 的引号和分隔符：引号须成对，含逗号的值须加引号。"],
      wrong_type: ["字段类型不符", "核对映射中该字段所指的列，或由源系统改正该列的类型。"],
      missing_type: ["缺少事件类型", "在映射中为 event_type 指定列，或给出固定值。"],
      missing_time: ["缺少发生时间", "核对映射中 occurred_at 所指的列；确实缺少的由源系统补录。"],
      bad_time: ["时间无法识别", "在映射的 time_formats 中写明该时间的格式。"],
      future_time: ["时间晚于落库时刻", "核对源系统的时钟，以及映射中的时区（zone）。"],
      time_before_1990: ["时间早于 1990 年", "多为空值或默认值：由源系统更正，或核对时间格式和单位。"],
      missing_org: ["缺少单位", "在映射中为 org_id 指定列；确实缺少的由源系统补录。"],
      unknown_org: ["单位未登记", "先落库单位登记（--source reference orgs.csv），或核对单位编码。"],
      delete_without_revision: ["撤销缺少修订号", "撤销须带修订号 revision，且高于所撤销的事件。"],
      missing_value: ["缺少必填项", "由源系统补填该列；并非必填的，修改映射的规则（[[rule]]）。"],
      unknown_code: ["代码不在代码表中", "在映射的代码表中补充该值，或由源系统改正。"],
      value_too_long: ["内容过长", "由源系统改正该列；长度限制不符的，修改映射的规则（max_length）。"],
      bad_uscc: ["统一社会信用代码错误", "由源系统核对该代码：18 位，末位为校验码（GB 32100）。"],
      bad_id_card: ["身份证号错误", "由源系统核对该号码：18 位，末位为校验码（GB 11643）。"],
      bad_item_code: ["事项编码错误", "由源系统核对该编码的位数和格式。"],
      bad_amount: ["金额无法识别", "金额须为不小于 0 的数，精确到分；核对映射中的单位（元、万元）。"],
      times_out_of_order: ["时间先后颠倒", "由源系统核对这两列的日期。"],
      bad_batch: ["批次号错误", "批次号须为 yyyymmdd 加不超过 9 位的序号。"],
    },
    unknownReason: "查看该行的细节，改正映射或源数据。",
  },
  en: {
    heading: "Refused lines",
    sub: "Lines that did not land, and why. None is lost: mend what is wrong and land them again.",
    summary: "By reason",
    lines: "The lines",
    reason: "Reason",
    sourceName: "Source",
    count: "Lines",
    newest: "Last landed",
    landed: "Landed",
    file: "File",
    line: "Line",
    detail: "Detail",
    text: "The line",
    fileFilter: "File name contains",
    clear: "Clear the filters",
    remedy: "What to do: ",
    moreLines: (n) => `Show ${n} more`,
    shownOf: (n, all) => `${n} of ${all} lines, the newest first`,
    withheldText:
      "Details and the lines themselves may hold personal data and are shown to auditors only; file and line lead to them in the source.",
    notUtf8: "(not UTF-8)",
    cut: (n) => `… (${n} characters; the CSV has them all)`,
    nobody: "Nothing was refused: every line has landed.",
    noMatch: "No line matches the filters.",
    exporting: "Exporting …",
    exported: "Exported.",
    totals: (n, reasons) => `${n} lines, ${reasons} reasons.`,
    lineFilters: "Filters",
    allLines: "All",
    show: (what) => `Show only: ${what}`,
    again: [
      "When the mapping is mended or the units are registered, try them again below, or with ",
      "; a line lands once. Where the source is wrong, mend its lines (",
      ") and push them to ",
      ".",
    ],
    replay: "Try again",
    replaying: "Trying …",
    replayed: (told) =>
      `Tried ${count(told.tried)}: landed ${count(told.landed)}, there already ${count(told.duplicate)}, refused again ${count(told.rejected)}${told.cut ? `; of ${count(told.cut)} only the beginning was kept: land them again from their files` : ""}.`,
    reasons: {
      malformed_json: [
        "Not valid JSON",
        "Each line has to be one whole JSON object: look for cut lines, objects over several lines and stray commas.",
      ],
      invalid_utf8: ["Not UTF-8", "Have the source export UTF-8 (it is often GBK), and land it again."],
      line_too_long: [
        "Line too long",
        "Look for missing line ends; if lines are that long, raise max_line_bytes in the mapping.",
      ],
      malformed_row: [
        "Another number of fields than the header",
        "Look at the CSV's quotes and separators: quotes come in pairs, values with commas need them.",
      ],
      wrong_type: [
        "Wrong type",
        "Check which column the mapping names for this field, or have the source mend its type.",
      ],
      missing_type: ["No event type", "Name a column for event_type in the mapping, or give it a fixed value."],
      missing_time: [
        "No time",
        "Check which column the mapping names for occurred_at; have the source fill it in where it is missing.",
      ],
      bad_time: ["Time cannot be read", "Write the format of this time into time_formats of the mapping."],
      future_time: ["Time after the landing", "Check the clock of the source, and the mapping's time zone (zone)."],
      time_before_1990: [
        "Time before 1990",
        "Mostly an empty or a default value: have the source mend it, or check format and unit of the time.",
      ],
      missing_org: [
        "No unit",
        "Name a column for org_id in the mapping; have the source fill it in where it is missing.",
      ],
      unknown_org: [
        "Unit not registered",
        "Land the register of units first (--source reference orgs.csv), or check the unit's code.",
      ],
      delete_without_revision: [
        "Deletion without a revision",
        "A deletion needs a revision, above that of the event which it withdraws.",
      ],
      missing_value: [
        "A demanded cell is empty",
        "Have the source fill it in; where it need not be filled, change the rule ([[rule]]) in the mapping.",
      ],
      unknown_code: ["Code not in the list", "Add it to the list in the mapping, or have the source mend it."],
      value_too_long: [
        "Text too long",
        "Have the source mend it; where the limit is wrong, change max_length in the mapping.",
      ],
      bad_uscc: [
        "Wrong unified social credit code",
        "Have the source check it: 18 characters, the last is a check character (GB 32100).",
      ],
      bad_id_card: [
        "Wrong identity number",
        "Have the source check it: 18 characters, the last is a check digit (GB 11643).",
      ],
      bad_item_code: ["Wrong item code", "Have the source check its length and form."],
      bad_amount: [
        "Amount cannot be read",
        "An amount is a number from 0, exact to the fen; check the unit (yuan or wan yuan) in the mapping.",
      ],
      times_out_of_order: ["Times out of order", "Have the source check both dates."],
      bad_batch: ["Wrong batch number", "A batch number is yyyymmdd and a sequence of up to nine digits."],
    },
    unknownReason: "Look at the line's detail; mend the mapping or the source.",
  },
};

const reasonName = (code) => t().reasons[code]?.[0] ?? code;
const remedyOf = (code) => t().reasons[code]?.[1] ?? t().unknownReason;
const reasonText = (code) => [reasonName(code), " ", element("code", {}, code)];

// ---- What is asked. ----

const SUMMARY = `select reason, source, count(*) as lines, max(landed_at) as newest from rejects
  group by reason, source order by lines desc, reason, source`;

// The condition of the filters, and its parameters.
function filtered() {
  const { reason, source, file } = page.own,
    parameters = [],
    conditions = [];
  const add = (value, write) => {
    if (value) conditions.push(write(`$${parameters.push(value)}`));
  };
  add(reason, (value) => `reason = ${value}`);
  add(source, (value) => `source = ${value}`);
  add(file, (value) => `strpos(lower(file), lower(${value})) > 0`);
  return { where: conditions.length ? `where ${conditions.join(" and ")}` : "", parameters };
}

const ORDER = "order by landed_at desc, file, line";
const TEXT = "try_cast(text as varchar)";

function askLines(offset) {
  const { where, parameters } = filtered();
  const columns = `landed_at, source, file, line, reason, detail,
    text is not null as is_shown, substr(${TEXT}, 1, ${TEXT_SHOWN}) as text, length(${TEXT}) as characters`;
  return ask(`select ${columns} from rejects ${where} ${ORDER} limit ${PAGE_ROWS} offset ${offset}`, parameters);
}

async function askCount() {
  const { where, parameters } = filtered();
  return (await ask(`select count(*) as lines from rejects ${where}`, parameters))[0].lines;
}

// ---- By reason. ----

// Another choice on this page, as a link that can also be opened beside it.
function choice(own, label, ...content) {
  const act = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ own }).then(() => $("reject-filters").scrollIntoView());
  };
  return element("a", { href: address({ own }), title: label, click: act }, ...content);
}

// Who may not see the table does not find it.
async function askSummary() {
  try {
    return await ask(SUMMARY);
  } catch (error) {
    throw error.status === 400 && /rejects' not found/.test(error.message) ? new ApiError(403, error.problem) : error;
  }
}

// The lines follow when it is known that there are any.
async function drawAll() {
  const part = card("summary", t().summary);
  let lines;
  await load(part, async () => {
    const rows = await askSummary();
    return (body) => {
      drawSummary(body, rows);
      $("lines").hidden = $("reject-filters").hidden = !rows.length;
      if (rows.length) lines = drawLines(rows);
    };
  });
  await lines;
}

function howToLandAgain() {
  const [first, second, third, last] = t().again,
    command = (text) => element("code", {}, text);
  return element(
    "p",
    { class: "summary" },
    first,
    command("lawpulse rejects replay --lake LAKE"),
    second,
    command("lawpulse rejects export --lake LAKE"),
    third,
    command("POST /api/v1/events"),
    last,
  );
}

function drawSummary(body, rows) {
  if (!rows.length) return body.replaceChildren(state("good", `✓ ${t().nobody}`));
  const { reason, source } = page.own;
  const link = (row) =>
    choice(
      { reason: row.reason, source: row.source },
      t().show(`${reasonName(row.reason)} · ${row.source}`),
      ...reasonText(row.reason),
    );
  const lines = rows.map((row) => ({
    class: row.reason === reason && (!source || row.source === source) ? "chosen" : null,
    cells: [
      { class: "text", cell: [link(row), element("p", { class: "remedy" }, t().remedy, remedyOf(row.reason))] },
      { class: "text", cell: row.source },
      { class: "strong", cell: count(row.lines) },
      moment(row.newest),
    ],
  }));
  const columns = [{ text: t().reason, class: "text" }, { text: t().sourceName, class: "text" }, t().count, t().newest];
  const total = rows.reduce((sum, row) => sum + row.lines, 0);
  body.replaceChildren(
    element("p", { class: "summary" }, t().totals(count(total), count(new Set(rows.map((row) => row.reason)).size))),
    scrolling(t().summary, table(t().summary, columns, lines, { hide: true })),
    howToLandAgain(),
  );
}

// ---- The filters. ----

function drawFilters(rows) {
  const names = (key) => [...new Set(rows.map((row) => row[key]))].sort(),
    all = ["", t().allLines];
  const reasons = names("reason").map((code) => [code, `${reasonName(code)} (${code})`]),
    sources = names("source").map((name) => [name, name]);
  const { reason, source, file } = page.own;
  const filter = (name) => (value) => go({ own: { [name]: value } });
  const focused = document.activeElement?.id;
  const input = element("input", {
    type: "search",
    id: "reject-file",
    value: file,
    change: () => filter("file")(input.value.trim()),
  });
  $("reject-filters").replaceChildren(
    pick("reject-reason", t().reason, [all, ...reasons], reason, filter("reason")),
    pick("reject-source", t().sourceName, [all, ...sources], source, filter("source")),
    element("label", {}, element("span", {}, t().fileFilter), input),
    ...(reason || source || file
      ? [element("button", { type: "button", id: "reject-clear", click: clear }, t().clear)]
      : []),
  );
  if (focused) $(focused)?.focus();
}

async function clear() {
  await go({ own: { reason: "", source: "", file: "" } });
  $("reject-reason")?.focus();
}

// ---- The lines. ----

const baseName = (file) => file?.split(/[\\/]/).at(-1) ?? "";

function lineOf(row, isShown) {
  const text =
    row.text === null
      ? t().notUtf8
      : row.characters > TEXT_SHOWN
        ? row.text + t().cut(count(row.characters))
        : row.text;
  return {
    cells: [
      moment(row.landed_at),
      { class: "text", cell: row.source },
      { class: "text file", title: row.file, cell: baseName(row.file) },
      String(row.line),
      { class: "text reason", cell: reasonText(row.reason) },
      ...(isShown
        ? [
            { class: "text", cell: row.detail ?? "" },
            { class: "text line", cell: element("code", {}, text) },
          ]
        : []),
    ],
  };
}

function linesTable(rows, isShown) {
  const left = (text) => ({ text, class: "text" });
  const withheld = isShown ? [left(t().detail), left(t().text)] : [];
  const columns = [t().landed, left(t().sourceName), left(t().file), t().line, left(t().reason), ...withheld];
  return table(
    t().lines,
    columns,
    rows.map((row) => lineOf(row, isShown)),
    { hide: true },
  );
}

function drawLines(known) {
  drawFilters(known);
  const file = element(
    "button",
    { type: "button", class: "plain", id: "reject-csv", "aria-label": t().downloadOf(t().lines), click: download },
    "CSV",
  );
  const again = element(
    "button",
    { type: "button", class: "plain", id: "reject-replay", click: () => replay(known) },
    t().replay,
  );
  // A part of a file's name does not say which file it is.
  again.hidden = Boolean(page.own.file);
  const part = card("lines", t().lines, "", [again, file, element("span", { id: "reject-said", role: "status" })]);
  const said = (n, all) => {
    part.querySelector(".sub").textContent = t().shownOf(count(n), count(all));
  };
  return load(part, async () => {
    const [rows, all] = await Promise.all([askLines(0), askCount()]);
    return (body) => {
      if (!rows.length) return body.replaceChildren(state("empty", t().noMatch));
      const isShown = rows.some((row) => row.is_shown);
      const lines = linesTable(rows, isShown),
        more = element("button", { type: "button", id: "reject-more", class: "more" });
      said(rows.length, all);
      body.replaceChildren(
        ...(isShown ? [] : [element("p", { class: "summary" }, t().withheldText)]),
        scrolling(t().lines, lines),
        more,
      );
      followOn(lines, more, { all, isShown, said, shown: rows.length });
    };
  });
}

// The button stays where it is under the pointer and the focus, until there is nothing left.
function followOn(lines, more, { all, isShown, said, shown }) {
  const label = () => {
    more.textContent = t().moreLines(count(Math.min(PAGE_ROWS, all - shown)));
    more.hidden = shown >= all;
  };
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const rows = await askLines(shown);
      lines.tBodies[0].append(...linesTable(rows, isShown).tBodies[0].rows);
      shown = rows.length ? shown + rows.length : all;
      said(shown, all);
      label();
    } catch (error) {
      if (error.name !== "AbortError") more.textContent = `${explain(error)} ${t().retry}`;
    }
    more.disabled = false;
    if (!more.hidden) more.focus();
  });
  label();
}

// A text that a spreadsheet would take for a formula is not one: who wrote these lines is not known.
const inert = (text, name) =>
  `case when regexp_like(${text}, '^[=+@\t\r-]') then concat('''', ${text}) else ${text} end as ${name}`;

const tell = (text) => {
  $("reject-said").textContent = text;
};

// Has the chosen lines tried again, source by source.
async function replay(known) {
  const { reason, source } = page.own;
  const sources = new Set(
    known
      .filter((row) => (!reason || row.reason === reason) && (!source || row.source === source))
      .map((row) => row.source),
  );
  const told = { tried: 0, landed: 0, duplicate: 0, rejected: 0, cut: 0 };
  $("reject-replay").disabled = true;
  tell(t().replaying);
  try {
    for (const each of sources) {
      const asked = new URLSearchParams({ source: each, ...(reason ? { reason } : {}) });
      const answer = await (await send(`/api/v1/rejects/replay?${asked}`, { method: "POST" })).json();
      for (const key of Object.keys(told)) told[key] += answer[key];
    }
    await drawAll();
    tell(t().replayed(told));
  } catch (error) {
    tell(error.name === "AbortError" ? "" : explain(error));
  }
  if ($("reject-replay")) $("reject-replay").disabled = false;
}

async function download() {
  const { where, parameters } = filtered();
  tell(t().exporting);
  try {
    const columns = [
      "landed_at",
      inert("source", "source"),
      inert("file", "file"),
      "line",
      "reason",
      inert("detail", "detail"),
      inert(TEXT, "text"),
    ];
    const answer = await askFor("text/csv", `select ${columns.join(", ")} from rejects ${where} ${ORDER}`, {
      parameters,
    });
    save(`lawpulse-rejects-${today()}.csv`, await answer.blob());
    tell(t().exported);
  } catch (error) {
    tell(error.name === "AbortError" ? "" : explain(error));
  }
}

// ---- The page. ----

start({
  id: "rejects",
  words,
  own: { reason: "", source: "", file: "" },
  heading: () => ({ heading: t().heading, sub: t().sub }),
  layout(content) {
    const filters = element("form", {
      id: "reject-filters",
      class: "choices",
      "aria-label": t().lineFilters,
      hidden: true,
      submit: (event) => event.preventDefault(),
    });
    content.replaceChildren(
      element("section", { id: "summary" }),
      filters,
      element("section", { id: "lines", hidden: true }),
    );
    for (const id of ["summary", "lines"]) card(id, t()[id]);
  },
  draw: () => [drawAll()],
});
