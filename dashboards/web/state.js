// What the page knows: the choice in the URL, and what the server said about itself.

export const page = {
  id: "",
  lang: "zh",
  scope: "district",
  // Everything that whoever looks may ask about, as one scope.
  whole: "district",
  period: null,
  // Choices that only this page has, as texts by name.
  own: {},
  // The days that the data cover.
  bounds: null,
  status: null,
  unreachable: "",
  scopes: [],
  catalogue: new Map(),
  // Ends whatever was asked for a choice that holds no more.
  abort: new AbortController(),
};
