// The rows of an answer, read as it comes and no further than they are shown.

// What is shown, so that a result of a million rows does not freeze the page; a file holds all of it.
export const ROWS_MAX = 1000,
  CELLS_MAX = 60_000;
const TEXT_MAX = 8_000_000;

// Reads {"columns": […], "rows": [{…}, …]} as it comes, until there are more rows than are shown.
export async function readRows(response) {
  const reader = response.body.getReader(),
    decoder = new TextDecoder(),
    scan = scanner();
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    size += value?.length ?? 0;
    const { columns, rows, limit } = scan(decoder.decode(value, { stream: !done }));
    if (rows.length > limit || size > TEXT_MAX) {
      // Nobody waits for the rest: the server stops working on it.
      reader.cancel();
      return { columns, rows: rows.slice(0, limit), whole: false };
    }
    if (done) return { columns, rows, whole: true };
  }
}

// Values stay in their own words: a number that JavaScript would round stays exact, two columns of one name stay apart.
function scanner() {
  const HEAD = '],"rows":[';
  let text = "",
    at = 0,
    depth = 0,
    quoted = false,
    begin = 0,
    columns = null,
    cells = [],
    limit = ROWS_MAX;
  const rows = [];
  const head = () => {
    const end = text.indexOf(HEAD);
    if (end < 0) return;
    columns = JSON.parse(text.slice(text.indexOf("["), end + 1));
    limit = Math.max(20, Math.min(ROWS_MAX, Math.floor(CELLS_MAX / columns.length)));
    at = end + HEAD.length;
  };
  const step = (sign) => {
    if (quoted) {
      if (sign === "\\") at++;
      else if (sign === '"') quoted = false;
      return;
    }
    if (sign === '"') quoted = true;
    else if (depth === 1 && sign === ":") begin = at + 1;
    else if (depth === 1 && (sign === "," || sign === "}")) cells.push(text.slice(begin, at));
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth--;
    if (sign === "}" && depth === 0) {
      rows.push(cells);
      cells = [];
    }
  };
  // Only what a value began with is needed again.
  const forget = () => {
    const done = !columns ? 0 : Math.min(text.length, depth === 0 ? at : begin);
    text = text.slice(done);
    at -= done;
    begin -= done;
  };
  return (more) => {
    text += more;
    if (!columns) head();
    if (columns) for (; at < text.length && rows.length <= limit; at++) step(text[at]);
    forget();
    return { columns: columns ?? [], rows, limit };
  };
}
