// Shapes into pixels, exactly. Masks are Uint8Arrays of ids, row by row. Every function calls paint(index) for the pixels
// of its shape and returns the rectangle it touched, {x, y, w, h}, or null.

function clipped(x0, y0, x1, y1, width, height) {
  const x = Math.max(0, Math.floor(x0));
  const y = Math.max(0, Math.floor(y0));
  const w = Math.min(width, Math.ceil(x1)) - x;
  const h = Math.min(height, Math.ceil(y1)) - y;
  return w > 0 && h > 0 ? { x, y, w, h } : null;
}

/** A round brush moved from a to b; pixels whose centre is within its radius. */
export function stroke(a, b, diameter, width, height, paint) {
  const radius = Math.max(diameter / 2, 0.71); // the thinnest line leaves no gap
  const rect = clipped(
    Math.min(a.x, b.x) - radius, Math.min(a.y, b.y) - radius,
    Math.max(a.x, b.x) + radius + 1, Math.max(a.y, b.y) + radius + 1, width, height,
  );
  if (!rect) return null;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx * dx + dy * dy;
  for (let row = rect.y; row < rect.y + rect.h; row++) {
    const py = row + 0.5 - a.y;
    for (let column = rect.x; column < rect.x + rect.w; column++) {
      const px = column + 0.5 - a.x;
      const t = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
      const ex = px - t * dx;
      const ey = py - t * dy;
      if (ex * ex + ey * ey <= radius * radius) paint(row * width + column);
    }
  }
  return rect;
}

/** Pixels whose centre is inside a polygon, by the even-odd rule. */
export function polygon(points, width, height, paint) {
  if (points.length < 3) return null;
  const xs = points.map((p) => p.x);
  const ys = points.map((p) => p.y);
  const rect = clipped(Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1, width, height);
  if (!rect) return null;
  for (let row = rect.y; row < rect.y + rect.h; row++) {
    const y = row + 0.5;
    const crossings = [];
    for (let k = 0; k < points.length; k++) {
      const p = points[k];
      const q = points[(k + 1) % points.length];
      if (p.y <= y !== q.y <= y) crossings.push(p.x + ((y - p.y) / (q.y - p.y)) * (q.x - p.x));
    }
    crossings.sort((first, second) => first - second);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      const from = Math.max(rect.x, Math.ceil(crossings[k] - 0.5));
      const to = Math.min(rect.x + rect.w - 1, Math.ceil(crossings[k + 1] - 0.5) - 1);
      for (let column = from; column <= to; column++) paint(row * width + column);
    }
  }
  return rect;
}

/** All pixels of one id that hang together with a pixel. */
export function flood(ids, x, y, width, height, paint) {
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const wanted = ids[y * width + x];
  const seen = new Uint8Array(width * height);
  const waiting = [y * width + x];
  seen[waiting[0]] = 1;
  let [left, top, right, bottom] = [x, y, x, y];
  const found = [];
  while (waiting.length) {
    const at = waiting.pop();
    found.push(at);
    const column = at % width;
    const row = (at - column) / width;
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    for (const next of [column && at - 1, column < width - 1 && at + 1, row && at - width, row < height - 1 && at + width]) {
      if (next !== false && next !== 0 && !seen[next] && ids[next] === wanted) {
        seen[next] = 1;
        waiting.push(next);
      }
    }
    // The pixel 0 is false as a number above: ask for it by name.
    if ((at === 1 || at === width) && !seen[0] && ids[0] === wanted) {
      seen[0] = 1;
      waiting.push(0);
    }
  }
  found.forEach(paint);
  return { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}

/** The smallest rectangle that holds all marked pixels; null where there are none. */
export function extent(ids, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let row = 0; row < height; row++) {
    const from = row * width;
    let first = from;
    while (first < from + width && !ids[first]) first++;
    if (first === from + width) continue;
    let last = from + width - 1;
    while (!ids[last]) last--;
    left = Math.min(left, first - from);
    right = Math.max(right, last - from);
    top = Math.min(top, row);
    bottom = row;
  }
  return right < 0 ? null : { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}

/** The smallest rectangle that holds all pixels of one id; null where there are none. */
export function extentOf(ids, id, width) {
  const first = ids.indexOf(id);
  if (first < 0) return null;
  const y = Math.floor(first / width);
  const h = Math.floor(ids.lastIndexOf(id) / width) - y + 1;
  let [left, right] = [width, -1];
  for (let row = y; row < y + h; row++) {
    const line = ids.subarray(row * width, (row + 1) * width);
    const begin = line.indexOf(id);
    if (begin < 0) continue;
    left = Math.min(left, begin);
    right = Math.max(right, line.lastIndexOf(id));
  }
  return { x: left, y, w: right - left + 1, h };
}

export function union(a, b) {
  if (!a) return b;
  if (!b) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y };
}

/** Copy a rectangle out of a mask. */
export function cut(ids, rect, width) {
  const piece = new Uint8Array(rect.w * rect.h);
  for (let row = 0; row < rect.h; row++) {
    const from = (rect.y + row) * width + rect.x;
    piece.set(ids.subarray(from, from + rect.w), row * rect.w);
  }
  return piece;
}

/** Put a rectangle back. */
export function paste(ids, rect, piece, width) {
  for (let row = 0; row < rect.h; row++) {
    ids.set(piece.subarray(row * rect.w, (row + 1) * rect.w), (rect.y + row) * width + rect.x);
  }
}
