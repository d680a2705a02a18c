"use strict";
addEventListener("load", () => {
  const checks = [];
  const check = (what, ok) => checks.push({ what, ok: Boolean(ok) });
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = () => all(".row").filter((row) => row.offsetParent !== null);
  const press = (key, on = document.activeElement ?? document.body) =>
    on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const search = document.getElementById("search");
  const type = (text) => {
    search.value = text;
    search.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const rows = all(".row").length;

  // Order of focus: the skip link, the search, then the rest; a timeline is one stop.
  const stops = all("a[href], button, input, summary, [tabindex]").filter((node) => node.tabIndex >= 0);
  check("the skip link is the first stop", stops[0].className === "skip");
  check("it leads to the report", document.querySelector(stops[0].getAttribute("href")).tagName === "MAIN");
  check("the search is the second", stops[1] === search);
  check("no stop jumps the order", stops.every((node) => node.tabIndex === 0));
  check("a timeline is one stop", all(".timeline").every((list) => [...list.children].filter((row) => row.tabIndex === 0).length === 1));

  press("/", document.body);
  check("a slash focuses the search", document.activeElement === search);
  type("sync_data");
  check("search shows what fits", shown().length > 0 && shown().every((row) => row.textContent.includes("sync_data")));
  check("search hides the rest", shown().length < rows);
  check("it says how many", document.getElementById("found").textContent.includes("rows hold"));
  type("sync_data wal-0000000001 ok");
  check("several words must all fit", shown().length > 0);
  type("no such words anywhere");
  check("nothing fits nonsense", shown().length === 0);
  press("Escape", search);
  check("escape shows everything again", search.value === "" && shown().length === rows);

  const box = document.querySelector("[data-filter=read]");
  const reads = all(".row.read").length;
  box.click();
  check("a filter hides its kind", reads > 0 && shown().length === rows - reads);
  type("wal-");
  check("search and filters go together", shown().length > 0 && shown().every((row) => !row.classList.contains("read")));
  type("");
  box.click();
  check("and shows it again", shown().length === rows);

  const list = document.querySelector(".timeline");
  const first = list.querySelector("[tabindex='0']");
  first.focus();
  press("ArrowDown");
  check("down goes to the next row", document.activeElement === first.nextElementSibling);
  press("ArrowUp");
  check("up goes back", document.activeElement === first);
  press("End");
  check("end goes to the last row", document.activeElement === list.lastElementChild);
  press("ArrowDown");
  check("and no further", document.activeElement === list.lastElementChild);
  press("Home");
  check("home goes to the first", document.activeElement === list.firstElementChild);
  const crash = all(".row.crash")[0];
  crash.click();
  check("a click takes the focus", document.activeElement === crash);
  const cursor = document.querySelector(".cursor");
  check("the picture shows the moment of the row", Number(cursor.getAttribute("x")) >= 0);
  const mark = all(".mark[data-column]")[0];
  mark.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  check("a sign leads to its row", document.activeElement.dataset.column === mark.dataset.column);

  check("every picture has words", all("svg[role=img]").every((svg) => svg.getAttribute("aria-label").length > 20));
  check("every input has a label", all("input").every((input) => input.labels.length === 1));
  const ids = all("[id]").map((node) => node.id);
  check("ids are not used twice", new Set(ids).size === ids.length);
  check("labels lead somewhere", all("[aria-labelledby]").every((node) => document.getElementById(node.getAttribute("aria-labelledby"))));
  check("the page is not wider than the window", document.documentElement.scrollWidth <= innerWidth);

  const seen = {
    checks, complaints,
    requests: performance.getEntriesByType("resource").length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    faint: faint(),
  };
  const pre = document.createElement("pre");
  pre.id = "seen";
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);

  // Text whose contrast with what lies behind it is below 4.5.
  function faint() {
    document.activeElement?.blur();
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const colour = (text) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return { rgb: [r, g, b], a: a / 255 };
    };
    const over = (top, ground) => top.rgb.map((part, at) => part * top.a + ground[at] * (1 - top.a));
    const ground = (node) => {
      const layers = [];
      for (let at = node; at; at = at.parentElement) {
        const layer = colour(getComputedStyle(at).backgroundColor);
        if (layer.a > 0) layers.push(layer);
        if (layer.a === 1) break;
      }
      return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const light = (rgb) => {
      const [r, g, b] = rgb.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = new Map();
    for (const node of all("body *")) {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== "");
      const style = getComputedStyle(node);
      if (!own || node.closest("script, style, svg.defs, title") || style.visibility === "hidden" || node.getClientRects().length === 0) continue;
      const behind = ground(node.closest("svg") ? node.closest("svg").parentElement : node);
      const ink = over(colour(node.closest("svg") ? style.fill : style.color), behind);
      const [bright, dim] = [light(ink), light(behind)].sort((a, b) => b - a);
      const ratio = (bright + 0.05) / (dim + 0.05);
      if (ratio < 4.5) found.set(`${node.tagName} ${node.getAttribute("class") ?? ""}`, ratio.toFixed(2));
    }
    return [...found].map(([node, ratio]) => `${node}: ${ratio}`);
  }
});
