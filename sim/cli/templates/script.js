"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const things = all("[data-search]").map((node) => ({ node, text: node.textContent.toLowerCase(), kind: node.dataset.kind }));

  // What is shown: whatever holds all words, and of a timeline only the kinds that are switched on.
  const hiddenKinds = (node) => {
    const section = node.closest(".failure");
    return section ? section.hiddenKinds ?? new Set() : new Set();
  };
  const refresh = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const { node, text, kind } of things) {
      const fits = words.every((word) => text.includes(word));
      const off = kind !== undefined && hiddenKinds(node).has(kind);
      node.hidden = !fits || off;
      if (!node.hidden) hits += 1;
    }
    found.textContent = words.length === 0 ? "" : `${hits} of ${things.length} rows hold “${search.value.trim()}”`;
    for (const list of all(".timeline")) keepOneStop(list);
  };
  search.addEventListener("input", refresh);

  for (const box of all("[data-filter]")) {
    box.addEventListener("change", () => {
      const section = box.closest(".failure");
      section.hiddenKinds ??= new Set();
      if (box.checked) section.hiddenKinds.delete(box.dataset.filter);
      else section.hiddenKinds.add(box.dataset.filter);
      refresh();
    });
  }

  // A timeline is one stop of the tab key; the arrow keys move in it.
  const shown = (list) => [...list.children].filter((row) => !row.hidden);
  const keepOneStop = (list) => {
    const rows = shown(list);
    const stop = rows.find((row) => row.tabIndex === 0);
    for (const row of list.children) row.tabIndex = -1;
    const chosen = stop ?? rows[0];
    if (chosen) chosen.tabIndex = 0;
  };
  const goTo = (list, row) => {
    for (const other of list.children) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  };
  const moves = {
    ArrowDown: (at) => at + 1, ArrowUp: (at) => at - 1,
    PageDown: (at) => at + 12, PageUp: (at) => at - 12,
    Home: () => 0, End: (at, last) => last,
  };
  for (const list of all(".timeline")) {
    list.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const rows = shown(list);
      const at = rows.indexOf(event.target.closest(".row"));
      if (!move || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const last = rows.length - 1;
      goTo(list, rows[Math.max(0, Math.min(last, move(at, last)))]);
    });
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row && String(getSelection()) === "") goTo(list, row);
    });
    list.addEventListener("focusin", (event) => showMoment(event.target.closest(".row")));
  }

  // The row that has the focus is shown in the picture, and a sign of the picture leads to its row.
  const showMoment = (row) => {
    const section = row?.closest(".failure");
    const cursor = section?.querySelector(".cursor");
    if (!cursor) return;
    const step = Number(cursor.getAttribute("width"));
    const column = row.dataset.column;
    cursor.setAttribute("x", column === undefined ? -99 : Number(column) * step);
  };
  for (const mark of all(".mark[data-column]")) {
    mark.addEventListener("click", () => {
      const section = mark.closest(".failure");
      const row = section.querySelector(`.row[data-column="${mark.dataset.column}"]`);
      if (row && !row.hidden) goTo(row.parentElement, row);
    });
  }

  // A long picture opens where the crash is that is explained.
  for (const scroller of all("[data-begin]")) {
    scroller.scrollLeft = Math.max(0, Number(scroller.dataset.begin) - scroller.clientWidth * 0.7);
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      refresh();
      search.blur();
    }
  });

  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
