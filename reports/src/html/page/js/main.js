// What is on the page, in order; then what the address asks for.
renderHead();
renderCauses();
renderChecks();
if (happened.length) renderPlayer();
renderMoment();
drawing.start();
if (drawing.found) byId('fabric').hidden = false;
if (happened.length) renderEvents();
byId('fabric-grid').classList.toggle('no-drawing', !drawing.found);
renderPaths();
renderConvergence();
renderRun();
renderNav();
listenToKeys();

function follow() {
  const asked = hash.read();
  setFilter.quiet = true;
  setFilter(Object.fromEntries(Object.keys(filter).map((key) => [key, asked.get(key) || ''])));
  setFilter.quiet = false;
  if (asked.get('box')) choose(asked.get('box'));
  const failed = record.checks.find((check) => check.verdict === 'failed');
  // What failed is looked at when it did; what passed, at the end.
  const at = asked.has('t') ? Number(asked.get('t')) : failed ? failed.started_ms + failed.duration_ms : lastStop();
  player.seek(Number.isFinite(at) ? at : end, true);
  if (asked.get('check')) showCheck(asked.get('check'));
  else if (asked.get('cause')) showCause(asked.get('cause'));
}

// The moment before what was brought up is taken away again.
function lastStop() {
  const looks = record.states.map((state) => state.ms);
  return looks.length ? Math.max(...looks) : end;
}

follow();
window.addEventListener('hashchange', follow);
window.addEventListener('beforeprint', () => {
  for (const check of record.checks) {
    if (check.verdict !== 'failed') continue;
    const row = rows.get(check.name);
    row.make();
    row.open = true;
  }
});
