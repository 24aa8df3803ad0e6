// What each router's sessions, RIB and FIB were at a moment: the last look at it, and what happened since.
const base = new Map();
for (const state of [...record.states].sort((one, other) => one.ms - other.ms)) {
  const key = `${state.node}\n${state.kind}`;
  if (!base.has(key)) base.set(key, []);
  base.get(key).push(state);
}

const typed = new Map();
for (const one of happened) {
  if (one.kind !== 'session' && one.kind !== 'rib' && one.kind !== 'fib') continue;
  const key = `${one.source}\n${{ session: 'sessions', rib: 'rib', fib: 'fib' }[one.kind]}`;
  if (!typed.has(key)) typed.set(key, []);
  typed.get(key).push(one);
}

// Who has a state to show: in the topology's order, then as they come.
const actors = (() => {
  const known = new Set([...base.keys(), ...typed.keys()].map((key) => key.split('\n')[0]));
  const ordered = list(record.topology?.nodes).map((node) => node.name).filter((name) => known.has(name));
  return [...new Set([...ordered, ...known])];
})();

const kindsOf = (node) => [...new Set([...base.keys(), ...typed.keys()].map((key) => key.split('\n')).filter(([name]) => name === node).map(([, kind]) => kind))];

function lastLook(node, kind, ms) {
  return list(base.get(`${node}\n${kind}`)).filter((state) => state.ms <= ms).pop();
}

// A table at a moment: its entries by key, each with what is known of it, and how it changed at this very moment.
function tableAt(node, kind, ms) {
  const look = lastLook(node, kind, ms);
  const entries = new Map();
  const from = look?.json && typeof look.json === 'object' ? (kind === 'sessions' ? look.json.sessions || look.json : look.json.routes || look.json) : {};
  for (const [key, known] of Object.entries(from)) entries.set(key, { known, change: '' });
  for (const one of list(typed.get(`${node}\n${kind}`))) {
    if (one.ms > ms) break;
    const now = one.ms === ms;
    if (look && one.ms <= look.ms && !now) continue;
    if (kind === 'sessions') {
      const before = entries.get(one.of.neighbor);
      if (one.of.to) entries.set(one.of.neighbor, { known: { ...before?.known, state: one.of.to, hostname: one.of.peer || before?.known?.hostname }, change: now ? 'changed' : '', reason: one.of.reason });
      else if (now) entries.set(one.of.neighbor, { known: { ...before?.known, state: null }, change: 'went' });
      else entries.delete(one.of.neighbor);
      continue;
    }
    const { prefix, change } = one.of;
    if (change === 'went') {
      if (now) entries.set(prefix, { ...entries.get(prefix), change: 'went' });
      else entries.delete(prefix);
    } else {
      const before = entries.get(prefix);
      // What was seen of the route before is not what it is now.
      const seen = look && one.ms <= look.ms ? before?.known : undefined;
      entries.set(prefix, { known: seen, from: one.of.from || (change === 'changed' ? before?.from : undefined), change: now ? change : before?.change === 'came' && now ? 'came' : '' });
    }
  }
  return { look, entries };
}

const present = (entries) => [...entries.values()].filter((entry) => entry.change !== 'went').length;

// The stretches of time that a session was in one state, for its lane.
function stretches(node, neighbor) {
  const points = [];
  for (const state of list(base.get(`${node}\nsessions`))) {
    const known = (state.json.sessions || state.json)[neighbor];
    points.push({ ms: state.ms, state: known?.state ?? null, look: true });
  }
  for (const one of list(typed.get(`${node}\nsessions`))) {
    if (one.of.neighbor === neighbor) points.push({ ms: one.ms, state: one.of.to ?? null });
  }
  points.sort((one, other) => one.ms - other.ms);
  const all = [];
  for (const point of points) {
    const last = all[all.length - 1];
    if (last && standing(last.state) === standing(point.state)) continue;
    if (last) last.to = point.ms;
    all.push({ from: point.ms, to: end, state: point.state });
  }
  return all.filter((one) => one.state);
}

const sessions = (() => {
  const found = new Map();
  for (const node of actors) {
    const peers = new Map();
    for (const state of list(base.get(`${node}\nsessions`))) {
      if (!state.json || typeof state.json !== 'object') continue;
      for (const [neighbor, known] of Object.entries(state.json.sessions || state.json)) if (known && typeof known === 'object') peers.set(neighbor, known.peer || known.hostname || peers.get(neighbor));
    }
    for (const one of list(typed.get(`${node}\nsessions`))) peers.set(one.of.neighbor, one.of.peer || peers.get(one.of.neighbor));
    for (const [neighbor, peer] of peers) found.set(`${node}\n${neighbor}`, { node, neighbor, peer });
  }
  return [...found.values()];
})();
