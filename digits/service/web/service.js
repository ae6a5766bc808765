// What the page asks of the service.

const PATIENCE = 20_000; // milliseconds until an answer is given up
const PACE = 30; // milliseconds between two questions
const LONGEST = 10; // seconds that a busy service may make us wait

// A request that got no answer; `wait`: seconds after which it is worth another try.
export class Problem extends Error {
  constructor(sentence, { status = 0, wait = null } = {}) {
    super(sentence);
    Object.assign(this, { status, wait });
  }
}

// POST `body`; the JSON of the answer. Throws Problem.
export async function post(path, body, type, signal) {
  let response;
  try {
    response = await fetch(path, { method: "POST", body, headers: { "Content-Type": type }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The service does not answer; trying again.", { wait: 2 });
  }
  const told = await response.json().catch(() => ({}));
  if (response.ok) return told;
  const { status } = response;
  if (status === 503 || status === 502 || status === 504) {
    const after = Number(response.headers.get("Retry-After")) || 1;
    throw new Problem("The service is busy; trying again.", { status, wait: Math.min(after, LONGEST) });
  }
  if (status === 401) throw new Problem("The service wants its token; load this page again.", { status });
  const reason = typeof told.error === "string" ? told.error.replace(/^body: /, "") : `status ${status}`;
  throw new Problem(`No answer: ${reason}`, { status });
}

// Keeps the answer up with what is on the sheet: one question at a time, the latest counts.
export class Reader {
  // `snapshot()` gives the picture, `answered(answer, picture)` and `failed(problem)` are told.
  constructor(snapshot, answered, failed) {
    Object.assign(this, { snapshot, answered, failed, wanted: false, running: null });
    this.current = new AbortController();
    this.wake = () => {};
    addEventListener("online", () => this.wake());
  }

  // The sheet has changed; `anew`: the answer under way is about something else.
  ask(anew) {
    if (anew) this.stop();
    this.wanted = true;
    this.running ??= this.run().finally(() => (this.running = null));
  }

  // There is nothing to ask any more.
  stop() {
    this.wanted = false;
    this.current.abort();
    this.current = new AbortController();
    this.wake();
  }

  // Resolves when the latest picture has its answer.
  async settled() {
    while (this.running) await this.running;
  }

  async run() {
    while (this.wanted) {
      this.wanted = false;
      const { signal } = this.current;
      const wait = await this.once(signal);
      this.wanted ||= wait !== null && !signal.aborted;
      await this.pause(wait === null ? PACE : wait * 1000);
    }
  }

  // Ask once; seconds until the next try, null when there is an answer or none to be had.
  async once(signal) {
    const limit = AbortSignal.timeout(PATIENCE);
    try {
      const picture = await this.snapshot();
      const both = AbortSignal.any([signal, limit]);
      const answer = await post("predict?top=10&pictures=true", picture, "application/octet-stream", both);
      if (!signal.aborted) this.answered(answer, picture);
    } catch (error) {
      if (signal.aborted) return null;
      const slow = new Problem("The service does not answer; trying again.", { wait: 2 });
      const problem = error instanceof Problem ? error : limit.aborted ? slow : new Problem(`${error}`);
      this.failed(problem);
      return problem.wait;
    }
    return null;
  }

  pause(milliseconds) {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }
}
