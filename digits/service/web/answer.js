// Shows a prediction: its text, the bars of each class, the inputs of the network, the boxes.

import { lines, page } from "./page.js";
import { HEIGHT, WIDTH } from "./sheet.js";

const ROWS = Math.min(10, page.classes.length); // bars; of more classes, those of the likeliest
const IN_ORDER = page.classes.length <= ROWS; // each class has its own row
const EMPTY = page.draws
  ? ["Nothing drawn yet", "The answer appears while you draw."]
  : ["No image yet", "The answer appears when you open one."];
const BLANK = "the image is blank"; // a note of the service
const SPEAK_DELAY = 700; // milliseconds without a change before a screen reader is told
const get = (id) => document.getElementById(id);
const percent = (share) => {
  const value = share * 100;
  return value > 99.9 && value < 99.995 ? `${value.toFixed(2)}%` : `${value.toFixed(1)}%`;
};

// Create an element with attributes and children.
function create(name, attributes = {}, ...children) {
  const element = name === "rect"
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Create empty rows of bars.
export function prepare() {
  for (let i = 0; i < ROWS; i++) {
    const track = create("div", { class: "track" }, create("div", { class: "fill" }));
    const name = create("span", { class: "name" }, IN_ORDER ? page.classes[i] : "");
    name.title = name.textContent;
    get("bars").append(create("li", {}, name, track, create("span", { class: "share" })));
  }
  clear();
}

let chosen = 0; // index of the glyph whose bars are shown
let timer = null;

// Show that there is no prediction, and why.
export function clear(title = EMPTY[0], note = EMPTY[1]) {
  chosen = 0;
  showText("–", title, note);
  showBars([]);
  get("glyph").hidden = get("glyphs").hidden = true;
  get("marks").replaceChildren();
  speak("");
}

// Show a prediction. `frame` places its boxes on the sheet; null: they are not shown.
export function show(prediction, frame) {
  const count = prediction.top.length;
  chosen = Math.min(chosen, Math.max(0, count - 1));
  if (!count) {
    const title = prediction.notes.includes(BLANK) ? "Nothing is on it" : `No ${page.noun} found`;
    const note = prediction.notes.join("; ") || `Nothing in this image looks like a ${page.noun}.`;
    showText("–", title, `${note[0].toUpperCase()}${note.slice(1)}`);
    speak(title);
  } else {
    const doubtful = prediction.status === "doubtful";
    const probability = percent(prediction.probability);
    showText(lines(prediction), probability, remark(prediction), doubtful);
    speak(`${lines(prediction).replaceAll("\n", ", next row, ")}, ${probability}${doubtful ? ", doubtful" : ""}`);
  }
  showChosen(prediction, frame);
}

// Show the bars of the chosen glyph, and mark it on the sheet.
function showChosen(prediction, frame) {
  showBars(prediction.top[chosen] ?? []);
  showGlyphs(prediction, frame);
  showBoxes(prediction, frame);
}

function remark(prediction) {
  const several = prediction.top.length > 1 ? `all ${page.noun}s right` : "";
  const other = page.draws ? page.noun : "class";
  const doubtful = prediction.status === "doubtful" ? `doubtful: perhaps another ${other}, or none` : "";
  return [several, doubtful, ...prediction.notes].filter(Boolean).join("; ");
}

function showText(text, title, note, doubtful = false) {
  get("text").textContent = text;
  const length = text.length > 24 ? "long name" : text.length > 2 ? "long" : "";
  get("text").className = `text ${text === "–" ? "none" : ""} ${length}`;
  get("probability").textContent = title;
  get("remark").textContent = note;
  get("remark").className = doubtful ? "doubtful" : "quiet";
}

function showBars(top) {
  const shares = new Map(top.map(({ label, probability }) => [label, probability]));
  [...get("bars").children].forEach((row, i) => {
    const label = IN_ORDER ? page.classes[i] : top[i]?.label;
    const share = shares.get(label);
    row.querySelector(".name").textContent = row.querySelector(".name").title = label ?? "";
    row.querySelector(".fill").style.transform = `scaleX(${share ?? 0})`;
    row.querySelector(".share").textContent = share === undefined ? "" : percent(share);
    row.classList.toggle("first", top.length > 0 && top[0].label === label);
  });
}

function showGlyphs(prediction, frame) {
  const images = prediction.pictures.map((data, i) => {
    const alt = `The network's input, read as ${prediction.top[i][0].label}`;
    return create("img", { src: `data:image/png;base64,${data}`, width: 28, height: 28, alt });
  });
  get("glyph").hidden = images.length !== 1;
  get("glyphs").hidden = images.length < 2;
  get("glyph").replaceChildren(...(images.length === 1 ? [create("li", {}, images[0])] : []));
  if (images.length < 2) return;
  const focused = get("glyphs").contains(document.activeElement);
  get("glyphs").replaceChildren(...images.map((image, i) => glyphButton(prediction, frame, image, i)));
  if (focused) get("glyphs").children[chosen].firstChild.focus();
}

function glyphButton(prediction, frame, image, i) {
  image.alt = "";
  const { label, probability } = prediction.top[i][0];
  const doubtful = prediction.doubtful[i];
  const words = `${label}, ${percent(probability)}${doubtful ? ", doubtful" : ""}`;
  const text = create("span", { class: doubtful ? "name doubtful" : "name" }, doubtful ? `${label}?` : label);
  const button = create("button", { type: "button", "aria-pressed": i === chosen, "aria-label": words }, image, text);
  button.addEventListener("click", () => {
    chosen = i;
    showChosen(prediction, frame);
  });
  return create("li", {}, button);
}

function showBoxes(prediction, frame) {
  const several = prediction.boxes.length > 1;
  const visible = page.draws && frame && (several || frame.scale !== 1 || frame.left || frame.top);
  get("marks").setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  get("marks").replaceChildren(...(visible ? prediction.boxes : []).map(([left, top, right, bottom], i) => create("rect", {
    class: `box ${several && i !== chosen ? "" : "chosen"} ${prediction.doubtful[i] ? "doubtful" : ""}`,
    x: frame.left + left * frame.scale - 5,
    y: frame.top + top * frame.scale - 5,
    width: (right - left) * frame.scale + 10,
    height: (bottom - top) * frame.scale + 10,
  })));
}

// Tell a screen reader, once nothing has changed for a moment.
function speak(sentence) {
  clearTimeout(timer);
  timer = setTimeout(() => (get("spoken").textContent = sentence), sentence ? SPEAK_DELAY : 0);
}
