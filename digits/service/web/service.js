// Requests to the service.

const TIMEOUT = 20_000; // milliseconds before a request is given up
const INTERVAL = 30; // milliseconds between two requests
const MAX_WAIT = 10; // seconds that a busy service may ask us to wait

// A request without a result. `wait`: seconds before another attempt makes sense; null: never.
export class RequestError extends Error {
  constructor(sentence, { status = 0, wait = null } = {}) {
    super(sentence);
    Object.assign(this, { status, wait });
  }
}

// POST `body` and return the JSON of the response. Throws RequestError.
export async function post(path, body, type, signal) {
  let response;
  try {
    response = await fetch(path, { method: "POST", body, headers: { "Content-Type": type }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("The service does not answer; trying again.", { wait: 2 });
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const { status } = response;
  if (status === 503 || status === 502 || status === 504) {
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    throw new RequestError("The service is busy; trying again.", { status, wait: Math.min(seconds, MAX_WAIT) });
  }
  if (status === 401) throw new RequestError("The service needs its token. Load this page again.", { status });
  const reason = typeof content.error === "string" ? content.error.replace(/^body: /, "") : `status ${status}`;
  throw new RequestError(`No answer: ${reason}`, { status });
}

// Keeps the prediction up to date with the sheet: one request at a time, always for the latest image.
export class Reader {
  // `snapshot()` returns the image; `onPrediction(prediction, image)`, `onFailure(error)` get the result.
  constructor(snapshot, onPrediction, onFailure) {
    Object.assign(this, { snapshot, onPrediction, onFailure, pending: false, draft: false, running: null });
    this.current = new AbortController();
    this.wake = () => {};
    addEventListener("online", () => this.wake());
  }

  // Request a prediction, since the sheet has changed. `replaced`: cancel the request in progress.
  // `draft`: the service leaves it out of its metrics.
  request(replaced, draft) {
    if (replaced) this.stop();
    this.pending = true;
    this.draft = draft;
    this.running ??= this.run().finally(() => (this.running = null));
  }

  // Cancel all requests.
  stop() {
    this.pending = false;
    this.current.abort();
    this.current = new AbortController();
    this.wake();
  }

  // Resolves when the latest image has its prediction.
  async settled() {
    while (this.running) await this.running;
  }

  async run() {
    while (this.pending) {
      this.pending = false;
      const { signal } = this.current;
      const wait = await this.attempt(signal);
      this.pending ||= wait !== null && !signal.aborted;
      await this.pause(wait === null ? INTERVAL : wait * 1000);
    }
  }

  // Send one request. Returns the seconds before the next attempt; null if none is needed.
  async attempt(signal) {
    const timeout = AbortSignal.timeout(TIMEOUT);
    try {
      const image = await this.snapshot();
      const either = AbortSignal.any([signal, timeout]);
      const path = `predict?top=10&pictures=true&draft=${this.draft}`;
      const prediction = await post(path, image, "application/octet-stream", either);
      if (!signal.aborted) this.onPrediction(prediction, image);
    } catch (error) {
      if (signal.aborted) return null;
      const late = new RequestError("The service does not answer; trying again.", { wait: 2 });
      const failure = error instanceof RequestError ? error : timeout.aborted ? late : new RequestError(`${error}`);
      this.onFailure(failure);
      return failure.wait;
    }
    return null;
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
