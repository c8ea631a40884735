// Beginning the day: where we are, and how this tablet reaches base.

import { get, post } from "./api.js";
import { button, h, icon, notice, once, tag } from "./dom.js";
import { errors, field, select } from "./form.js";
import { t } from "./phrases.js";
import { count } from "./words.js";

/** Choose the site, then start: two taps. */
export async function start(_, app) {
  await app.refreshState();
  const { sites } = await get("/api/sites");
  let chosen = sites.length === 1 ? sites[0] : null;
  const place = h("div", {});
  const staff = app.state.staff_fixed || app.state.sign_in.listed ? null : whoIsRecording(app);

  const begin = (setting) => async (event) => {
    await once(event.currentTarget, async () => {
      if (staff && !(await staff.save())) return;
      try {
        const { id } = await post("/api/sessions", { site: chosen.id, setting });
        await app.refreshState();
        await app.go("session", { id }, { replace: true });
      } catch (error) {
        app.failed(error);
      }
    });
  };

  const draw = () => {
    place.replaceChildren();
    if (!chosen) return;
    if (chosen.today) {
      place.append(h("h2", {}, t("Today here")),
        h("p", { class: "quiet" }, count(chosen.today.checks, "{n} check today so far.", "{n} checks today so far.")),
        button("main wide tall", t("Go on with today’s session"), begin(null)));
      return;
    }
    place.append(h("h2", {}, t("Start today’s session in a")),
      h("div", { class: "choices four" },
        app.lists.settings.map(({ code, label }) => button("plain tall", label, begin(code)))));
  };
  const choose = (site) => (event) => {
    chosen = site;
    for (const other of document.querySelectorAll(".site")) other.setAttribute("aria-pressed", "false");
    event.currentTarget.setAttribute("aria-pressed", "true");
    draw();
    place.scrollIntoView({ block: "nearest" });
  };
  draw();

  return {
    title: t("Where are you today?"),
    node: h("div", { class: "narrow" },
      app.state.enrolled ? null : notice("calm", t("This tablet is not enrolled yet."),
        h("p", {}, t("You can record all the same. It is sent once the tablet is enrolled.")),
        button("plain", t("Enrol"), () => app.go("enrol"))),
      h("h1", {}, t("Where are you today?")), staff?.node,
      sites.length === 0 ? h("p", { class: "quiet" }, t("No sites are known here yet: add the first one.")) : null,
      h("div", { class: "sites" },
        sites.map((site) => h("button", { type: "button", class: "site", "aria-pressed": String(site === chosen), onclick: choose(site) },
          h("strong", {}, site.name), h("span", { class: "quiet" }, site.type_label),
          site.today ? tag("normal", t("Today")) : null)),
        h("button", { type: "button", class: "site add", onclick: () => app.go("site") },
          icon("plus"), h("strong", {}, t("Another site")))),
      place),
  };
}

function whoIsRecording(app) {
  const control = field("staff", t("Who is recording?"), { hint: t("Your staff name or number, as on your badge."), value: app.state.staff });
  return {
    node: control.node,
    async save() {
      try {
        await post("/api/staff", { staff: control.value() });
        await app.refreshState();
        return true;
      } catch (error) {
        errors({ staff: control }, error);
        return false;
      }
    },
  };
}

/** Add a site by name and type. */
export async function site(_, app) {
  const fields = {
    name: field("name", t("Name of the site"), { hint: t("As people here call it.") }),
    type: select("type", t("What kind of place is it?"), app.lists.site_types, "community_centre"),
  };
  if (app.state.teams.length > 1) {
    fields.team = select("team", t("Which team?"), app.state.teams.map(({ id, name }) => ({ code: id, label: name })));
  }
  const save = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      try {
        const values = Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value()]));
        await post("/api/sites", values);
        await app.go("start", {}, { replace: true });
      } catch (error) {
        if (!errors(fields, error)) app.failed(error);
      }
    });
  };
  return {
    title: t("Add a site"),
    back: ["start", {}],
    node: h("form", { class: "narrow form", novalidate: true, onsubmit: save },
      h("h1", {}, t("Add a site")), Object.values(fields).map((control) => control.node),
      h("button", { type: "submit", class: "button main wide tall" }, t("Save this site"))),
  };
}

/** The one thing that needs a signal before the first sync. */
export async function enrol(_, app) {
  const fields = {
    name: field("name", t("Name of this tablet"), { hint: t("As in Van 2, tablet 1") }),
    code: field("code", t("Enrolment code"), { hint: t("From your coordinator. It works once."), lines: 4 }),
  };
  const save = async (event) => {
    event.preventDefault();
    await once(event.currentTarget, async () => {
      try {
        await post("/api/enrol", { name: fields.name.value(), code: fields.code.value() });
        await app.refreshState();
        await app.go("start", {}, { replace: true });
      } catch (error) {
        if (!errors(fields, error)) app.failed(error);
      }
    });
  };
  return {
    title: t("Enrol this tablet"),
    back: ["start", {}],
    node: h("form", { class: "narrow form", novalidate: true, onsubmit: save },
      h("h1", {}, t("Enrol this tablet")), fields.name.node, fields.code.node,
      h("button", { type: "submit", class: "button main wide tall" }, t("Enrol"))),
  };
}
