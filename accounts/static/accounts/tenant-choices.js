/* Shows, in selects whose options say which tenant they are of, those of the chosen tenant only. The server refuses
   the others in any case. */
document.addEventListener("DOMContentLoaded", () => {
  const tenant = document.getElementById("id_tenant");
  if (!tenant) return;
  const narrow = () => {
    for (const option of document.querySelectorAll("option[data-tenant]")) {
      const own = !tenant.value || option.dataset.tenant === tenant.value;
      option.hidden = option.disabled = !own;
      if (!own && option.selected) option.selected = false;
    }
  };
  tenant.addEventListener("change", narrow);
  narrow();
});
