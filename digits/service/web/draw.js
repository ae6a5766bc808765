// The drawing page: connects the sheet, the requests to the service, and what the page shows.

import * as answer from "./answer.js";
import * as correct from "./correct.js";
import { post, Reader } from "./service.js";
import { page } from "./page.js";
import { Sheet } from "./sheet.js";

const FINISHED = 1500; // milliseconds without a change, after which a drawing counts as finished
const get = (id) => document.getElementById(id);
const sheet = new Sheet(get("paper"), onChange, page.draws);
const reader = new Reader(() => sheet.snapshot(), onPrediction, onFailure);
let model = null; // SHA-256 of the model that answered last
let timer = null; // until the drawing is finished

answer.prepare();
correct.prepare(() => reader.settled());

function onChange(replaced) {
  if (get("undo")) get("undo").disabled = !sheet.undoable;
  get("clear").disabled = sheet.empty;
  get("hint").hidden = !sheet.empty;
  clearTimeout(timer);
  if (sheet.empty) {
    reader.stop();
    return showNothing();
  }
  reader.request(replaced, !sheet.state.image); // strokes are a draft
  if (!sheet.state.image) timer = setTimeout(countFinished, FINISHED);
}

// Let the service count the drawing in its metrics; the answer is on the page already.
async function countFinished() {
  if (sheet.pointer !== null) timer = setTimeout(countFinished, FINISHED);
  else await post("predict", await sheet.snapshot(), "application/octet-stream").catch(() => {});
}

function showNothing(...reason) {
  answer.clear(...reason);
  correct.ask(null);
  showNotice("");
}

function onPrediction(prediction, image) {
  const swapped = model !== null && model !== prediction.model.sha256;
  model = prediction.model.sha256;
  const { title } = prediction.model;
  get("model").textContent = title;
  showNotice(swapped ? `The model was replaced: ${title} answers now.` : "");
  answer.show(prediction, sheet.frame);
  correct.ask(prediction, image);
}

function onFailure(error) {
  if (error.wait === null) showNothing("No answer", "");
  showNotice(error.message);
}

function showNotice(sentence) {
  if (get("notice").textContent === sentence) return;
  get("notice").textContent = sentence;
  get("notice").hidden = !sentence;
}

// --- image files: samples, chosen, pasted, dropped

for (const sample of document.querySelectorAll(".samples button"))
  sample.addEventListener("click", async () => sheet.load(await (await fetch(sample.firstElementChild.src)).blob()));

for (const input of document.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    load(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
}

if (!page.draws) get("sheet").addEventListener("click", () => get("file").click());

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) load(event.clipboardData.files);
});

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  get("sheet").classList.add("over");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) get("sheet").classList.remove("over");
});

document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  get("sheet").classList.remove("over");
  load(event.dataTransfer.files);
});

function load(files) {
  const image = [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  if (image) sheet.load(image);
}

// --- undo and clear

get("undo")?.addEventListener("click", () => sheet.undo());
get("clear").addEventListener("click", () => sheet.clear());

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input[type=text]")) return;
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key.toLowerCase() === "z" && !event.shiftKey) sheet.undo();
  else if (!control && ["Escape", "Delete", "Backspace"].includes(event.key)) sheet.clear();
  else return;
  event.preventDefault();
});
