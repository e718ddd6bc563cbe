"use strict";
// Without this script the page says the same; it sorts tables, moves the threshold, copies paths, and takes arrow keys.
document.documentElement.classList.add("js");

const number = (cell) => {
  const value = parseFloat(cell.textContent.replace(/,/g, ""));
  return Number.isNaN(value) ? null : value;
};

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("th[data-sort]").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numeric = head.dataset.sort === "number";
      const earlier = head.getAttribute("aria-sort");
      const way = earlier === (numeric ? "descending" : "ascending") ? -1 : 1;
      const up = numeric ? way < 0 : way > 0;
      const place = head.cellIndex;
      const key = numeric ? (row) => number(row.cells[place]) : (row) => row.cells[place].textContent.trim();
      const keyed = [...body.rows].map((row) => [key(row), row]);
      keyed.sort(([one], [other]) => {
        // what has no value stays last, either way
        if (one === null || other === null) return (one === null) - (other === null);
        const order = numeric ? one - other : one.localeCompare(other, "en", { numeric: true });
        return up ? order : -order;
      });
      body.append(...keyed.map(([, row]) => row));
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  });
}

// one stop of the Tab key for a matrix, and arrow keys inside of it
for (const table of document.querySelectorAll("table.heat")) {
  const links = [...table.querySelectorAll("td a")];
  links.forEach((link, place) => { link.tabIndex = place ? -1 : 0; });
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    const rows = table.tBodies[0].rows;
    let row = cell.parentNode.sectionRowIndex + step[0];
    let column = cell.cellIndex + step[1];
    for (; rows[row] && rows[row].cells[column]; row += step[0], column += step[1]) {
      const link = rows[row].cells[column].querySelector("a");
      if (link) {
        links.forEach((other) => { other.tabIndex = -1; });
        link.tabIndex = 0;
        link.focus();
        return;
      }
    }
  });
}

let opener = null;
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#cell-"], a.close');
  if (!link) return;
  if (link.classList.contains("close")) {
    if (opener) setTimeout(() => opener.focus({ preventScroll: true }));
  } else {
    opener = link;
  }
});
addEventListener("hashchange", () => {
  const group = document.getElementById(location.hash.slice(1));
  if (group && group.classList.contains("group")) group.focus({ preventScroll: true });
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash.startsWith("#cell-")) {
    location.hash = "confusion";
    if (opener) opener.focus({ preventScroll: true });
  }
});

const copy = async (text, button) => {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "not allowed here";
  }
  setTimeout(() => { button.textContent = "copy path"; }, 1500);
};
for (const path of document.querySelectorAll(".shot .path")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy path";
  button.setAttribute("aria-label", `copy path ${path.textContent}`);
  button.addEventListener("click", () => copy(path.textContent, button));
  path.after(button);
}

const slider = document.getElementById("slider");
if (slider) {
  const told = JSON.parse(document.getElementById("sliding").textContent);
  const set = (name, value) => { document.getElementById(`slider-${name}`).textContent = value; };
  // as Python writes it: of two numbers that are as near, such as for 0.0625, the one with an even last digit
  const three = (value) => {
    if (value === null) return "\u2013";
    const low = Math.floor(value * 1000);
    return (value * 1000 - low === 0.5 ? (low + (low % 2)) / 1000 : value).toFixed(3);
  };
  const slide = () => {
    const place = Number(slider.value);
    const threshold = told.thresholds[place];
    const tp = told.true_positives[place];
    const fp = told.false_positives[place];
    const fn = told.positives - tp;
    const tn = told.negatives - fp;
    const precision = tp + fp ? tp / (tp + fp) : null;
    const recall = told.positives ? tp / told.positives : null;
    const f1 = 2 * tp + fp + fn ? (2 * tp) / (2 * tp + fp + fn) : null;
    const accuracy = (tp + tn) / (told.positives + told.negatives);
    const cells = { tp: [tp, told.positives], fn: [fn, told.positives], fp: [fp, told.negatives], tn: [tn, told.negatives] };
    for (const [name, [images, of]] of Object.entries(cells)) {
      set(name, images.toLocaleString("en-US"));
      const level = of ? Math.ceil(Math.sqrt(images / of) * 8) : 0;
      document.getElementById(`slider-${name}`).className = `${name[0] === "t" ? "right" : "wrong"} level${level}`;
    }
    set("threshold", threshold.toPrecision(4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""));
    set("precision", three(precision));
    set("recall", three(recall));
    set("f1", three(f1));
    set("accuracy", three(accuracy));
    slider.setAttribute("aria-valuetext", `${threshold.toPrecision(4)}, precision ${three(precision)}, recall ${three(recall)}`);
  };
  slider.addEventListener("input", slide);
  slide();
}
