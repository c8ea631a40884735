// Talking to this tablet's own program, and to nothing else.

const KEY = "wayside-key";
let translated = (answer) => answer;

/** How answers come into the language of the page. */
export function translateWith(how) {
  translated = how;
}

/** What the program would not do: a stable code, a sentence to show, the field that is meant. */
export class Refused extends Error {
  constructor({ code, message, path, retry, others }) {
    super(message);
    Object.assign(this, { code, path: path ?? "", retry: retry === true, others: others ?? [] });
  }
}

/**
 * The launch token comes behind the `#`, which no browser sends anywhere, and goes from there into this tab's
 * own storage: it survives a reload and is gone with the tab.
 */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(history.state, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) !== null;
}

function headers() {
  return { authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` };
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", credentials: "omit" });
  } catch {
    throw new Refused(translated({
      code: "program_gone",
      message: "The Wayside program on this tablet does not answer. Start it again; what was saved is safe.",
      retry: true,
    }));
  }
  const body = translated(await response.json().catch(() => ({})));
  if (!response.ok && body.code === "locked") document.dispatchEvent(new Event("wayside-locked"));
  if (!response.ok) throw new Refused({ code: "internal", message: "Something went wrong.", ...body });
  return body;
}

export function get(path) {
  return call(path, { headers: headers() });
}

export function post(path, body, options) {
  return call(path, {
    method: "POST",
    headers: { ...headers(), "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
    ...options,
  });
}

/** Follows the program's events for as long as the page is open. `heard(null)` when the program is gone. */
export async function listen(heard) {
  for (;;) {
    try {
      const response = await fetch("/events", { headers: headers(), cache: "no-store", credentials: "omit" });
      if (!response.ok || !response.body) throw new Error("refused");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const events = (text + value).split("\n\n");
        text = events.pop();
        for (const event of events) {
          const data = event.split("\n").filter((line) => line.startsWith("data: "));
          if (data.length > 0) heard(translated(JSON.parse(data.map((line) => line.slice(6)).join("\n"))));
        }
      }
    } catch {
      // Told below, whatever it was.
    }
    heard(null);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
