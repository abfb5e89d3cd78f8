/* A sandboxed frame on a blob address, which is how MLflow shows an artifact, refuses to follow links within the page. */
if (location.protocol === "blob:") {
  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[href^='#']");
    var target = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!target) return;
    event.preventDefault();
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
    target.scrollIntoView();
  });
}
