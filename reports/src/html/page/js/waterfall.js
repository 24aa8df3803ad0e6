// Convergence: what came when after the first thing that was done in a phase; session by session, prefix by prefix.
const MILESTONES = { tcp: ['TCP', 'm1'], open: ['OPEN', 'm2'], established: ['Established', 'm3'], update: ['first UPDATE', 'm4'], best: ['best path', 'm5'], kernel: ['kernel route', 'm6'] };

function renderConvergence() {
  const parts = record.phases.map(convergenceOf).filter(Boolean);
  if (!parts.length) return;
  byId('convergence').hidden = false;
  fill(byId('convergence-body'), parts);
}

function convergenceOf(phase) {
  const until = phase.started_ms + phase.duration_ms;
  const inside = happened.filter((one) => one.ms >= phase.started_ms && one.ms <= until);
  const steps = record.steps.filter((step) => step.phase === phase.name && step.started_ms >= phase.started_ms - 1 && step.started_ms <= until);
  const action = inside.find((one) => one.of?.kind === 'action');
  const zero = action ? action.ms : steps.length ? steps[steps.length - 1].started_ms + steps[steps.length - 1].duration_ms : phase.started_ms;
  const first = list(phase.actions)[0] || `phase ${phase.name}`;
  const bySession = sessionRows(inside, zero);
  const byPrefix = prefixRows(inside, zero);
  if (!bySession.length && !byPrefix.length) return null;
  const last = Math.max(1, ...[...bySession, ...byPrefix].flatMap((row) => Object.values(row.at)));
  return h('div', { class: 'card flow' }, h('h3', {}, phase.name),
    h('p', { class: 'muted' }, `Milliseconds after ${first} at ${moment(zero)}`),
    bySession.length > 0 && flow(`Sessions of phase ${phase.name}`, 'Session', bySession, ['tcp', 'open', 'established', 'update'], last),
    byPrefix.length > 0 && flow(`Prefixes of phase ${phase.name}, each when the last router had it`, 'Prefix', byPrefix, ['update', 'best', 'kernel'], last));
}

function flow(caption, first, rows, keys, last) {
  const used = keys.filter((key) => rows.some((row) => row.at[key] !== undefined));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${caption}, by milestone` },
    h('table', {}, h('caption', {}, caption),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, first), used.map((key) => h('th', { scope: 'col', class: 'num' }, h('span', { class: `swatch ${MILESTONES[key][1]}`, 'aria-hidden': 'true' }), MILESTONES[key][0])),
        h('td', { class: 'bar-cell' }))),
      h('tbody', {}, rows.map((row) => {
        const times = used.map((key) => row.at[key]).filter((ms) => ms !== undefined);
        const place = (ms) => `${(ms / last) * 100}%`;
        return h('tr', {}, h('th', { scope: 'row' }, row.name, row.note && h('span', { class: 'muted' }, ` ${row.note}`)),
          used.map((key) => h('td', { class: 'num' }, row.at[key] === undefined ? '·' : Math.round(row.at[key]))),
          h('td', { class: 'bar-cell' }, h('div', { class: 'flow-bar', 'aria-hidden': 'true' },
            h('span', { style: { left: '0', width: place(Math.max(0, ...times)) } }),
            used.map((key) => row.at[key] !== undefined && h('i', { class: MILESTONES[key][1], style: { left: place(row.at[key]) } })))));
      }))));
}

// A session's milestones; messages are of the pair of boxes, whichever sent them first.
function sessionRows(inside, zero) {
  const rows = new Map();
  for (const one of inside) {
    if (one.of?.kind !== 'session' || standing(one.of.to) !== 'up') continue;
    const key = `${one.source}\n${one.of.neighbor}`;
    if (!rows.has(key)) rows.set(key, { name: `${short(one.source)} ↔ ${short(one.of.peer || one.of.neighbor)}`, at: { established: one.ms - zero }, pair: [one.source, one.of.peer] });
  }
  for (const one of inside) {
    if (one.of?.kind !== 'message' || one.ms < zero) continue;
    const pair = [one.source, one.of.to];
    for (const row of rows.values()) {
      if (row.at[one.of.message] === undefined && pair.every((name) => row.pair.includes(name))) row.at[one.of.message] = one.ms - zero;
    }
  }
  return [...rows.values()].sort((one, other) => one.at.established - other.at.established);
}

// A prefix's milestones, each when the last router had it.
function prefixRows(inside, zero) {
  const rows = new Map();
  for (const one of inside) {
    if (one.of?.kind !== 'route' || one.of.change === 'went' || one.ms < zero) continue;
    if (!rows.has(one.of.prefix)) rows.set(one.of.prefix, { name: one.of.prefix, at: {}, routers: new Set(), came: false });
    const row = rows.get(one.of.prefix);
    const after = one.ms - zero;
    if (one.of.table === 'fib') row.at.kernel = Math.max(row.at.kernel ?? 0, after);
    else {
      row.routers.add(one.source);
      if (one.of.change === 'came') {
        row.came = true;
        row.at.update = Math.min(row.at.update ?? Infinity, after);
      }
      row.at.best = Math.max(row.at.best ?? 0, after);
    }
  }
  const all = [...rows.values()].filter((row) => row.came);
  for (const row of all) row.note = `${count(row.routers.size, 'router')}`;
  return all.sort((one, other) => (one.at.kernel ?? one.at.best ?? 0) - (other.at.kernel ?? other.at.best ?? 0)).slice(0, 100);
}
