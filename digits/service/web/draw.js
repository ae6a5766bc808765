// The page to draw on: what a person does to the sheet, and what follows from it.

import * as answer from "./answer.js";
import * as correct from "./correct.js";
import { Reader } from "./service.js";
import { Sheet } from "./sheet.js";

const get = (id) => document.getElementById(id);
const sheet = new Sheet(get("paper"), changed);
const reader = new Reader(() => sheet.snapshot(), answered, failed);
let model = null; // the SHA-256 of the one that answered last

answer.prepare();
correct.prepare(() => reader.settled());

function changed(anew) {
  get("undo").disabled = !sheet.undoable;
  get("clear").disabled = sheet.empty;
  get("hint").hidden = !sheet.empty;
  if (!sheet.empty) return reader.ask(anew);
  reader.stop();
  nothing();
}

function nothing(...why) {
  answer.clear(...why);
  correct.about(null);
  notice("");
}

function answered(told, picture) {
  const swapped = model !== null && model !== told.model.sha256;
  model = told.model.sha256;
  const { name: family, version } = told.model;
  const name = /^\d/.test(version) ? `${family} version ${version}` : `${family} (${version})`;
  get("model").textContent = name;
  notice(swapped ? `The model was replaced: ${name} answers now.` : "");
  answer.show(told, sheet.frame);
  correct.about(told, picture);
}

function failed(problem) {
  if (problem.wait === null) nothing("No answer", "");
  notice(problem.message);
}

function notice(sentence) {
  if (get("notice").textContent === sentence) return;
  get("notice").textContent = sentence;
  get("notice").hidden = !sentence;
}

// --- pictures: chosen, pasted, dropped

get("file").addEventListener("change", () => {
  take(get("file").files);
  get("file").value = ""; // the same file may be chosen again
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(event.clipboardData.files);
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
  take(event.dataTransfer.files);
});

function take(files) {
  const picture = [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  if (picture) sheet.load(picture);
}

// --- undo and clear

get("undo").addEventListener("click", () => sheet.undo());
get("clear").addEventListener("click", () => sheet.clear());

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input[type=text]")) return;
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key.toLowerCase() === "z" && !event.shiftKey) sheet.undo();
  else if (!control && ["Escape", "Delete", "Backspace"].includes(event.key)) sheet.clear();
  else return;
  event.preventDefault();
});
