// A drawing is an array with one cell a pixel, which holds a class id, or RGB as one number. Nothing is ever blended:
// what is sent is what was painted.

const $ = (id) => document.getElementById(id);
// A model that learned both ways is two generators; the page's address says which of them it shows.
const direction = new URLSearchParams(location.search).get("direction") ?? "";
const asking = (values) => new URLSearchParams({ ...values, ...(direction && { direction }) });
const model = await (await fetch(`model.json?${asking({})}`)).json();
const { height_px: height, width_px: width, photo_height_px: photoHeight, photo_width_px: photoWidth } = model;
const byClass = model.kind === "classes";
const colorOf = byClass
  ? (() => {
      const table = new Uint32Array(256);
      for (const { value, color } of model.brushes) table[value] = (color[0] << 16) | (color[1] << 8) | color[2];
      return (value) => table[value];
    })()
  : (value) => value;
const nameOf = new Map(model.brushes.map(({ value, name }) => [value, name]));

let cells = new (byClass ? Uint8Array : Uint32Array)(height * width);
let chosen = model.brushes[0].value;

// ---- the drawing on the screen

const drawing = $("drawing");
const street = $("street");
for (const [canvas, high, wide] of [[drawing, height, width], [street, photoHeight, photoWidth]]) {
  canvas.width = wide;
  canvas.height = high;
}
const drawingContext = drawing.getContext("2d");
const streetContext = street.getContext("2d");

function show(values, context) {
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer); // from the highest byte: alpha, blue, green, red
  for (let i = 0; i < values.length; i++) {
    const color = colorOf(values[i]);
    pixels[i] = 0xff000000 | ((color & 255) << 16) | (color & 0xff00) | (color >> 16);
  }
  context.putImageData(image, 0, 0);
}

function fromBytes(bytes) {
  if (byClass) return bytes;
  return Uint32Array.from({ length: height * width }, (_, i) => (bytes[3 * i] << 16) | (bytes[3 * i + 1] << 8) | bytes[3 * i + 2]);
}

function toBytes() {
  if (byClass) return cells.slice();
  const bytes = new Uint8Array(3 * cells.length);
  cells.forEach((value, i) => bytes.set([value >> 16, (value >> 8) & 255, value & 255], 3 * i));
  return bytes;
}

// ---- undo and redo

const KEPT = Math.min(100, Math.max(10, Math.floor(2 ** 26 / cells.byteLength)));
const past = [];
const future = [];

function remember() {
  past.push(cells.slice());
  if (past.length > KEPT) past.shift();
}

function forgetIfSame() {
  const before = past.at(-1);
  if (before && before.every((value, i) => value === cells[i])) past.pop();
  else future.length = 0;
  showHistory();
}

function showHistory() {
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
}

function step(from, to) {
  if (!from.length) return;
  to.push(cells);
  cells = from.pop();
  showHistory();
  changed();
}

function replace(values) {
  remember();
  cells = values;
  forgetIfSame();
  changed();
}

// ---- tools

const tool = () => document.querySelector("input[name=tool]:checked").value;
const size = () => Number($("size").value);

function stamp(x, y) {
  const radius = size() / 2;
  for (let row = Math.max(0, Math.floor(y - radius)); row <= Math.min(height - 1, y + radius); row++) {
    for (let column = Math.max(0, Math.floor(x - radius)); column <= Math.min(width - 1, x + radius); column++) {
      if ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= radius ** 2) cells[row * width + column] = chosen;
    }
  }
  // The thinnest brush may cover no cell's middle.
  if (x >= 0 && y >= 0 && x < width && y < height) cells[Math.floor(y) * width + Math.floor(x)] = chosen;
}

function line(from, to) {
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
  for (let i = 1; i <= steps; i++) {
    stamp(from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps);
  }
}

/** Return the cells of the region that holds a cell: those of its value that its sides connect with it. */
function regionOf(start) {
  const found = new Set([start]);
  const waiting = [start];
  while (waiting.length) {
    const index = waiting.pop();
    const column = index % width;
    for (const [next, inside] of [
      [index - 1, column > 0],
      [index + 1, column < width - 1],
      [index - width, index >= width],
      [index + width, index < cells.length - width],
    ]) {
      if (inside && cells[next] === cells[start] && !found.has(next)) {
        found.add(next);
        waiting.push(next);
      }
    }
  }
  return found;
}

function choose(value) {
  chosen = value;
  const radio = document.querySelector(`input[name=paint][value="${value}"]`);
  if (radio) {
    radio.checked = true;
    const details = radio.closest("details");
    if (details) details.open = true;
    const [chips, label] = [radio.closest(".chips"), radio.closest("label")];
    chips.scrollLeft = label.offsetLeft - chips.offsetLeft - (chips.clientWidth - label.clientWidth) / 2;
  } else {
    document.querySelectorAll("input[name=paint]").forEach((other) => (other.checked = false));
    $("own-color").value = hex(value);
  }
  $("clear").textContent = `Clear to ${nameOf.get(value) ?? hex(value)}`;
}

const hex = (value) => `#${value.toString(16).padStart(6, "0")}`;

/** Use the tool at a position; return whether it continues while the pointer moves. */
function begin(at) {
  const index = Math.floor(at.y) * width + Math.floor(at.x);
  if (tool() === "pick") {
    choose(cells[index]);
    return false;
  }
  if (tool() === "color") {
    fix(index);
    return false;
  }
  remember();
  if (tool() === "fill") for (const cell of regionOf(index)) cells[cell] = chosen;
  else stamp(at.x, at.y);
  changed();
  if (tool() === "brush") return true;
  forgetIfSame();
  return false;
}

// ---- pointer

let last = null;

function positionOf(event) {
  const box = drawing.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * width) / box.width, y: ((event.clientY - box.top) * height) / box.height };
}

const inside = ({ x, y }) => x >= 0 && y >= 0 && x < width && y < height;

drawing.addEventListener("pointerdown", (event) => {
  if (event.button || last || !event.isPrimary) return;
  event.preventDefault();
  drawing.focus({ preventScroll: true });
  const at = positionOf(event);
  if (!inside(at)) return;
  drawing.setPointerCapture(event.pointerId);
  if (begin(at)) last = at;
});

drawing.addEventListener("pointermove", (event) => {
  const at = positionOf(event);
  showCursor(at);
  if (!last) return;
  const between = event.getCoalescedEvents?.() ?? [];
  for (const position of between.length ? between.map(positionOf) : [at]) {
    line(last, position);
    last = position;
  }
  changed();
});

function end() {
  if (!last) return;
  last = null;
  forgetIfSame();
  changed();
}
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) drawing.addEventListener(name, end);
drawing.addEventListener("pointerleave", () => !document.activeElement.matches("#drawing:focus-visible") && ($("cursor").hidden = true));

// ---- keyboard

const cursor = { x: Math.floor(width / 2) + 0.5, y: Math.floor(height / 2) + 0.5 };
let held = false;

function showCursor({ x, y }) {
  const across = tool() === "brush" ? size() : 1;
  Object.assign($("cursor").style, {
    left: `${(100 * x) / width}%`,
    top: `${(100 * y) / height}%`,
    width: `${(100 * across) / width}%`,
    height: `${(100 * across) / height}%`,
  });
  $("cursor").hidden = false;
  if (!inside({ x, y })) return;
  const value = cells[Math.floor(y) * width + Math.floor(x)];
  $("where").textContent = `${nameOf.get(value) ?? hex(value)} at ${Math.floor(x)}, ${Math.floor(y)}`;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

drawing.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS) {
    const before = { ...cursor };
    const far = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(width, height) / 32));
    cursor.x = Math.min(width - 0.5, Math.max(0.5, cursor.x + far * ARROWS[event.key][0]));
    cursor.y = Math.min(height - 0.5, Math.max(0.5, cursor.y + far * ARROWS[event.key][1]));
    if (held) {
      line(before, cursor);
      changed();
    }
  } else if (event.key === " ") {
    if (!event.repeat && !last) held = begin(cursor);
  } else {
    return;
  }
  event.preventDefault();
  showCursor(cursor);
});

function release() {
  if (!held) return;
  held = false;
  forgetIfSame();
}
drawing.addEventListener("keyup", (event) => event.key === " " && release());
drawing.addEventListener("blur", () => {
  release();
  $("cursor").hidden = true;
});
drawing.addEventListener("focus", () => drawing.matches(":focus-visible") && showCursor(cursor));

addEventListener("keydown", (event) => {
  if (event.target.matches("select, input[type=color]") || event.altKey || last || held) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z" && !event.shiftKey) step(past, future);
    else if (key === "y" || key === "z") step(future, past);
    else return;
  } else if (/^\d$/.test(key)) {
    const entry = inOrder[(Number(key) + 9) % 10];
    if (!entry) return;
    choose(entry.value);
  } else if ((model.fixes_colors ? "bfpc" : "bfp").includes(key)) {
    document.querySelector(`input[name=tool][value=${{ b: "brush", f: "fill", p: "pick", c: "color" }[key]}]`).checked = true;
  } else if (key === "[" || key === "]") {
    $("size").value = size() + (key === "]" ? 1 : -1);
    $("size").dispatchEvent(new Event("input"));
  } else {
    return;
  }
  event.preventDefault();
});

// ---- translation: one drawing at a time, always the newest

const page = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("").slice(0, 40);
const DEBOUNCE_MS = 80;
const REST_MS = 500;
const AGAIN_MS = 1000;
let version = 0; // of drawing and fixed colours
let wanted = 0;
let running = false;
let timer = null;
let rest = null;
let photo = null;

function changed() {
  show(cells, drawingContext);
  showFixed();
  version += 1;
  for (const { button } of styles) button.ariaBusy = "true";
  request();
}

function request() {
  wanted += 1;
  street.setAttribute("aria-busy", "true");
  clearTimeout(rest);
  if (!running && timer === null) timer = setTimeout(translate, DEBOUNCE_MS);
}

/** Return the server's answer to the drawing in a style; the style keeps its light from then on. */
async function ask(style) {
  const query = asking({ seed: style.seed, page });
  if (model.domains.length) query.set("domain", $("domain").value);
  if (style.light) query.set("light", style.light);
  for (const { index, color } of fixed.filter(isInDrawing)) {
    query.append("fixed", `${index % width},${Math.floor(index / width)},${color.slice(1)}`);
  }
  const answer = await fetch(`translate?${query}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: toBytes(),
  });
  if (answer.ok) style.light ??= answer.headers.get("Style-Light");
  return answer;
}

const bitmapOf = (png) => createImageBitmap(png, { colorSpaceConversion: "none" });

async function translate() {
  timer = null;
  running = true;
  const [asked, ofVersion, shown] = [wanted, version, style];
  let wait = 0;
  try {
    const began = performance.now();
    const answer = await ask(shown);
    if (answer.ok) {
      photo = await answer.blob();
      const bitmap = await bitmapOf(photo);
      streetContext.drawImage(bitmap, 0, 0);
      showThumbnail(shown, bitmap, ofVersion);
      $("save-street").disabled = false;
      say(`painted in ${((performance.now() - began) / 1000).toFixed(2)} s`);
    } else {
      wait = answer.status === 503 ? AGAIN_MS : 0;
      say(await reasonOf(answer), true);
    }
  } catch {
    say("the server does not answer; start it again and go on painting", true);
  }
  running = false;
  if (wait) wanted += 1;
  if (wanted !== asked) {
    timer = setTimeout(translate, wait);
  } else {
    street.setAttribute("aria-busy", "false");
    rest = setTimeout(translateThumbnail, REST_MS);
  }
}

/** Translate the drawing in one of the other styles, while the visitor rests. */
async function translateThumbnail() {
  const stale = styles.find((other) => other.version !== version);
  if (!stale) return;
  running = true;
  const [asked, ofVersion] = [wanted, version];
  let wait = 0;
  try {
    const answer = await ask(stale);
    if (answer.ok) showThumbnail(stale, await bitmapOf(await answer.blob()), ofVersion);
    else if (answer.status === 503) wait = AGAIN_MS;
    else stale.version = ofVersion; // the street's own request has said why
  } catch {
    for (const other of styles) other.version = ofVersion;
  }
  running = false;
  if (wanted !== asked) timer = setTimeout(translate);
  else rest = setTimeout(translateThumbnail, wait);
}

async function reasonOf(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `the server answered ${answer.status}`;
  }
}

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").className = bad ? "bad" : "soft";
}

// ---- styles: a style is a seed, and the light of a training photo, which stays while one goes on painting

const STYLES = model.styles ? 6 : 1;
const styles = [];
let nextSeed = model.seed + STYLES;
let style = null;

/** Put another style before the others and choose it; the oldest that is too many goes. */
function addStyle(seed) {
  const added = { seed: seed % 2 ** 31, light: null, version: -1 };
  added.thumbnail = Object.assign(document.createElement("canvas"), { width: street.width, height: street.height });
  added.button = Object.assign(document.createElement("button"), { type: "button", ariaLabel: `Style ${added.seed}` });
  added.button.append(added.thumbnail);
  added.button.addEventListener("click", () => {
    chooseStyle(added);
    request();
  });
  styles.unshift(added);
  $("styles").prepend(added.button);
  for (const dropped of styles.splice(STYLES)) dropped.button.remove();
  chooseStyle(added);
}

function chooseStyle(chosenStyle) {
  style = chosenStyle;
  for (const other of styles) other.button.ariaPressed = String(other === style);
}

function showThumbnail(shown, bitmap, ofVersion) {
  shown.thumbnail.getContext("2d").drawImage(bitmap, 0, 0);
  shown.version = ofVersion;
  shown.button.ariaBusy = String(ofVersion !== version);
}

// ---- fixed colours: each belongs to the region of its cell, as long as the cell keeps its class

const fixed = [];
const isInDrawing = ({ index, value }) => cells[index] === value;

function fix(index) {
  const region = regionOf(index);
  const others = fixed.filter((other) => !(isInDrawing(other) && region.has(other.index)));
  fixed.splice(0, fixed.length, ...others, { index, value: cells[index], color: $("region-color").value });
  changed();
}

function showFixed() {
  $("fixed").hidden = !fixed.length;
  $("fixed").replaceChildren(
    ...fixed.map((one) => {
      const button = Object.assign(document.createElement("button"), {
        type: "button",
        title: isInDrawing(one) ? "Remove this colour" : "Its region is not in this drawing now; remove the colour",
        ariaLabel: `Remove ${one.color} of ${nameOf.get(one.value)}`,
      });
      const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
      swatch.style.background = one.color;
      button.append(swatch, nameOf.get(one.value), " ×");
      button.classList.toggle("resting", !isInDrawing(one));
      button.addEventListener("click", () => {
        fixed.splice(fixed.indexOf(one), 1);
        changed();
      });
      return button;
    }),
  );
  $("marks").replaceChildren(
    ...fixed.filter(isInDrawing).map(({ index, color }) => {
      const mark = document.createElement("i");
      const [left, top] = [(index % width) + 0.5, Math.floor(index / width) + 0.5];
      Object.assign(mark.style, { left: `${(100 * left) / width}%`, top: `${(100 * top) / height}%`, background: color });
      return mark;
    }),
  );
}

// ---- buttons

$("undo").addEventListener("click", () => step(past, future));
$("redo").addEventListener("click", () => step(future, past));
$("clear").addEventListener("click", () => replace(cells.slice().fill(chosen)));
$("size").addEventListener("input", () => ($("size-shown").textContent = $("size").value));
$("own-color").addEventListener("input", (event) => choose(parseInt(event.target.value.slice(1), 16)));
$("variant").addEventListener("click", () => {
  addStyle(nextSeed);
  nextSeed += 1;
  request();
});
$("domain").addEventListener("change", changed);
$("direction").addEventListener("change", () => (location.search = `?direction=${$("direction").value}`));
$("region-color").addEventListener("input", () => {
  document.querySelector("input[name=tool][value=color]").checked = true;
});

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), AGAIN_MS);
}
$("save-drawing").addEventListener("click", () => drawing.toBlob((blob) => save(blob, "drawing.png")));
$("save-street").addEventListener("click", () => save(photo, "street.png"));

$("upload").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  $("file").value = ""; // the same file may be chosen again
  if (!file) return;
  drawing.setAttribute("aria-busy", "true");
  try {
    const half = $("half").value;
    const answer = await fetch(`upload?${asking(half && { half })}`, {
      method: "POST",
      headers: { "Content-Type": file.type || "application/octet-stream" },
      body: file,
    });
    if (answer.ok) replace(fromBytes(new Uint8Array(await answer.arrayBuffer())));
    else say(`${file.name}: ${await reasonOf(answer)}`, true);
  } catch {
    say(`${file.name} could not be sent: it is too large, or the server does not answer`, true);
  }
  drawing.setAttribute("aria-busy", "false");
});

// ---- the page as this generator needs it

function chip({ value, name, color }, index) {
  const label = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "paint", value });
  radio.addEventListener("change", () => choose(value));
  const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
  swatch.style.background = `rgb(${color})`;
  label.append(radio, swatch, name);
  if (index < 10) label.append(Object.assign(document.createElement("kbd"), { textContent: (index + 1) % 10, ariaHidden: "true" }));
  return label;
}

const common = model.brushes.filter((entry) => entry.common);
const rare = model.brushes.filter((entry) => !entry.common);
const inOrder = [...common, ...rare];
$("common").append(...common.map(chip));
$("rare").append(...rare.map((entry, i) => chip(entry, common.length + i)));
$("more").hidden = !rare.length;
$("own").hidden = byClass || model.grey;
$("variant").hidden = !model.variants;
for (const element of document.querySelectorAll(".of-styles")) element.hidden = !model.styles;
for (const element of document.querySelectorAll(".of-palettes")) element.hidden = !model.fixes_colors;
if (model.styles) $("variant").textContent = "Another style";
$("file").accept = model.upload_types.join(",");
$("size").max = Math.max(8, Math.round(Math.min(width, height) / 3));
$("size").value = Math.max(1, Math.round(Math.min(width, height) / 16));
$("size-shown").textContent = $("size").value;
if (!byClass) {
  $("brushes-title").textContent = "Colours";
  document.querySelector("h1").textContent = document.title = "Paint an input";
  $("street-title").textContent = "Generated";
  $("save-street").textContent = "Download photo";
}
if (model.photos) {
  document.querySelector("h1").textContent = document.title = "Translate a photo";
  $("drawing-title").textContent = "Input";
  $("examples-title").textContent = "Start from another photo";
  $("upload").textContent = "Load a photo …";
  $("save-drawing").textContent = "Download input";
  $("save-street").textContent = "Download translation";
  drawing.classList.add("photo");
  $("of-photos").append($("upload"), $("halves"));
}
$("of-photos").hidden = !model.photos;
$("of-domains").hidden = !model.domains.length;
$("domain").append(...model.domains.map((name) => new Option(name, name, false, name === model.domain)));
$("of-directions").hidden = model.directions.length < 2;
$("direction").value = model.direction;
$("about").textContent =
  `${byClass ? "Choose a class and paint" : model.photos ? "Load a photo, and paint on it if you like" : "Paint, or upload an image"}; ` +
  `${model.photos ? "its translation" : "a photo"} of ${photoWidth} × ${photoHeight} pixels follows.` +
  (model.fixes_colors
    ? " A style is its hour and its paint; Colour gives a region of the drawing a colour of your own."
    : model.styles
      ? " A style is its light, that of some training photo."
      : "");
choose((common.find(({ name }) => name === "car") ?? inOrder[0]).value);

async function example(name) {
  const values = fromBytes(new Uint8Array(await (await fetch(`examples/${encodeURIComponent(name)}?${asking({})}`)).arrayBuffer()));
  const thumbnail = Object.assign(document.createElement("canvas"), { width, height });
  show(values, thumbnail.getContext("2d"));
  const button = Object.assign(document.createElement("button"), { type: "button", title: name, ariaLabel: `Start from ${name}` });
  button.append(thumbnail);
  button.addEventListener("click", () => replace(values.slice()));
  return [values, button];
}

const examples = await Promise.all(model.examples.map(example));
$("examples").append(...examples.map(([, button]) => button));
cells = examples[0][0].slice();
for (let i = STYLES - 1; i >= 0; i--) addStyle(model.seed + i); // the first and chosen one is that of `generate`
changed();
