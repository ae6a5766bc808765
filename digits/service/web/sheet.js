// The sheet: strokes or a picture, all that was before, and how it looks.
// Places on it are in units of 640 x 480, whatever its size on the screen.

export const WIDTH = 640;
export const HEIGHT = 480;
const PEN = 16; // width of a line
const STEP = 16; // of the pen that the arrow keys move; 4 with Shift
const KEPT = 500; // states that undo can bring back
const EMPTY = { strokes: [], picture: null };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Sheet {
  // `changed(anew)` is called after each change; anew: the answer to what was before is void.
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed, now: EMPTY, past: [], pointer: null, cursor: null });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      canvas.addEventListener(end, (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.lift());
    canvas.addEventListener("contextmenu", (event) => this.pointer !== null && event.preventDefault());
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  get empty() {
    return !this.now.strokes.length && !this.now.picture;
  }

  get undoable() {
    return this.past.length > 0;
  }

  // Replace what is on the sheet by `state`; undo brings the present back.
  become(state, anew = true) {
    this.past = [...this.past.slice(-KEPT + 1), this.now];
    this.now = state;
    this.settle(anew);
  }

  undo() {
    if (!this.undoable) return;
    this.pointer = null;
    this.now = this.past.pop();
    this.settle(true);
  }

  clear() {
    this.pointer = null;
    if (!this.empty) this.become(EMPTY);
  }

  // Show a picture file; one that this browser cannot draw still has an answer.
  async load(blob) {
    const bitmap = await createImageBitmap(blob).catch(() => null);
    this.pointer = null;
    this.become({ strokes: [], picture: { blob, bitmap } });
  }

  settle(anew) {
    this.paint();
    this.changed(anew);
  }

  // --- the pen

  down(event) {
    if (this.pointer !== null || event.button !== 0) return;
    event.preventDefault(); // of text selection; focus comes by hand
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.cursor = null;
    this.begin(this.place(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    this.extend((between.length ? between : [event]).map((each) => this.place(each)));
  }

  up(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      this.cursor ??= { x: WIDTH / 2, y: HEIGHT / 2, down: false };
      this.cursor.down = !this.cursor.down && !event.repeat;
      if (this.cursor.down) this.begin({ x: this.cursor.x, y: this.cursor.y });
    } else if (event.key in ARROWS) {
      this.cursor ??= { x: WIDTH / 2, y: HEIGHT / 2, down: false };
      const step = event.shiftKey ? STEP / 4 : STEP;
      const [x, y] = ARROWS[event.key].map((way) => way * step);
      this.cursor.x = Math.min(WIDTH, Math.max(0, this.cursor.x + x));
      this.cursor.y = Math.min(HEIGHT, Math.max(0, this.cursor.y + y));
      if (this.cursor.down) this.extend([{ x: this.cursor.x, y: this.cursor.y }]);
    } else return;
    event.preventDefault();
    this.paint();
  }

  lift() {
    this.cursor = null;
    this.paint();
  }

  // A new stroke; on a picture it begins a new drawing.
  begin(point) {
    this.become({ strokes: [...this.now.strokes, [point]], picture: null }, !!this.now.picture);
  }

  extend(points) {
    this.now.strokes.at(-1)?.push(...points);
    this.settle(false);
  }

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) / frame.width) * WIDTH,
      y: ((event.clientY - frame.top) / frame.height) * HEIGHT,
    };
  }

  // --- how it looks

  // Where a point of what is sent lies on the sheet; null when that is not known.
  get frame() {
    const picture = this.now.picture;
    if (!picture) return { scale: 1, left: 0, top: 0 };
    if (!picture.bitmap) return null;
    const { width, height } = picture.bitmap;
    const scale = Math.min(WIDTH / width, HEIGHT / height);
    return { scale, left: (WIDTH - width * scale) / 2, top: (HEIGHT - height * scale) / 2 };
  }

  // What the service gets: the file as it came, or the strokes black on white.
  snapshot() {
    if (this.now.picture) return Promise.resolve(this.now.picture.blob);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [WIDTH, HEIGHT];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, WIDTH, HEIGHT);
    trace(pen, this.now.strokes, "#000");
    return new Promise((made) => canvas.toBlob(made, "image/png"));
  }

  paint() {
    this.frames ??= requestAnimationFrame(() => {
      this.frames = null;
      this.draw();
    });
  }

  draw() {
    const { canvas, cursor } = this;
    const sharp = (canvas.clientWidth * devicePixelRatio) / WIDTH;
    const size = [Math.round(WIDTH * sharp), Math.round(HEIGHT * sharp)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const pen = canvas.getContext("2d");
    const colours = getComputedStyle(canvas);
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, WIDTH, HEIGHT);
    if (this.now.picture?.bitmap) this.drawPicture(pen);
    trace(pen, this.now.strokes, colours.getPropertyValue("--pen"));
    if (!cursor) return;
    pen.beginPath();
    pen.arc(cursor.x, cursor.y, PEN / 2 + 3, 0, 2 * Math.PI);
    [pen.lineWidth, pen.strokeStyle] = [cursor.down ? 4 : 2, colours.getPropertyValue("--accent")];
    pen.stroke();
  }

  drawPicture(pen) {
    const { bitmap } = this.now.picture;
    const { scale, left, top } = this.frame;
    pen.imageSmoothingEnabled = scale < 3;
    pen.drawImage(bitmap, left, top, bitmap.width * scale, bitmap.height * scale);
  }
}

// Draw strokes as smooth lines: curves between the middles of what the pointer told.
function trace(pen, strokes, colour) {
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: colour });
  for (const points of strokes) {
    const last = points.at(-1);
    pen.beginPath();
    pen.moveTo(points[0].x, points[0].y);
    for (let i = 1; i < points.length - 1; i++) {
      const [here, next] = [points[i], points[i + 1]];
      pen.quadraticCurveTo(here.x, here.y, (here.x + next.x) / 2, (here.y + next.y) / 2);
    }
    pen.lineTo(last.x + 0.01, last.y); // a line without length would not be drawn
    pen.stroke();
  }
}
