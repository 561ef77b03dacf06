// Small help for the page; without it everything still works, by the form's own button.
"use strict";

(() => {
  const form = document.getElementById("drafts");
  if (!form) return;

  const zone = form.querySelector("select[name=zone]");
  if (zone && !new URLSearchParams(location.search).has("zone")) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if ([...zone.options].some((option) => option.value === own)) zone.value = own;
  }

  const at = form.querySelector("input[name=at]");
  at?.addEventListener("input", () => {
    form.querySelector("input[name=when][value=at]").checked = true;
  });

  const files = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const note = document.getElementById("picture-said");

  function give(list) {
    const pictures = [...list].filter((file) => file.type.startsWith("image/") || !file.type);
    if (!pictures.length) {
      note.textContent = "That was no picture: give JPEG, PNG or WebP files.";
      return;
    }
    const most = Number(files.dataset.most); // the server refuses more, too
    if (pictures.length > most) {
      note.textContent = `${pictures.length} pictures were given; ${most} at a time are the most.`;
      return;
    }
    const transfer = new DataTransfer();
    for (const picture of pictures) transfer.items.add(picture);
    files.files = transfer.files;
    files.dispatchEvent(new Event("change", { bubbles: true }));
  }

  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    give(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      give(event.clipboardData.files);
    }
  });
  // What was asked for of a draft stands below the ranking: lead there.
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail.ctx.target;
    if (["closer", "in-picture"].includes(target?.id)) target.querySelector("h2")?.focus();
    // The address says what is open, so that reload opens it again.
    const link = event.detail.ctx.sourceElement;
    if (target?.id === "closer" && link?.id) history.replaceState(null, "", `#${link.id}`);
  });
  addEventListener("load", () => {
    const open = document.getElementById(location.hash.slice(1));
    const asked = open?.getAttribute("hx-get");
    if (asked) htmx.ajax("GET", asked, { target: "#closer", swap: "innerHTML" });
  });
  // Once the pictures are with the server, the field is empty again: they are not sent twice.
  document.addEventListener("htmx:after:request", (event) => {
    if (event.target === files) files.value = "";
  });
})();
