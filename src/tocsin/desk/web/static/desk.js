// The desk's keys. Every page works without this file; with it, everything works from the keyboard.
"use strict";
(() => {
  const find = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  let held = []; // keys pressed meanwhile; they act on the row that was chosen, never on the one before
  let timer = 0;

  const rows = () => all("tr.row");
  const chosen = () => find('tr.row[aria-selected="true"]');
  const opened = () => find("details.act[open]");
  // the bar still acts on the row chosen before; what belongs to the chosen one is on its way
  let swapping = false; // it is here, but its forms are not ready yet
  const waiting = () => swapping || (chosen() !== null && find("#actions")?.dataset.alert !== chosen().dataset.alert);
  const typing = (at) => at.matches?.("textarea, select, input:not([type=radio]):not([type=checkbox])");

  function choose(row) {
    if (!row || row === chosen()) return;
    for (const other of rows()) other.setAttribute("aria-selected", String(other === row));
    row.scrollIntoView({ block: "nearest" });
    const here = new URL(location.href);
    here.searchParams.set("at", row.dataset.alert);
    history.replaceState(history.state, "", here);
    clearTimeout(timer);
    find("#actions")?.toggleAttribute("aria-busy", waiting());
    if (!waiting()) return;
    timer = setTimeout(() => htmx.ajax("GET", row.dataset.preview, { target: "#beside", swap: "innerHTML" }), 50);
  }

  function move(by) {
    const list = rows();
    if (!list.length) return step(by);
    const now = list.indexOf(chosen());
    choose(list[Math.min(Math.max(now + by, 0), list.length - 1)]);
  }

  // on an account's page: from one open alert or pending investigation to the next
  function step(by) {
    const work = all("a[data-work]");
    const now = work.findIndex((one) => one.matches("[aria-current]") || one.closest(".work[aria-current]"));
    const next = work[Math.min(Math.max(now + by, 0), work.length - 1)];
    if (next && work.indexOf(next) !== now) location.assign(next.href);
  }

  function shut() {
    const box = opened() ?? find("details.who[open]");
    if (!box) return find("#toasts").replaceChildren();
    box.open = false;
    find("summary", box).focus();
    find("summary", box).blur();
  }

  function open(box) {
    for (const other of all("details.act[open]")) other.open = other === box;
    box.open = true;
    const field = find("input[type=radio]:checked, input[type=radio], textarea, select, input:not([type=hidden]), button", box);
    field?.focus({ preventScroll: true });
  }

  function pick(row) {
    const box = row && find("input[data-pick]", row);
    if (!box) return;
    box.checked = !box.checked;
    picked();
  }

  function picked() {
    const many = all("input[data-pick]:checked");
    for (const row of rows()) row.classList.toggle("picked", Boolean(find("input[data-pick]:checked", row)));
    const bar = find("#many");
    if (!bar) return;
    bar.hidden = many.length === 0;
    const told = find("[data-many]", bar);
    if (told) told.textContent = `Dismiss ${many.length}`;
    const one = find('[data-act="dismiss"]');
    if (one) one.hidden = many.length > 0; // in its place, so that nothing else moves
  }

  function digit(number) {
    if (number === 0) return find("input[name=also]", opened())?.click();
    const choices = all("input[type=radio]", opened());
    const one = choices[number - 1];
    if (!one) return;
    one.checked = true;
    one.focus({ preventScroll: true });
    one.dispatchEvent(new Event("change", { bubbles: true }));
  }

  const moves = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    "/": () => find("#find")?.focus(),
    "?": () => find("#keys")?.showModal(),
    x: () => pick(chosen()),
    r: () => htmx.trigger("#refresh", "refresh"),
    Enter: () => chosen() && location.assign(chosen().dataset.open),
  };

  const atOnce = ["j", "k", "ArrowDown", "ArrowUp", "x"]; // these act on the list, all others on the bar

  function press(key) {
    if (held.length || (waiting() && !atOnce.includes(key))) return held.push(key), true;
    if (opened() && key === "Enter") return find("form", opened()).requestSubmit(), true;
    if (opened() && /^[0-9]$/.test(key)) return digit(Number(key)), true;
    const act = all(`[data-key="${CSS.escape(key)}"]`).find((one) => one.offsetParent !== null);
    if (act?.matches("details")) return act.open ? shut() : open(act), true;
    if (act) return act.click(), true;
    if (!moves[key]) return false;
    if ((key.startsWith("Arrow") || key === "Enter") && (opened() || !rows().length)) return false;
    moves[key]();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !find("dialog[open]")) return shut();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (held.length) return void held.push("send");
      return event.target.form?.requestSubmit();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || find("dialog[open]")) return;
    if (["Enter", " "].includes(event.key) && event.target.matches("a, button, summary, input")) return;
    if (event.key.startsWith("Arrow") && event.target.matches("input")) return;
    if (press(event.key)) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) return event.target.closest(".toast").remove();
    for (const box of all("details.act[open], details.who[open]")) if (!box.contains(event.target)) box.open = false;
    const row = event.target.closest("tr.row");
    if (!row || event.ctrlKey || event.metaKey || event.target.closest("input, button, [data-go]")) return;
    event.preventDefault();
    choose(row);
  });
  document.addEventListener("dblclick", (event) => {
    const row = event.target.closest("tr.row");
    if (row && !event.target.closest("input")) location.assign(row.dataset.open);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick]")) picked();
    // what an action will do depends on what is chosen in it: show the sentence that belongs to the choice
    const form = event.target.name === "direction" && event.target.form;
    for (const line of form ? all("[data-when]", form) : []) line.hidden = line.dataset.when !== event.target.value;
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details.act") && event.target.open) open(event.target);
  }, true);

  let kept = 0;
  document.addEventListener("htmx:beforeSwap", (event) => {
    kept = find(".list")?.scrollTop ?? 0;
    const told = event.detail.pathInfo?.requestPath.match(/^\/queue\/(\d+)\/preview/);
    // what belongs to a row no longer chosen, or is there already, would close what has been opened meanwhile
    if (told && (told[1] !== chosen()?.dataset.alert || !waiting())) event.detail.shouldSwap = false;
    else if (told && event.detail.shouldSwap) swapping = true;
  });
  // the same for its bar, which comes out of band: an answer that is late must not change what the keys act on
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const bar = find("#actions[data-beside]", event.detail.fragment);
    if (bar && bar.dataset.alert !== chosen()?.dataset.alert) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", () => find(".list") && picked());
  document.addEventListener("htmx:afterSettle", (event) => {
    const where = event.detail.target ?? event.target;
    const list = find(".list");
    if (list && where.id !== "beside" && where.id !== "news") {
      list.scrollTop = kept;
      chosen()?.scrollIntoView({ block: "nearest" });
    }
    if (where.id === "beside") swapping = false;
    if (where.id !== "beside" || waiting()) return;
    const keys = held;
    held = [];
    for (const key of keys) {
      const at = document.activeElement;
      if (key === "send") at.form?.requestSubmit();
      else if (!typing(at)) press(key);
      else if (key.length === 1) at.setRangeText(key, at.selectionStart, at.selectionEnd, "end");
    }
  });
  function tell(words) {
    const told = document.createElement("div");
    told.className = "toast";
    told.setAttribute("role", "alert");
    const text = document.createElement("p");
    text.textContent = words;
    const close = document.createElement("button");
    close.type = "button";
    close.dataset.close = "";
    close.textContent = "×";
    told.append(text, close);
    find("#toasts").replaceChildren(told);
    find("#actions")?.removeAttribute("aria-busy");
    swapping = false;
    held = [];
  }
  document.addEventListener("htmx:sendError", () => tell("The desk could not be reached. Look whether it was done before trying again."));
  document.addEventListener("htmx:responseError", () => tell("The desk stumbled over this. Look whether it was done before trying again."));
  chosen()?.scrollIntoView({ block: "nearest" });
})();
