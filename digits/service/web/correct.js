// "Is that right?": sends the image, the prediction and the right label, only when a person answers.

import { page, stored } from "./page.js";
import { post, RequestError } from "./service.js";

const MAX_ATTEMPTS = 5;
const get = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
let current = null; // the prediction on the page, and its image

// Set up the buttons. `settled()` resolves when the prediction is that of the latest image.
export function prepare(settled) {
  const send = (label) => settled().then(() => current && store(current, label));
  get("yes").addEventListener("click", () => settled().then(() => current && send(stored(current.prediction))));
  get("no").addEventListener("click", () => setOpen(get("correction").hidden));
  for (const label of page.buttons ? page.classes : []) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: label, title: label });
    button.addEventListener("click", () => send(label));
    get("digits").append(button);
  }
  get("number").addEventListener("submit", (event) => {
    event.preventDefault();
    const label = get("label").value.trim();
    send(page.draws && page.characters ? label.replaceAll(/\s/g, "") : label);
  });
  document.addEventListener("keydown", (event) => {
    if (get("correction").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      setOpen(false);
      get("no").focus();
      event.stopImmediatePropagation(); // so that the sheet is not cleared
    } else if (page.classes.includes(event.key) && !event.target.matches("input")) send(event.key);
  });
}

// Ask about a prediction for an image; null: ask nothing.
export function ask(prediction, image) {
  current = prediction ? { prediction, image } : null;
  get("feedback").hidden = !prediction;
  showStatus("");
  if (!prediction) return setOpen(false);
  const empty = !prediction.top.length;
  get("feedback").querySelector(".question span").textContent = empty ? `Is there a ${page.noun}?` : "Is that right?";
  get("yes").hidden = empty;
  get("no").textContent = empty ? "Yes, it is …" : "No";
}

function setOpen(open) {
  get("correction").hidden = !open;
  get("no").setAttribute("aria-expanded", open);
  if (!open || !current) return;
  const several = current.prediction.top.length > 1;
  get("label").value = several ? stored(current.prediction) : "";
  (several || !page.buttons ? get("label") : get("digits").firstChild).focus();
  if (several) get("label").select();
}

async function store({ prediction, image }, label) {
  const { probability, status } = prediction;
  const { name, version, sha256 } = prediction.model;
  const model = { name, version, sha256 };
  const body = JSON.stringify({ picture: await base64(image), label, answer: stored(prediction), probability, status, model });
  showStatus("Storing …");
  try {
    await postWithRetries(body);
    setOpen(false);
    showStatus(`Stored with the label ${label}.`);
    get("no").focus({ preventScroll: true });
  } catch (error) {
    showStatus(error.message, true);
  }
}

// Send; while the service is busy, try again a few times.
async function postWithRetries(body) {
  for (let left = MAX_ATTEMPTS; ; left--) {
    try {
      return await post("feedback", body, "application/json");
    } catch (error) {
      if (!(error instanceof RequestError) || error.wait === null || left === 1) throw error;
      await pause(error.wait);
    }
  }
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new RequestError("The image can no longer be read."));
    reader.readAsDataURL(blob);
  });
}

function showStatus(sentence, failed = false) {
  get("stored").textContent = sentence;
  get("stored").classList.toggle("failed", failed);
}
