"use strict";
// Photos dropped, chosen or pasted are sent one a request; what comes back is put beside them as text, never as HTML.

const form = document.getElementById("form");
const told = JSON.parse(form.dataset.told);
const drop = document.getElementById("drop");
const input = document.getElementById("files");
const progress = document.getElementById("status");
const tools = document.getElementById("tools");
const answers = document.getElementById("answers");
const strength = document.getElementById("strength");
// requests at a time
const AT_ONCE = 4;
// pixels of the longer side of a picture that is shown
const LARGEST = 720;
// viridis, perceptually even (Smith and van der Walt 2015), at eleven places
const COLOURS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
const waiting = [];
const shown = new Set();
let asked = 0;
let done = 0;
let running = 0;

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[low].map((value, index) => value + (place - low) * (COLOURS[low + 1][index] - value));
}

function percent(share) {
  return `${(100 * share).toFixed(share > 0.9995 || share < 0.0995 ? 1 : 0)} %`;
}

function say() {
  progress.textContent = asked === 0 ? "" : `${done} of ${asked} answered`;
  tools.hidden = asked === 0;
}

function add(files) {
  for (const file of files) {
    const card = document.getElementById("card").content.firstElementChild.cloneNode(true);
    card.querySelector(".name").textContent = file.name;
    card.querySelector("h2").textContent = "…";
    answers.prepend(card);
    waiting.push({ file, card, picture: opened(file) });
    asked += 1;
  }
  say();
  while (running < AT_ONCE && waiting.length > 0) work();
}

async function work() {
  running += 1;
  while (waiting.length > 0) {
    const one = waiting.shift();
    let answer, reason;
    try {
      answer = await ask(one.file);
    } catch (error) {
      reason = error instanceof TypeError ? "the server cannot be reached" : error.message;
    }
    const picture = await one.picture;
    // cleared meanwhile
    if (!one.card.isConnected) continue;
    if (answer) {
      show(one, answer, picture);
    } else {
      fail(one, reason);
      blank(one.card, picture);
    }
    done += 1;
    say();
  }
  running -= 1;
}

async function ask(file) {
  if (file.size > told.maxBytes) throw new Error(`larger than ${Number((told.maxBytes / 2 ** 20).toFixed(1))} MiB`);
  const address = `predict?map=${told.method !== ""}`;
  for (let tries = 0; ; tries += 1) {
    const headers = { "content-type": "application/octet-stream" };
    const response = await fetch(address, { method: "POST", body: file, headers });
    if (response.status === 429 && tries < 5) {
      const seconds = Math.min(Number(response.headers.get("retry-after")) || 1, 30);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      continue;
    }
    const answer = await response.json();
    if (!answer.images) throw new Error(answer.error);
    if (answer.images[0].status !== "ok") throw new Error(answer.images[0].error);
    return answer.images[0];
  }
}

async function opened(file) {
  // upright as EXIF says, which is what the server does too; null for kinds that only the server can read
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

function show(one, answer, picture) {
  const { card } = one;
  card.querySelector("h2").textContent = answer.predicted;
  for (const share of answer.top) {
    const line = document.getElementById("share").content.firstElementChild.cloneNode(true);
    line.querySelector(".label").textContent = share.class;
    line.querySelector(".number").textContent = percent(share.probability);
    const bar = line.querySelector("progress");
    bar.value = share.probability;
    bar.setAttribute("aria-label", share.class);
    card.querySelector(".shares").append(line);
  }
  const canvas = card.querySelector("canvas");
  const where = answer.map ? `, ${strongest(answer.map)}` : "";
  canvas.setAttribute("aria-label", `${one.file.name}: ${answer.predicted}, ${percent(answer.confidence)}${where}`);
  const scene = { canvas, picture, answer, layer: answer.map ? layer(answer.map) : null };
  shown.add(scene);
  draw(scene);
}

function fail(one, reason) {
  one.card.classList.add("wrong");
  one.card.querySelector("h2").textContent = `No answer: ${reason}`;
}

function blank(card, picture) {
  const canvas = card.querySelector("canvas");
  if (picture) {
    fit(canvas, picture.width, picture.height);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("aria-label", card.querySelector(".name").textContent);
  } else {
    const box = card.querySelector(".picture");
    box.classList.add("none");
    box.textContent = "no picture";
  }
}

function fit(canvas, width, height) {
  const scale = Math.min(1, LARGEST / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
}

// the map as a picture of one pixel a patch
function layer(map) {
  const canvas = document.createElement("canvas");
  canvas.width = map.columns;
  canvas.height = map.rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(map.columns, map.rows);
  // from the least to the most of this very map
  const least = map.values.reduce((one, other) => Math.min(one, other));
  const span = map.values.reduce((one, other) => Math.max(one, other)) - least || 1;
  map.values.forEach((value, place) => {
    image.data.set([...colour((value - least) / span), 255], 4 * place);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function strongest(map) {
  const place = map.values.reduce((best, value, here) => (value > map.values[best] ? here : best), 0);
  const third = (at, all, names) => names[Math.min(2, Math.floor((3 * (at + 0.5)) / all))];
  const down = third(Math.floor(place / map.columns), map.rows, ["top", "middle", "bottom"]);
  const across = third(place % map.columns, map.columns, ["left", "centre", "right"]);
  return `the map is strongest at the ${down} ${across}`;
}

function draw({ canvas, picture, answer, layer: map }) {
  fit(canvas, answer.width, answer.height);
  const context = canvas.getContext("2d");
  const scale = canvas.width / answer.width;
  if (picture) {
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  } else {
    context.fillStyle = "#808080";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  if (!map || Number(strength.value) === 0) return;
  const [left, top, right, bottom] = answer.map.region.map((edge) => edge * scale);
  context.globalAlpha = picture ? Number(strength.value) / 100 : 1;
  context.imageSmoothingEnabled = false;
  context.drawImage(map, left, top, right - left, bottom - top);
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = "#ffffff";
  context.strokeRect(left + 1, top + 1, right - left - 2, bottom - top - 2);
}

function legend() {
  const canvas = document.getElementById("scale");
  if (!canvas) return;
  const context = canvas.getContext("2d");
  for (let place = 0; place < canvas.width; place += 1) {
    context.fillStyle = `rgb(${colour(place / (canvas.width - 1)).map(Math.round).join(" ")})`;
    context.fillRect(place, 0, 1, 1);
  }
}

input.addEventListener("change", () => {
  add(input.files);
  input.value = "";
});
form.addEventListener("submit", (event) => event.preventDefault());
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => add(event.clipboardData.files));
document.getElementById("clear").addEventListener("click", () => {
  waiting.length = 0;
  shown.clear();
  answers.replaceChildren();
  asked = done = 0;
  say();
  input.focus();
});
if (strength) strength.addEventListener("input", () => shown.forEach(draw));
document.getElementById("address").textContent = location.origin;
legend();
