// The lanes under the player: phases, sessions by state, what happened, how many checks wait.
const LANES = 24;

function renderLanes() {
  const [from, to] = player.view;
  const over = (a, b) => b >= from && a <= to;
  const box = (a, b) => {
    const left = Math.max(0, player.place(a));
    return { left: `${left}%`, width: `${Math.max(0.08, Math.min(100, player.place(b)) - left)}%` };
  };
  const lane = (name, thin, ...inside) => [h('span', { class: 'lane-name', title: name }, name),
    h('div', { class: 'over' }, h('div', { class: thin ? 'lane thin' : 'lane' }, inside), h('div', { class: 'cursor', style: { left: `${player.place(player.ms)}%` } }))];
  const rows = [];
  rows.push(lane('phases', false, record.phases.filter((phase) => over(phase.started_ms, phase.started_ms + phase.duration_ms)).map((phase) => {
    const failed = !phase.reached || record.checks.some((check) => check.phase === phase.name && check.verdict === 'failed');
    // A phase may be too short to be hit: the list beside the buttons chooses it as well.
    return h('span', { class: failed ? 'phase failed' : 'phase', 'data-phase': phase.name,
      title: `${phase.name}: ${time(phase.duration_ms)}. Click to see only this part.`, style: box(phase.started_ms, phase.started_ms + phase.duration_ms),
      click: () => player.only(phase) }, phase.name);
  })));
  const pairs = sessionPairs();
  for (const { node, neighbor, peer } of pairs.slice(0, LANES)) {
    const parts = stretches(node, neighbor).filter((one) => over(one.from, one.to));
    rows.push(lane(`${short(node)} – ${short(peer || neighbor)}`, true, parts.map((one) =>
      h('span', { class: standing(one.state), title: `${one.state} from ${moment(one.from)} to ${moment(one.to)}`, style: box(one.from, one.to) }))));
  }
  if (pairs.length > LANES) rows.push([h('span', { class: 'lane-name' }), h('span', { class: 'muted' }, `and ${pairs.length - LANES} more sessions: see the routers' tables`)]);
  rows.push(lane('events', true, marks().filter((one) => over(one.ms, one.ms)).map((one) =>
    h('i', { class: one.kind, title: `${moment(one.ms)} ${one.what}`, style: { left: `${player.place(one.ms)}%` } }))));
  if (record.checks.length) rows.push(lane('checks waiting', false, waiting()));
  rows.push([h('span', { class: 'lane-name' }), h('div', { class: 'axis', 'aria-hidden': 'true' }, ticks(from, to).map((ms) =>
    h('span', { style: { left: `${player.place(ms)}%` } }, time(ms))))]);
  return rows;
}

// Sessions without their other ends: routers come first, so theirs is the end that is shown.
function sessionPairs() {
  const seen = new Set();
  return sessions.filter(({ node, neighbor, peer }) => {
    const key = peer ? [node, peer].sort().join('\n') : `${node}\n${neighbor}`;
    return !seen.has(key) && seen.add(key);
  });
}

// One mark for what happened at the same moment, the weightiest first.
function marks() {
  const weight = { failure: 3, action: 2 };
  const at = new Map();
  for (const one of happened) {
    if (player.skip.has(one.kind)) continue;
    const key = Math.round(one.ms * 2);
    if (!at.has(key) || (weight[one.kind] || 0) > (weight[at.get(key).kind] || 0)) at.set(key, one);
  }
  return [...at.values()];
}

function waiting() {
  const [from, to] = player.view;
  const changes = [];
  for (const check of record.checks) {
    if (check.verdict !== 'passed' && check.verdict !== 'failed') continue;
    changes.push([check.started_ms, 1], [check.started_ms + check.duration_ms, -1]);
  }
  changes.sort((one, other) => one[0] - other[0]);
  let now = 0;
  let most = 1;
  for (const [, by] of changes) most = Math.max(most, (now += by));
  now = 0;
  let path = 'M0 100';
  const x = (ms) => Math.min(1000, Math.max(0, ((ms - from) / (to - from)) * 1000)).toFixed(1);
  for (const [ms, by] of changes) {
    path += `H${x(ms)}`;
    now += by;
    path += `V${(100 - (now / most) * 95).toFixed(1)}`;
  }
  return svg('svg', { viewBox: '0 0 1000 100', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('path', { d: `${path}H1000V100Z` }));
}

function ticks(from, to) {
  const rough = (to - from) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) || power * 10;
  const all = [];
  for (let ms = Math.ceil(from / step) * step; ms <= to; ms += step) all.push(ms);
  return all;
}
