// Comfort only: the report reads the same without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("nablab-theme");
      localStorage.setItem("nablab-theme", value);
    } catch { /* pages opened from a disk may have no storage */ }
    return null;
  };
  const wanted = stored();
  if (wanted === "light" || wanted === "dark") root.dataset.theme = wanted;
  root.classList.add("js");

  const isDark = () => root.dataset.theme === "dark" ||
    (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

  function themeButton() {
    const button = document.getElementById("theme");
    const show = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      stored(root.dataset.theme);
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    show();
  }

  function copyButtons() {
    for (const block of document.querySelectorAll(".code")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(block.querySelector("code").textContent);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(block.querySelector("code"));
          button.textContent = "Selected";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 1600);
      });
      block.append(button);
    }
  }

  // Empty values always come last, whichever way it is sorted.
  function compare(a, b, direction) {
    if (a === "" || b === "") return (a === "") - (b === "");
    const [x, y] = [Number(a), Number(b)];
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
    return direction * order;
  }

  function sortable(table) {
    const heads = table.querySelectorAll("th[data-column]");
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.dataset.first === "descending" ? -1 : 1;
        const now = { ascending: 1, descending: -1 }[head.getAttribute("aria-sort")];
        const direction = now === undefined ? first : -now;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        const column = Number(head.dataset.column);
        const key = (row) => row.cells[column].dataset.value ?? "";
        const body = table.tBodies[0];
        body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b), direction)));
      });
    }
  }

  // A cell shows its pictures beside the matrix; arrow keys walk over the cells, which are one tab stop.
  function matrix(section) {
    const links = [...section.querySelectorAll(".matrix a")];
    const panel = section.querySelector(".behind");
    const open = (link) => {
      for (const other of links) {
        other.tabIndex = other === link ? 0 : -1;
        other.toggleAttribute("aria-current", other === link);
      }
      for (const shown of panel.querySelectorAll(".pictures")) {
        shown.classList.toggle("open", `#${shown.id}` === link.hash);
      }
    };
    const first = links.find((link) => link.classList.contains("opened")) ?? links[0];
    if (first) open(first);
    const walk = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    for (const link of links) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        open(link);
      });
      link.addEventListener("keydown", (event) => {
        const step = walk[event.key];
        if (!step) return;
        event.preventDefault();
        const cell = link.closest("td");
        const rows = link.closest("tbody").rows;
        let [r, c] = [cell.parentElement.sectionRowIndex + step[0], cell.cellIndex + step[1]];
        while (rows[r]?.cells[c]) {
          const next = rows[r].cells[c].querySelector("a");
          if (next) { next.focus(); open(next); return; }
          [r, c] = [r + step[0], c + step[1]];
        }
      });
    }
    for (const link of section.querySelectorAll("a[data-shows]")) {
      link.addEventListener("click", () => open(links.find((cell) => cell.hash === link.hash)));
    }
  }

  // Fades the right edge of what goes on to the right.
  function edge(box) {
    const show = () => {
      const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
      box.classList.toggle("more", rest > 4);
    };
    box.addEventListener("scroll", show, { passive: true });
    new ResizeObserver(show).observe(box);
  }

  addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".scroll").forEach(edge);
    themeButton();
    copyButtons();
    document.querySelectorAll("table.sortable").forEach(sortable);
    document.querySelectorAll(".confusion").forEach(matrix);
  });

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
})();
