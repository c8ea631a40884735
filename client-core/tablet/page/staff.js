// The lock: who is in front of the tablet. It lies over the screen, which stays as it was with all that was typed.

import { get, post } from "./api.js";
import { button, fill, h, icon, once, say } from "./dom.js";
import { errors, field } from "./form.js";
import { t } from "./phrases.js";

const PIN = 6;

/** Draws the lock into `at` until somebody is signed in; calls `done()` then. */
export async function unlockScreen(at, done) {
  let { members, last } = await get("/api/staff");
  const show = (node, focus) => {
    fill(at, node);
    (focus ?? at.querySelector("h1"))?.focus();
  };

  const choose = () => show(h("div", { class: "narrow lock" },
    h("h1", { tabindex: "-1" }, t("Who are you?")),
    h("p", { class: "quiet" }, t("What was typed and recorded is safe behind this.")),
    h("ul", { class: "people" }, members.map((member) => h("li", {}, h("button", {
      type: "button", class: "row", "aria-current": member.id === last ? "true" : null,
      onclick: () => chosen(member.id),
    }, h("span", { class: "name" }, h("strong", {}, member.name), h("span", { class: "quiet" }, member.role)),
    member.locked_seconds > 0 ? h("span", { class: "tag warn" }, icon("warn"), t("Locked for {n} min", { n: Math.ceil(member.locked_seconds / 60) }))
      : member.has_pin ? null : h("span", { class: "tag plain" }, t("No PIN yet"))))))));

  // A PIN may have come from base since the list was drawn.
  async function chosen(id) {
    ({ members, last } = await get("/api/staff"));
    const member = members.find((one) => one.id === id);
    if (!member) choose();
    else if (member.has_pin) pin(member);
    else await forgotten(member);
  }

  function pin(member) {
    let typed = "";
    const dots = h("div", { class: "dots", role: "status" });
    const message = h("p", { class: "error", role: "alert" });
    const draw = () => {
      fill(dots, [...Array(PIN).keys()].map((n) => h("span", { class: n < typed.length ? "dot on" : "dot" })));
      dots.setAttribute("aria-label", t("{n} of {all} digits", { n: typed.length, all: PIN }));
    };
    let busy = false;
    const key = async (name) => {
      if (busy) return;
      message.textContent = "";
      typed = name === "back" ? typed.slice(0, -1) : (typed + name).slice(0, PIN);
      draw();
      if (typed.length < PIN) return;
      busy = true;
      try {
        await post("/api/staff/sign-in", { staff: member.id, pin: typed });
        leave();
        await done();
      } catch (error) {
        message.textContent = error.message;
        typed = "";
        draw();
      }
      busy = false;
    };
    const typing = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (/^[0-9]$/.test(event.key)) key(event.key);
      else if (event.key === "Backspace") key("back");
      else return;
      event.preventDefault();
    };
    const leave = () => document.removeEventListener("keydown", typing);
    document.addEventListener("keydown", typing);
    const away = (to) => () => {
      leave();
      to(member);
    };
    draw();
    const digit = (n) => h("button", { type: "button", class: "key", onclick: () => key(n) }, n);
    show(h("div", { class: "narrow lock" },
      h("h1", { tabindex: "-1" }, member.name), h("p", {}, t("Type your PIN: six digits.")), dots, message,
      h("div", { class: "keys" }, [..."123456789"].map(digit), h("span", {}), digit("0"),
        h("button", { type: "button", class: "key key-back", onclick: () => key("back"), "aria-label": t("Delete") }, icon("erase"))),
      h("div", { class: "buttons" }, button("plain", t("Not me"), away(choose)),
        button("quiet", t("I forgot it, or I am locked"), away(forgotten)))));
  }

  async function forgotten(member) {
    let digits;
    try {
      ({ digits } = await post("/api/staff/challenge", { staff: member.id }));
    } catch (error) {
      show(h("div", { class: "narrow lock" }, h("h1", { tabindex: "-1" }, member.name), h("p", {}, error.message),
        button("main", t("Back"), choose)));
      return;
    }
    const fields = {
      code: field("code", t("The code that they read to you"), { mode: "numeric", width: "w-nhs", hint: t("Eight digits") }),
      pin: field("pin", t("A new PIN of your own"), { mode: "numeric", width: "w-date", hint: t("Six digits that only you know") }),
    };
    const save = async (event) => {
      event.preventDefault();
      await once(event.currentTarget, async () => {
        try {
          await post("/api/staff/unlock", { staff: member.id, code: fields.code.value(), pin: fields.pin.value() });
          await done();
        } catch (error) {
          fields.pin.wrong("");
          if (errors(fields, error)) return;
          fields.code.wrong(error.message);
          fields.code.control.focus();
        }
      });
    };
    show(h("form", { class: "narrow lock form", novalidate: true, onsubmit: save },
      h("h1", { tabindex: "-1" }, member.name),
      h("p", {}, t("Phone your coordinator and read these digits out. It works without a signal on this tablet.")),
      h("p", { class: "challenge" }, digits), fields.code.node, fields.pin.node,
      h("button", { type: "submit", class: "button main wide tall" }, t("Sign in")),
      button("plain", t("Back"), choose)), fields.code.control);
  }

  choose();
  say(t("This tablet is locked"));
}

/** Locks after so many minutes without a touch. A tablet that slept counts what it slept. */
export function autoLock(minutes, lock) {
  let last = Date.now();
  const touched = () => { last = Date.now(); };
  for (const event of ["pointerdown", "keydown", "input"]) document.addEventListener(event, touched, { capture: true });
  const look = () => {
    if (Date.now() - last < minutes() * 60000) return;
    touched();
    lock();
  };
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
}
