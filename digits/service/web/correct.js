// "Is that right?": the picture, the answer and the label go to the service, only when asked to.

import { post, Problem } from "./service.js";

const TRIES = 5;
const get = (id) => document.getElementById(id);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
let shown = null; // the answer on the page, and its picture

// Set up the buttons; `settled()` resolves when the answer is that of the latest picture.
export function prepare(settled) {
  const send = (label) => settled().then(() => shown && store(shown, label));
  get("yes").addEventListener("click", () => settled().then(() => shown && send(shown.answer.text)));
  get("no").addEventListener("click", () => open(get("was").hidden));
  for (let digit = 0; digit < 10; digit++) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
    button.addEventListener("click", () => send(`${digit}`));
    get("digits").append(button);
  }
  get("many").addEventListener("submit", (event) => {
    event.preventDefault();
    send(get("label").value.replaceAll(/\s/g, ""));
  });
  document.addEventListener("keydown", (event) => {
    if (get("was").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      open(false);
      get("no").focus();
      event.stopImmediatePropagation(); // the sheet stays
    } else if (/^[0-9]$/.test(event.key) && !event.target.matches("input")) send(event.key);
  });
}

// The page shows another answer, or none.
export function about(answer, picture) {
  shown = answer ? { answer, picture } : null;
  get("right").hidden = !answer;
  tell("");
  if (!answer) return open(false);
  const none = !answer.top.length;
  get("right").querySelector(".ask span").textContent = none ? "Is there a digit?" : "Is that right?";
  get("yes").hidden = none;
  get("no").textContent = none ? "Yes, it is …" : "No";
}

function open(wanted) {
  get("was").hidden = !wanted;
  get("no").setAttribute("aria-expanded", wanted);
  if (!wanted || !shown) return;
  const several = shown.answer.top.length > 1;
  get("label").value = several ? shown.answer.text : "";
  (several ? get("label") : get("digits").firstChild).focus();
  if (several) get("label").select();
}

async function store({ answer, picture }, label) {
  const { text, probability, status, model } = answer;
  const body = JSON.stringify({ picture: await base64(picture), label, answer: text, probability, status, model });
  tell("Storing …");
  try {
    await patiently(body);
    open(false);
    tell(`Stored, labelled ${label}. Thank you.`);
    get("no").focus({ preventScroll: true });
  } catch (problem) {
    tell(problem.message, true);
  }
}

// Send; where the service is busy, a few times.
async function patiently(body) {
  for (let left = TRIES; ; left--) {
    try {
      return await post("feedback", body, "application/json");
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.wait === null || left === 1) throw problem;
      await pause(problem.wait);
    }
  }
}

function base64(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Problem("the picture cannot be read any more"));
    reader.readAsDataURL(blob);
  });
}

function tell(sentence, failed = false) {
  get("stored").textContent = sentence;
  get("stored").classList.toggle("failed", failed);
}
