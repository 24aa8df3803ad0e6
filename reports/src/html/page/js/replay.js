// What each box was like at a moment: the last look at it, and what happened since.
const KIND_OF = { session: 'sessions', rib: 'rib', fib: 'fib', link: 'links', pod: 'pod', router: 'router' };

const byActor = (items, node, kind) => {
  const all = new Map();
  for (const item of items) {
    if (!kind(item)) continue;
    const key = `${node(item)}\n${kind(item)}`;
    if (!all.has(key)) all.set(key, []);
    all.get(key).push(item);
  }
  return all;
};

// What could not be read is no look.
const readable = (state) => state.json !== null && typeof state.json === 'object' && !('unreadable' in state.json);
const looks = byActor([...record.states].filter(readable).sort((one, other) => one.ms - other.ms), (state) => state.node, (state) => state.kind);
const since = byActor(happened, (one) => one.source, (one) => KIND_OF[one.kind]);

const looksOf = (node, kind) => looks.get(`${node}\n${kind}`) || [];
const sinceOf = (node, kind) => since.get(`${node}\n${kind}`) || [];

function lastLook(node, kind, ms) {
  return looksOf(node, kind).filter((state) => state.ms <= ms).pop();
}

const kindsByNode = (() => {
  const all = new Map();
  for (const key of [...looks.keys(), ...since.keys()]) {
    const [node, kind] = key.split('\n');
    if (!all.has(node)) all.set(node, new Set());
    all.get(node).add(kind);
  }
  return all;
})();
const kindsOf = (node) => [...(kindsByNode.get(node) || [])];

// Who has a state to show: in the topology's order, then as they come; what is nobody's own is not.
const actors = (() => {
  const known = [...kindsByNode.keys()].filter((node) => node !== 'fabric');
  const ordered = list(record.topology?.nodes).map((node) => node.name).filter((name) => kindsByNode.has(name));
  return [...new Set([...ordered, ...known])];
})();

// A table at a moment: its entries by key, each with what is known of it, and how it changed at this very moment.
function tableAt(node, kind, ms) {
  const look = lastLook(node, kind, ms);
  const entries = new Map();
  const from = (kind === 'sessions' ? look?.json : look?.json.routes) || {};
  for (const [key, known] of Object.entries(from)) entries.set(key, { known, change: '' });
  for (const one of sinceOf(node, kind)) {
    if (one.ms > ms) break;
    const now = one.ms === ms;
    const counted = look && one.ms <= look.ms;
    if (counted && !now) continue;
    if (kind === 'sessions') sessionHappened(entries, one.of, now);
    else routeHappened(entries, one.of, now, counted);
  }
  return { look, entries };
}

function sessionHappened(entries, of, now) {
  const before = entries.get(of.neighbor);
  if (of.to) entries.set(of.neighbor, { known: { ...before?.known, state: of.to, hostname: of.peer || before?.known?.hostname }, change: now ? 'changed' : '', reason: of.reason });
  else if (now) entries.set(of.neighbor, { known: { ...before?.known, state: null }, change: 'went' });
  else entries.delete(of.neighbor);
}

function routeHappened(entries, of, now, counted) {
  const before = entries.get(of.prefix);
  if (of.change === 'went') {
    if (now) entries.set(of.prefix, { ...before, change: 'went' });
    else entries.delete(of.prefix);
    return;
  }
  // What was seen of the route before a change is not what it is after it.
  const from = of.from || (of.change === 'changed' ? before?.from : undefined);
  entries.set(of.prefix, { known: counted ? before?.known : undefined, from, change: now ? (before?.change === 'came' ? 'came' : of.change) : '' });
}

const present = (entries) => [...entries.values()].filter((entry) => entry.change !== 'went').length;

// What addresses, prefixes and pods were called.
function namesAt(ms) {
  return (lastLook('fabric', 'names', ms) || looksOf('fabric', 'names')[0])?.json || {};
}

// A pod at a moment: its node, and whether it is Ready; none while it is not there.
function podAt(name, ms) {
  const look = lastLook(name, 'pod', ms);
  let now = look ? { node: look.json.node, ready: look.json.ready, phase: look.json.phase } : null;
  for (const one of sinceOf(name, 'pod')) {
    if (one.ms > ms) break;
    if (look && one.ms <= look.ms) continue;
    const { change, node } = one.of;
    if (change === 'gone') now = null;
    else now = { node: node || now?.node, ready: change === 'ready' || (change !== 'not-ready' && Boolean(now?.ready)), phase: now?.phase };
  }
  // Before anything was heard of a pod it is not there, and after it was not found any more.
  return now;
}

// Whether an interface was known to be down.
function isDown(node, name, ms) {
  const look = lastLook(node, 'links', ms);
  const link = list(look?.json).find((one) => one.name === name);
  let down = link ? !(link.up && link.carrier) : false;
  for (const one of sinceOf(node, 'links')) {
    if (one.ms > ms) break;
    if ((!look || one.ms > look.ms) && one.of.interface === name) down = !one.of.up;
  }
  return down;
}

// Whether a routing daemon answered; unknown where nothing was said.
function answersAt(node, ms) {
  return sinceOf(node, 'router').filter((one) => one.ms <= ms).pop()?.of.answers;
}

// A cluster node's sessions, as its own speakers tell.
function speakersAt(node, ms) {
  const look = lastLook(node, 'speaker', ms);
  return list(look?.json.speakers).flatMap((speaker) => list(speaker.peers).map((peer) => ({ ...peer, asn: speaker.asn })));
}

const peerOf = (entry) => boxOf(entry.known?.peer || entry.known?.hostname || '');

// The session between two boxes, as `established`, `trying`, `down`, or nothing where none is configured. What a router says is
// told at once; what a speaker says, only when it was looked at.
function betweenAt(a, b, ms) {
  const said = [];
  for (const [one, other] of [[a, b], [b, a]]) {
    for (const [neighbor, entry] of tableAt(one, 'sessions', ms).entries) {
      const peer = peerOf(entry) || '';
      if (peer === other || peers.get(`${one}\n${neighbor}`) === other) said.push(standing(entry.known?.state));
    }
  }
  const known = said.filter((state) => state !== 'none');
  if (!known.length) return '';
  if (known.every((state) => state === 'up')) return 'established';
  return known.every((state) => state === 'down') ? 'down' : 'trying';
}

// Every session that ever was, and its other end: a session that is down does not say who that is.
const peers = new Map();
const sessions = [];
for (const node of actors) {
  const found = new Map();
  for (const state of looksOf(node, 'sessions')) for (const [neighbor, known] of Object.entries(state.json)) found.set(neighbor, known?.peer || known?.hostname || found.get(neighbor));
  for (const one of sinceOf(node, 'sessions')) found.set(one.of.neighbor, one.of.peer || found.get(one.of.neighbor));
  for (const [neighbor, peer] of found) {
    const known = peer && boxOf(peer);
    if (known) peers.set(`${node}\n${neighbor}`, known);
    sessions.push({ node, neighbor, peer: known });
  }
}

// The stretches of time that a session was in one state, for its lane.
function stretches(node, neighbor) {
  const points = [...looksOf(node, 'sessions').map((state) => ({ ms: state.ms, state: state.json[neighbor]?.state ?? null })),
    ...sinceOf(node, 'sessions').filter((one) => one.of.neighbor === neighbor).map((one) => ({ ms: one.ms, state: one.of.to ?? null }))];
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
