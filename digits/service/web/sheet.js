// The sheet: strokes or an image, the states that undo brings back, and how they are painted.
// Its coordinates are 640 x 480, whatever its size on the screen.

export const WIDTH = 640;
export const HEIGHT = 480;
const PEN = 16; // width of a line
const STEP = 16; // by which an arrow key moves the pen; 4 with Shift
const MAX_UNDO = 500; // states that undo can bring back
const EMPTY = { strokes: [], image: null };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Sheet {
  // `onChange(replaced)` is called after each change. `replaced`: the old prediction is void.
  // Without `draws` it shows images alone.
  constructor(canvas, onChange, draws = true) {
    Object.assign(this, { canvas, onChange, state: EMPTY, history: [], pointer: null, cursor: null });
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    if (draws) this.listen(canvas);
  }

  listen(canvas) {
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      canvas.addEventListener(end, (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.lift());
    canvas.addEventListener("contextmenu", (event) => this.pointer !== null && event.preventDefault());
  }

  get empty() {
    return !this.state.strokes.length && !this.state.image;
  }

  get undoable() {
    return this.history.length > 0;
  }

  // Replace the state of the sheet; undo brings the old one back.
  setState(state, replaced = true) {
    this.history = [...this.history.slice(-MAX_UNDO + 1), this.state];
    this.state = state;
    this.update(replaced);
  }

  undo() {
    if (!this.undoable) return;
    this.pointer = null;
    this.state = this.history.pop();
    this.update(true);
  }

  clear() {
    this.pointer = null;
    if (!this.empty) this.setState(EMPTY);
  }

  // Show an image file. One that this browser cannot draw still gets a prediction.
  async load(blob) {
    const bitmap = await createImageBitmap(blob).catch(() => null);
    this.pointer = null;
    this.setState({ strokes: [], image: { blob, bitmap } });
  }

  update(replaced) {
    this.paint();
    this.onChange(replaced);
  }

  // --- the pen

  down(event) {
    if (this.pointer !== null || event.button !== 0) return;
    event.preventDefault(); // no text selection; the next line sets the focus
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.cursor = null;
    this.begin(this.position(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.extend((events.length ? events : [event]).map((each) => this.position(each)));
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
      const [x, y] = ARROWS[event.key].map((direction) => direction * step);
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

  // Begin a stroke. On an image it begins a new drawing.
  begin(point) {
    this.setState({ strokes: [...this.state.strokes, [point]], image: null }, !!this.state.image);
  }

  extend(points) {
    this.state.strokes.at(-1)?.push(...points);
    this.update(false);
  }

  position(event) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) / frame.width) * WIDTH,
      y: ((event.clientY - frame.top) / frame.height) * HEIGHT,
    };
  }

  // --- painting

  // Scale and offset from the sent image to the sheet; null if unknown.
  get frame() {
    const image = this.state.image;
    if (!image) return { scale: 1, left: 0, top: 0 };
    if (!image.bitmap) return null;
    const { width, height } = image.bitmap;
    const scale = Math.min(WIDTH / width, HEIGHT / height);
    return { scale, left: (WIDTH - width * scale) / 2, top: (HEIGHT - height * scale) / 2 };
  }

  // The image for the service: the file as it is, or the strokes in black on white.
  snapshot() {
    if (this.state.image) return Promise.resolve(this.state.image.blob);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [WIDTH, HEIGHT];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, WIDTH, HEIGHT);
    trace(pen, this.state.strokes, "#000");
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
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
    if (this.state.image?.bitmap) this.drawImageFile(pen);
    trace(pen, this.state.strokes, colours.getPropertyValue("--pen"));
    if (!cursor) return;
    pen.beginPath();
    pen.arc(cursor.x, cursor.y, PEN / 2 + 3, 0, 2 * Math.PI);
    [pen.lineWidth, pen.strokeStyle] = [cursor.down ? 4 : 2, colours.getPropertyValue("--accent")];
    pen.stroke();
  }

  drawImageFile(pen) {
    const { bitmap } = this.state.image;
    const { scale, left, top } = this.frame;
    pen.imageSmoothingEnabled = scale < 3;
    pen.drawImage(bitmap, left, top, bitmap.width * scale, bitmap.height * scale);
  }
}

// Draw strokes as smooth lines: curves between the midpoints of the recorded points.
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
