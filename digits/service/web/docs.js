// The forms of the API's page: each sends its request to this service and shows the response.

const MAX_SHOWN = 20_000; // characters of a response
const root = new URL(".", location);

// Behind a proxy the address differs from the one that the service sees.
for (const code of document.querySelectorAll(".command"))
  code.textContent = code.textContent.replaceAll(`${document.body.dataset.address}/`, root.href);

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const shown = form.parentElement.querySelector(".response");
  shown.hidden = false;
  shown.textContent = "Sending …";
  try {
    const response = await fetch(new URL(form.elements.path.value.replace(/^\//, ""), root), request(form));
    shown.textContent = `${response.status} ${response.statusText}\n${await content(response)}`;
  } catch (error) {
    shown.textContent = `The service does not answer (${error.message}).`;
  }
});

function request(form) {
  const { body, file } = form.elements;
  const method = form.dataset.method;
  if (!body) return { method };
  const image = file?.files[0];
  const headers = { "Content-Type": image ? "application/octet-stream" : "application/json" };
  return { method, headers, body: image ?? body.value };
}

async function content(response) {
  const text = await response.text();
  const isJson = response.headers.get("Content-Type") === "application/json";
  const shown = isJson && text.trim() ? JSON.stringify(JSON.parse(text), null, 1) : text;
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}\n…` : shown;
}
