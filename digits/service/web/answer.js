// Shows a prediction: its text, the bars of each class, the inputs of the network, the boxes.

import { HEIGHT, WIDTH } from "./sheet.js";

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

// Create ten empty rows of bars.
export function prepare() {
  for (let digit = 0; digit < 10; digit++) {
    const track = create("div", { class: "track" }, create("div", { class: "fill" }));
    get("bars").append(create("li", {}, create("span", {}, `${digit}`), track, create("span", { class: "share" })));
  }
  clear();
}

let chosen = 0; // index of the digit whose bars are shown
let timer = null;

// Show that there is no prediction, and why.
export function clear(title = "Nothing drawn yet", note = "The answer appears while you draw.") {
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
    const title = prediction.notes.includes(BLANK) ? "Nothing is on it" : "No digit found";
    const note = prediction.notes.join("; ") || "Nothing in this image looks like a digit.";
    showText("–", title, `${note[0].toUpperCase()}${note.slice(1)}`);
    speak(title);
  } else {
    const doubtful = prediction.status === "doubtful";
    const probability = percent(prediction.probability);
    showText(prediction.text.replaceAll("/", "\n"), probability, remark(prediction), doubtful);
    speak(`${prediction.text.replaceAll("/", ", next row, ")}, ${probability}${doubtful ? ", doubtful" : ""}`);
  }
  showChosen(prediction, frame);
}

// Show the bars of the chosen digit, and mark it on the sheet.
function showChosen(prediction, frame) {
  showBars(prediction.top[chosen] ?? []);
  showGlyphs(prediction, frame);
  showBoxes(prediction, frame);
}

function remark(prediction) {
  const several = prediction.top.length > 1 ? "all digits right" : "";
  const doubtful = prediction.status === "doubtful" ? "doubtful: perhaps another digit, or none" : "";
  return [several, doubtful, ...prediction.notes].filter(Boolean).join("; ");
}

function showText(text, title, note, doubtful = false) {
  get("text").textContent = text;
  get("text").className = `text ${text === "–" ? "none" : ""} ${text.length > 2 ? "long" : ""}`;
  get("probability").textContent = title;
  get("remark").textContent = note;
  get("remark").className = doubtful ? "doubtful" : "quiet";
}

function showBars(top) {
  const shares = new Map(top.map(({ digit, probability }) => [String(digit), probability]));
  [...get("bars").children].forEach((row, digit) => {
    const share = shares.get(`${digit}`);
    row.querySelector(".fill").style.transform = `scaleX(${share ?? 0})`;
    row.querySelector(".share").textContent = share === undefined ? "" : percent(share);
    row.classList.toggle("first", String(top[0]?.digit) === `${digit}`);
  });
}

function showGlyphs(prediction, frame) {
  const images = prediction.pictures.map((data, i) => {
    const digit = prediction.top[i][0].digit;
    return create("img", { src: `data:image/png;base64,${data}`, width: 28, height: 28, alt: `28 by 28 pixels, read as ${digit}` });
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
  const { digit, probability } = prediction.top[i][0];
  const doubtful = prediction.doubtful[i];
  const label = `${digit}, ${percent(probability)}${doubtful ? ", doubtful" : ""}`;
  const text = create("span", doubtful ? { class: "doubtful" } : {}, doubtful ? `${digit}?` : `${digit}`);
  const button = create("button", { type: "button", "aria-pressed": i === chosen, "aria-label": label }, image, text);
  button.addEventListener("click", () => {
    chosen = i;
    showChosen(prediction, frame);
  });
  return create("li", {}, button);
}

function showBoxes(prediction, frame) {
  const several = prediction.boxes.length > 1;
  const visible = frame && (several || frame.scale !== 1 || frame.left || frame.top);
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
