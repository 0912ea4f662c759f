// Any metric, period, grain and scope: a chart, a table of units, what the number means, and the rows behind it.

import { getJson, membersOf, metricUrl, rowsOf, unitNameOf, unitsOf } from "./api.js";
import { bucketChart, bucketsOf } from "./chart.js";
import { lineOf } from "./charts.js";
import {
  $,
  bar,
  card,
  csv,
  csvButton,
  element,
  empty,
  figure,
  figures,
  jsonLink,
  load,
  save,
  scrolling,
  state,
  table,
} from "./document.js";
import {
  amount,
  count,
  definitionOf,
  hasValue,
  isRatio,
  metricOf,
  share,
  sourceOf,
  t,
  title,
  unitWord,
} from "./language.js";
import { address, go, pick, scopeAndPeriod, start } from "./page.js";
import { page } from "./state.js";

// Buckets that a chart can still show.
const BUCKETS_MAX = 800;

const words = {
  zh: {
    metrics: "指标目录",
    find: "查找指标",
    grain: "粒度",
    now: "所选周期",
    byUnit: "各单位",
    byUnitRanked: "差的在前",
    byUnitNamed: "按名称排列，不排名",
    means: "含义",
    direction: "方向",
    indicator: (n) => `领域指标第 ${n} 项`,
    threshold: (value, why) => `关注线 ${value}（${why}）`,
    small: (n) => `不足 ${n} 人时不显示`,
    prometheus: "Prometheus 名称",
    sqlOf: "计算用 SQL",
    openSql: "在 SQL 控制台打开",
    rows: "来源记录",
    showRows: "显示来源记录",
    rowsShown: (shown, all) => `${all} 条中的前 ${shown} 条`,
    noRows: "此指标没有逐条来源记录。",
    coverage: "数据覆盖",
    unitsWith: "有数据的单位",
    workingDaysWith: "有数据的工作日",
    events: "事件",
    tooMany: "时间段太多，画不下。请换更粗的粒度或更短的周期。",
    unknown: (id) => `没有指标 ${id}。请从目录中选择。`,
    parameters: {
      level: "活跃层级",
      clock: "时限",
      within: "提前天数",
      age: "账龄",
      kind: "类别",
      statistic: "统计",
      procedure: "程序",
      mark: "节点",
      rule: "规则",
      list: "清单",
      reason: "原因",
      grade: "等次",
      act: "执法行为",
      counted: "计数方式",
      credit_class: "信用等级",
      decision: "决定",
      penalty_type: "处罚种类",
      scene: "场景",
      part: "构成",
    },
    values: {
      all: "全部",
      any: "任一规则",
      L1: "L1 登录",
      L2: "L2 业务",
      L3: "L3 深度",
      case_decision: "作出处罚决定",
      case_service: "送达处罚决定书",
      case_publication: "公示处罚决定",
      credit_upload: "信用信息双公示上报",
      evidence_decision: "先行登记保存处理决定",
      hearing_notice: "听证通知提前期",
      hearing_request: "当事人申请听证",
      cash_hand_in: "当场收缴罚款上交",
      retraction: "撤回处罚公示信息",
      measure_duration: "查封扣押冻结",
      measure_report: "紧急强制措施补报",
      court_application: "申请法院强制执行",
      licence_decision: "作出许可决定",
      licence_delivery: "颁发送达许可证件",
      licence_publication: "公示许可决定",
      spot_check_publication: "公示抽查结果",
      complaint_handling: "办理投诉举报",
      opinion_reply: "回复监督意见书",
      fine_payment: "缴纳罚款",
      rectification: "整改检查发现的问题",
      median: "中位数",
      mean: "平均数",
      p90: "90 分位数",
      "night-market": "夜市",
      parking: "停车",
      "road-excavation": "道路占用挖掘",
      fumes: "餐饮油烟",
      "spoil-transport": "渣土运输",
      "campus-surroundings": "校园周边",
      "construction-noise": "施工噪声",
      "lift-safety": "电梯安全",
      chengdu_day: "成都：一日超过一次",
      chengdu_week: "成都：一周超过两次",
      chengdu_month: "成都：一月超过三次",
      quzhou_30_days: "衢州：30 日内不同部门",
      xianning_year: "咸宁：一年超过两次",
      not_trained: "未参加培训",
      exam_failed: "考试不合格",
      left_post: "调离岗位",
      ordinary: "普通程序",
      simple: "简易程序",
      items: "事项",
      departments: "部门",
      towns: "镇街",
      teams: "支队",
      decision_60: "决定 60 日",
      decision_75: "决定 75 日",
      decision_85: "决定 85 日",
      service_5: "送达 5 个工作日",
      publication_5: "公示 5 个工作日",
      zhen: "镇",
      jiedao: "街道",
      comprehensive: "综合行政执法",
      town: "镇街",
      department: "部门",
      team: "支队",
      team_district: "区级支队",
      fines: "罚款",
      confiscated: "没收",
      both: "罚款和没收",
      inspection: "检查",
      case: "案件",
      patrol: "巡查",
      pass: "合格",
      excellent: "优秀",
      granted: "准予",
      refused: "不予",
      visits: "户次",
      participations: "参与单位次",
      "0-30": "30 天内",
      "31-60": "31–60 天",
      "61-90": "61–90 天",
      "over-90": "90 天以上",
    },
  },
  en: {
    metrics: "Catalogue",
    find: "Find a metric",
    grain: "Grain",
    now: "The period",
    byUnit: "By unit",
    byUnitRanked: "the worst first",
    byUnitNamed: "in the order of names, not ranked",
    means: "Meaning",
    direction: "Direction",
    indicator: (n) => `indicator ${n} of the field`,
    threshold: (value, why) => `attention at ${value} (${why})`,
    small: (n) => `not shown for fewer than ${n} persons`,
    prometheus: "Name in Prometheus",
    sqlOf: "SQL",
    openSql: "Open in the SQL console",
    rows: "Rows behind it",
    showRows: "Show the rows",
    rowsShown: (shown, all) => `the first ${shown} of ${all}`,
    noRows: "This metric has no rows one by one.",
    coverage: "Coverage",
    unitsWith: "Units with data",
    workingDaysWith: "Working days with data",
    events: "Events",
    tooMany: "Too many buckets to draw. Choose a coarser grain or a shorter period.",
    unknown: (id) => `There is no metric ${id}. Choose one from the catalogue.`,
    parameters: {},
    // The values are English words as they are; these say more.
    values: {
      L1: "L1 login",
      L2: "L2 substantive",
      L3: "L3 sustained",
      zhen: "towns (镇)",
      jiedao: "subdistricts (街道)",
    },
  },
};

const chosen = () => metricOf(page.own.metric);

// The parameters of the metric: the chosen values, else the defaults.
function parameters() {
  const given = new Map(page.own.params.split(",").map((pair) => pair.split("=")));
  return Object.fromEntries(
    (chosen()?.parameters ?? []).map(({ name, values, default: otherwise }) => [
      name,
      values.includes(given.get(name)) ? given.get(name) : otherwise,
    ]),
  );
}

const grain = () => (chosen()?.grains.includes(page.own.grain) ? page.own.grain : chosen()?.grains.at(-1));

// ---- The catalogue. ----

function drawCatalogue() {
  const part = $("catalogue"),
    search = $("find"),
    groups = new Map();
  for (const metric of page.catalogue.values()) groups.set(metric.group, [...(groups.get(metric.group) ?? []), metric]);
  const link = ({ id }) =>
    element(
      "li",
      { "data-text-of": `${id} ${title(id)} ${definitionOf(metricOf(id))}`.toLowerCase() },
      element(
        "a",
        { href: address({ own: { metric: id, params: "" } }), "aria-current": id === page.own.metric ? "true" : null },
        title(id),
      ),
    );
  const lists = [...groups].map(([group, metrics]) =>
    element("section", {}, element("h3", {}, t().metricGroups[group] ?? group), element("ul", {}, metrics.map(link))),
  );
  part.querySelector("h2").textContent = t().metrics;
  part.querySelector("label span").textContent = t().find;
  part.querySelector(".lists").replaceChildren(...lists);
  const filter = () => {
    for (const line of part.querySelectorAll("li"))
      line.hidden = !line.dataset.textOf.includes(search.value.trim().toLowerCase());
    for (const section of part.querySelectorAll("section"))
      section.hidden = [...section.querySelectorAll("li")].every((line) => line.hidden);
  };
  search.oninput = filter;
  filter();
  const current = part.querySelector("[aria-current]");
  if (current && !part.contains(document.activeElement)) current.closest(".lists").scrollTop = current.offsetTop - 60;
}

// ---- The chosen one. ----

function drawChoice(metric) {
  const values = parameters();
  const grains = pick(
    "grain",
    t().grain,
    metric.grains.map((each) => [each, t().grains[each]]),
    grain(),
    (each) => go({ own: { grain: each } }),
  );
  const picks = metric.parameters.map(({ name, values: all }) =>
    pick(
      `param-${name}`,
      t().parameters[name] ?? name,
      all.map((value) => [value, t().values[value] ?? value.replaceAll("_", " ")]),
      values[name],
      (value) =>
        go({
          own: {
            params: Object.entries({ ...parameters(), [name]: value })
              .map((pair) => pair.join("="))
              .join(","),
          },
        }),
    ),
  );
  const url = metricUrl(metric.id, page.period, "all", values);
  const part = card("choice", title(metric.id), metric.id, [
    jsonLink(url, title(metric.id)),
    csvButton(title(metric.id), () => exportSeries(metric)),
  ]);
  return load(part, async () => {
    const [row] = await rowsOf(url);
    return (body) => {
      const unit = unitWord(metric);
      const value = element(
        "p",
        { class: "headline", "data-value": row?.value },
        row?.withheld ? t().withheld : amount(metric, row?.value),
        unit && hasValue(row) ? element("small", {}, unit) : null,
        isRatio(metric) && hasValue(row) ? element("small", {}, share(row)) : null,
      );
      body.replaceChildren(
        element(
          "div",
          { class: "choices" },
          element("div", {}, element("p", { class: "summary" }, t().now), value),
          grains,
          picks,
        ),
      );
    };
  });
}

async function exportSeries(metric) {
  const rows = await rowsOf(metricUrl(metric.id, page.period, grain(), parameters()));
  save(
    `lawpulse-${metric.id}-${page.scope}-${page.period.from}-${page.period.to}.csv`.replaceAll(/[:*/]/g, "_"),
    csv(
      ["metric", "scope", "scope_name", "period_start", "period_end", "numerator", "denominator", "value", "withheld"],
      rows,
    ),
  );
}

function drawTrend(metric) {
  const buckets = bucketsOf(page.period, grain());
  const heading = t().grains[grain()];
  if (buckets.length > BUCKETS_MAX)
    return load(card("trend", heading), async () => (body) => body.replaceChildren(state("empty", t().tooMany)));
  const mark = metric.kind === "count" && buckets.length <= 120 ? "bar" : "line";
  return bucketChart("trend", {
    heading,
    grain: grain(),
    window: page.period,
    buckets,
    line: lineOf(metric.id),
    series: [{ metric: metric.id, more: parameters(), name: title(metric.id), colour: 1, mark }],
  });
}

function drawByUnit(metric) {
  const url = metricUrl(metric.id, page.period, "all", { scope: membersOf(page.scope), ...parameters() });
  let rows = [];
  const name = `${title(metric.id)} · ${t().byUnit}`;
  const part = card("by-unit", t().byUnit, metric.rankable ? t().byUnitRanked : t().byUnitNamed, [
    jsonLink(url, name),
    csvButton(name, () =>
      save(
        `lawpulse-${metric.id}-units.csv`,
        csv(["scope", "scope_name", "numerator", "denominator", "value", "withheld"], rows),
      ),
    ),
  ]);
  return load(part, async () => {
    rows = (await unitsOf(url)).filter((row) => hasValue(row) || row.withheld);
    return (body) => {
      if (!rows.length) return body.replaceChildren(empty(page.period));
      const byName = (a, b) => unitNameOf(a).localeCompare(unitNameOf(b), "zh-CN"),
        sign = metric.direction === "down" ? -1 : 1;
      // A withheld value has no place in the order.
      rows.sort(
        (a, b) =>
          (metric.rankable && (hasValue(b) - hasValue(a) || sign * ((a.value ?? 0) - (b.value ?? 0)))) || byName(a, b),
      );
      const top = isRatio(metric) ? 1 : Math.max(...rows.map((row) => row.value ?? 0)) || 1;
      const lines = rows.map((row) => ({
        class: row.scope === page.scope ? "chosen" : null,
        cells: [
          element("a", { href: address({ scope: row.scope }) }, unitNameOf(row)),
          { class: "bar", cell: bar((row.value ?? 0) / top) },
          { class: "strong", cell: row.withheld ? t().withheld : amount(metric, row.value) },
          isRatio(metric) && hasValue(row) ? share(row) : "",
        ],
      }));
      body.replaceChildren(
        scrolling(
          name,
          table(
            name,
            [t().unit, element("td", {}), t().value, isRatio(metric) ? t().share : element("td", {})],
            lines,
            { hide: true },
          ),
        ),
      );
    };
  });
}

function drawMeaning(metric) {
  const entry = (name, ...content) => [element("dt", {}, name), element("dd", {}, ...content)];
  const { from, to } = page.period,
    pairs = Object.entries(parameters())
      .map(([name, value]) => `, '${name}=${value}'`)
      .join("");
  const statement = `select * from metric('${metric.id}', '${from}', '${to}', '${grain()}', '${page.scope}'${pairs})`;
  const attention = metric.thresholds
    ? t().threshold(amount(metric, metric.thresholds.warn ?? metric.thresholds.fail), sourceOf(metric.thresholds))
    : null;
  const part = card("meaning", t().means);
  const notes = [
    t().directions[metric.direction],
    metric.indicator ? t().indicator(metric.indicator) : null,
    attention,
    metric.suppress_below ? t().small(metric.suppress_below) : null,
  ].filter(Boolean);
  part
    .querySelector(".body")
    .replaceChildren(
      element(
        "dl",
        { class: "terms" },
        entry(t().definition, definitionOf(metric)),
        entry(t().source.replace(/[:：]\s*$/, ""), sourceOf(metric)),
        entry(t().direction, notes.join(t().and)),
        entry(t().prometheus, element("code", {}, metric.prometheus)),
      ),
      element(
        "details",
        {},
        element("summary", {}, t().sqlOf),
        element("pre", { tabindex: "0" }, element("code", {}, metric.sql)),
      ),
      element(
        "p",
        {},
        element("a", { href: `${address({}, "sql")}#sql=${encodeURIComponent(statement)}` }, t().openSql),
      ),
    );
}

// Read only when somebody wants them: they may be many.
function drawRows(metric) {
  const part = $("rows");
  part.querySelector("summary").textContent = t().rows;
  const show = () =>
    part.open &&
    load(part, async () => {
      const answer = await getJson(
        metricUrl(metric.id, page.period, "all", { ...parameters(), rows: "100" }, "/explain"),
      );
      return (body) => body.replaceChildren(...evidence(answer));
    });
  part.ontoggle = show;
  return show();
}

function evidence({ coverage: [covered], rows, rows_total: all }) {
  const facts = covered
    ? figures(
        figure(t().unitsWith, `${count(covered.units_with_events)} / ${count(covered.units)}`),
        figure(t().workingDaysWith, `${count(covered.working_days_with_events)} / ${count(covered.working_days)}`),
        figure(t().events, count(covered.events)),
      )
    : null;
  if (!rows?.length) return [facts, element("p", { class: "summary" }, t().noRows)].filter(Boolean);
  const columns = Object.keys(rows[0]).filter((name) => name !== "scope_id" && name !== "period_start");
  const text = (value) =>
    value === null || value === undefined ? "—" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const lines = rows.map((row) => ({
    cells: columns.map((column) => ({
      class: typeof row[column] === "number" ? null : "text",
      cell: text(row[column]),
    })),
  }));
  return [
    facts,
    element("p", { class: "summary" }, t().rowsShown(count(rows.length), count(all))),
    scrolling(
      t().rows,
      table(
        t().rows,
        columns.map((text) => ({ text, class: typeof rows[0][text] === "number" ? null : "text" })),
        lines,
        { hide: true },
      ),
    ),
  ].filter(Boolean);
}

start({
  id: "explore",
  words,
  filters: ["scope", "period"],
  own: { metric: "officer_activity_ratio", grain: "month", params: "" },
  heading: () => ({ ...scopeAndPeriod(), heading: `${title(page.own.metric)} · ${scopeAndPeriod().heading}` }),
  layout(content) {
    const section = (id) => element("section", { class: `card ${id}`, id });
    const catalogue = element(
      "aside",
      { class: "card", id: "catalogue", "aria-labelledby": "catalogue-heading" },
      element("h2", { id: "catalogue-heading" }),
      element("label", {}, element("span", {}), element("input", { type: "search", id: "find", autocomplete: "off" })),
      element("div", { class: "lists", tabindex: "0", role: "region", "aria-labelledby": "catalogue-heading" }),
    );
    const rows = element(
      "details",
      { class: "card", id: "rows" },
      element("summary", {}),
      element("div", { class: "body" }),
    );
    content.replaceChildren(
      element(
        "div",
        { class: "with-aside" },
        catalogue,
        element("div", { class: "cards" }, ["choice", "trend", "meaning", "by-unit"].map(section), rows),
      ),
    );
  },
  draw() {
    drawCatalogue();
    const metric = chosen();
    if (!metric) {
      return [
        load(
          card("choice", page.own.metric),
          async () => (body) =>
            body.replaceChildren(state("error", page.catalogue.size ? t().unknown(page.own.metric) : page.unreachable)),
        ),
      ];
    }
    drawMeaning(metric);
    return [drawChoice(metric), drawTrend(metric), drawByUnit(metric), drawRows(metric)];
  },
});
