// Requests to the server; every refusal becomes an error with a problem (its message) and a remedy.

export class Refusal extends Error {
  constructor(problem, remedy, status = 0, kind = "") {
    super(problem);
    this.remedy = remedy;
    this.status = status;
    this.kind = kind;
  }

  /** The refusal that an answer of the server describes. */
  static from({ problem = "The server refused the request.", remedy = "Reload the page.", kind = "" }, status = 0) {
    return new Refusal(problem, remedy, status, kind);
  }
}

/** The server could not be reached at all. */
export class Unreachable extends Refusal {}

async function request(method, path, { json, body, headers = {}, keepalive = false } = {}) {
  if (json !== undefined) {
    body = JSON.stringify(json);
    headers = { ...headers, "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(`/api${path}`, { method, body, headers, keepalive });
  } catch {
    throw new Unreachable("The server does not answer.", "Start the app again; this page then continues.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw Refusal.from(told, response.status);
}

export async function call(method, path, json) {
  const response = await request(method, path, json === undefined ? {} : { json });
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);

async function bytes(response) {
  return new Uint8Array(await response.arrayBuffer());
}

/** What is asked for at a width for playing, 0 = as it is. */
export const fitted = (path, fit) => (fit ? `${path}?width=${fit}` : path);

/** The ids of an answer; of a reduced mask also its size. */
async function idsOf(response) {
  const [width, height] = ["X-Width", "X-Height"].map((name) => Number(response.headers.get(name)));
  const ids = await bytes(response);
  return width ? { ids, width, height } : { ids };
}

export async function fetchMask(project, index, fit = 0) {
  const response = await request("GET", fitted(`/projects/${project}/masks/${index}`, fit));
  const tag = response.headers.get("ETag").replaceAll('"', "");
  return { ...(await idsOf(response)), tag, status: response.headers.get("X-Status") };
}

/** The mask of a frame before its correction. */
export async function fetchBefore(project, index, fit) {
  return idsOf(await request("GET", fitted(`/projects/${project}/before/${index}`, fit)));
}

/** The mask of a frame as it was in a version. */
export async function fetchThen(project, version, index, fit) {
  return idsOf(await request("GET", fitted(`/projects/${project}/versions/${version}/masks/${index}`, fit)));
}

/** Pack a mask for a request. */
export async function packMask(ids) {
  const packed = new Blob([ids]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed).arrayBuffer();
}

/** Save a packed mask in place of the one with this tag, as one step, or as one with the step that it amends. */
export async function saveMask(project, index, body, tag, { title, amend = 0 }) {
  const headers = { "If-Match": tag, "Content-Encoding": "gzip", "Content-Type": "application/octet-stream" };
  // Small bodies are sent even if the page is closed.
  const keepalive = body.byteLength < 60_000;
  const asked = new URLSearchParams({ title: title.slice(0, 160), amend });
  const response = await request("PUT", `/projects/${project}/masks/${index}?${asked}`, { body, headers, keepalive });
  return response.json();
}

/** Load what answers clicks, and the frame that will be clicked. */
export const prepare = (project, index) => call("PUT", `/projects/${project}/frames/${index}/point`);

/** Ask for the mask of what is pointed at: {rect, pixels: 0 or 1 for each of its pixels, candidates}. */
export async function pointAt(project, index, asked) {
  const response = await request("POST", `/projects/${project}/frames/${index}/point`, { json: asked });
  const [x, y, w, h, candidates] = ["Left", "Top", "Width", "Height", "Candidates"].map((name) => Number(response.headers.get(`X-${name}`)));
  const bits = await bytes(response);
  const pixels = new Uint8Array(w * h);
  for (let at = 0; at < pixels.length; at++) pixels[at] = (bits[at >> 3] >> (7 - (at & 7))) & 1;
  return { rect: pixels.length ? { x, y, w, h } : null, pixels, candidates };
}

/** Pack a rectangle of a mask for a request: base64 of zlib. */
export async function packPiece({ x, y, w, h }, pixels) {
  const packed = new Blob([pixels]).stream().pipeThrough(new CompressionStream("deflate"));
  let text = "";
  for (const byte of await bytes(new Response(packed))) text += String.fromCharCode(byte);
  return { left: x, top: y, width: w, height: h, data: btoa(text) };
}

/** Ask for a frame's mask as an edit would make it. */
export async function previewEdit(project, index, edit) {
  return bytes(await request("POST", `/projects/${project}/frames/${index}/edit/preview`, { json: edit }));
}

export async function importMask(project, index, file, fit) {
  const path = `/projects/${project}/masks/${index}/import?fit=${fit}`;
  const response = await request("POST", path, { body: file, headers: { "Content-Type": "image/png" } });
  return response.json();
}

/** Send masks of all frames, a file or a zip of files; answers with the job that imports them. */
export async function sendResult(project, file, name, fit) {
  const path = `/projects/${project}/results?name=${encodeURIComponent(name)}&fit=${fit}`;
  const response = await request("POST", path, { body: file, headers: { "Content-Type": "application/octet-stream" } });
  return response.json();
}

export async function fetchBitmap(path) {
  const response = await request("GET", path);
  return createImageBitmap(await response.blob());
}

/** Unpack what an event carries: base64 of zlib. */
export async function unpackMask(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Send a file, telling how much of it is sent. */
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", `/api/uploads?name=${encodeURIComponent(file.name)}`);
    sending.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    sending.onerror = () => reject(new Unreachable("The upload was interrupted.", "Check that the app is running, then try again."));
    sending.onload = () => {
      let told = {};
      try {
        told = JSON.parse(sending.responseText);
      } catch {
        // an answer that is not JSON
      }
      if (sending.status === 201) resolve(told);
      else reject(Refusal.from(told, sending.status));
    };
    sending.send(file);
  });
}
