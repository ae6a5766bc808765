// How an answer is shown: the text, the bars of each class, what the network saw, the boxes.

import { HEIGHT, WIDTH } from "./sheet.js";

const QUIET = 700; // milliseconds without a change before an answer is spoken
const get = (id) => document.getElementById(id);
const percent = (share) => {
  const value = share * 100;
  return value > 99.9 && value < 99.995 ? `${value.toFixed(2)}%` : `${value.toFixed(1)}%`;
};

// An element with attributes and children.
function make(name, attributes = {}, ...children) {
  const svg = name === "rect";
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Ten rows of bars, to be filled by `bars`.
export function prepare() {
  for (let digit = 0; digit < 10; digit++) {
    const track = make("div", { class: "track" }, make("div", { class: "fill" }));
    get("bars").append(make("li", {}, make("span", {}, `${digit}`), track, make("span", { class: "share" })));
  }
  clear();
}

let chosen = 0; // the digit whose bars are shown
let timer = null;

// Show no answer, and why.
export function clear(title = "Nothing drawn yet", note = "The answer appears while you draw.") {
  chosen = 0;
  tell("–", title, note);
  bars([]);
  get("seen").hidden = get("several").hidden = true;
  get("marks").replaceChildren();
  speak("");
}

// Show `answer`; `frame` says where its boxes lie on the sheet, null for nowhere.
export function show(answer, frame) {
  const found = answer.top.length;
  chosen = Math.min(chosen, Math.max(0, found - 1));
  if (!found) {
    tell("–", "No digit found", "There is something, but nothing that looks like a digit.");
    speak("No digit found");
  } else {
    const doubtful = answer.status === "doubtful";
    tell(answer.text.replaceAll("/", "\n"), percent(answer.probability), remark(answer), doubtful);
    speak(`${answer.text.replaceAll("/", ", next row, ")}, ${percent(answer.probability)}${doubtful ? ", doubtful" : ""}`);
  }
  pick(answer, frame);
}

// Show the bars of the digit `chosen`, and mark it on the sheet.
function pick(answer, frame) {
  bars(answer.top[chosen] ?? []);
  pictures(answer, frame);
  boxes(answer, frame);
}

function remark(answer) {
  const several = answer.top.length > 1 ? "all digits right" : "";
  const unsure = answer.status === "doubtful" ? "doubtful: perhaps another digit, or none" : "";
  return [several, unsure, ...answer.notes].filter(Boolean).join("; ");
}

function tell(text, chance, note, doubtful = false) {
  get("text").textContent = text;
  get("text").className = `text ${text === "–" ? "none" : ""} ${text.length > 2 ? "long" : ""}`;
  get("chance").textContent = chance;
  get("remark").textContent = note;
  get("remark").className = doubtful ? "doubtful" : "quiet";
}

function bars(top) {
  const shares = new Map(top.map(({ digit, probability }) => [String(digit), probability]));
  [...get("bars").children].forEach((row, digit) => {
    const share = shares.get(`${digit}`);
    row.querySelector(".fill").style.transform = `scaleX(${share ?? 0})`;
    row.querySelector(".share").textContent = share === undefined ? "" : percent(share);
    row.classList.toggle("first", String(top[0]?.digit) === `${digit}`);
  });
}

function pictures(answer, frame) {
  const images = answer.pictures.map((data, i) => {
    const digit = answer.top[i][0].digit;
    return make("img", { src: `data:image/png;base64,${data}`, width: 28, height: 28, alt: `28 by 28 pixels, read as ${digit}` });
  });
  get("seen").hidden = images.length !== 1;
  get("several").hidden = images.length < 2;
  get("seen").replaceChildren(...(images.length === 1 ? [make("li", {}, images[0])] : []));
  if (images.length < 2) return;
  const focused = get("several").contains(document.activeElement);
  get("several").replaceChildren(...images.map((image, i) => chip(answer, frame, image, i)));
  if (focused) get("several").children[chosen].firstChild.focus();
}

function chip(answer, frame, image, i) {
  image.alt = "";
  const { digit, probability } = answer.top[i][0];
  const label = `${digit}, ${percent(probability)}${answer.doubtful[i] ? ", doubtful" : ""}`;
  const word = make("span", answer.doubtful[i] ? { class: "doubtful" } : {}, answer.doubtful[i] ? `${digit}?` : `${digit}`);
  const button = make("button", { type: "button", "aria-pressed": i === chosen, "aria-label": label }, image, word);
  button.addEventListener("click", () => {
    chosen = i;
    pick(answer, frame);
  });
  return make("li", {}, button);
}

function boxes(answer, frame) {
  const several = answer.boxes.length > 1;
  const shown = frame && (several || frame.scale !== 1 || frame.left || frame.top) ? answer.boxes : [];
  get("marks").setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  get("marks").replaceChildren(...shown.map(([left, top, right, bottom], i) => make("rect", {
    class: `box ${several && i !== chosen ? "" : "chosen"} ${answer.doubtful[i] ? "doubtful" : ""}`,
    x: frame.left + left * frame.scale - 5,
    y: frame.top + top * frame.scale - 5,
    width: (right - left) * frame.scale + 10,
    height: (bottom - top) * frame.scale + 10,
  })));
}

// Tell a screen reader, once nothing has changed for a moment.
function speak(sentence) {
  clearTimeout(timer);
  timer = setTimeout(() => (get("spoken").textContent = sentence), sentence ? QUIET : 0);
}
