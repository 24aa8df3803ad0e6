// Everything that happened, as one list by time: what the record calls events, steps, phases, and checks that failed.
const KINDS = {
  action: 'actions', session: 'sessions', message: 'messages', rib: 'RIB', fib: 'FIB', packet: 'packets', link: 'links', pod: 'pods', router: 'daemons', failure: 'failures', other: 'other',
};

const HAPPENINGS = { session: 'session', action: 'action', message: 'message', 'first-packet': 'packet', failure: 'failure', router: 'router', speaker: 'router', pod: 'pod', link: 'link' };

const happened = (() => {
  const all = [];
  const of = record.events.map((event) => event.of).filter(Boolean);
  const kind = ({ of }) => (of?.kind === 'route' ? of.table : HAPPENINGS[of?.kind]) || 'other';
  for (const event of record.events) all.push({ ms: event.ms, kind: kind(event), source: event.source, what: event.what, of: event.of });
  for (const phase of record.phases) {
    all.push({ ms: phase.started_ms, kind: 'action', source: 'phase', what: `phase ${phase.name} begins` });
  }
  // Steps are told when they begin; those that an event tells of as well are not told twice.
  for (const step of record.steps) {
    const told = of.some((one) => one.kind === 'action') && record.events.some((event) => event.of?.kind === 'action' && event.what === step.name);
    if (!told) all.push({ ms: step.started_ms, kind: 'action', source: step.phase, what: `${step.name}${step.ok ? '' : ': went wrong'}` });
  }
  if (!of.some((one) => one.kind === 'failure')) {
    for (const check of record.checks.filter((one) => one.verdict === 'failed')) {
      all.push({ ms: check.started_ms + check.duration_ms, kind: 'failure', source: check.node || check.phase, what: check.name, of: { kind: 'failure', check: check.name } });
    }
  }
  return all.filter((one) => Number.isFinite(one.ms)).sort((one, other) => one.ms - other.ms);
})();
