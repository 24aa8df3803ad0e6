// The record, and what is looked up in it again and again.
const record = JSON.parse(byId('record').textContent);
const words = JSON.parse(byId('words').textContent);

const list = (value) => (Array.isArray(value) ? value : []);

for (const part of ['steps', 'phases', 'checks', 'causes', 'events', 'states', 'warnings', 'left_out']) {
  record[part] = list(record[part]);
}

const checksByName = new Map(record.checks.map((check) => [check.name, check]));
const causesById = new Map(record.causes.map((cause) => [cause.id, cause]));
const end = Math.max(record.duration_ms, 1);

const VERDICTS = {
  passed: { word: 'passed', mark: '✓', tone: 'good' },
  failed: { word: 'failed', mark: '✕', tone: 'bad' },
  skipped: { word: 'skipped', mark: '–', tone: 'off' },
  'not-run': { word: 'not run', mark: '○', tone: 'off' },
};

const verdicts = (checks) => {
  const sums = { passed: 0, failed: 0, 'not-run': 0, skipped: 0 };
  for (const check of checks) sums[check.verdict] += 1;
  return sums;
};

const phaseNames = [...new Set([...record.phases.map((phase) => phase.name), ...record.checks.map((check) => check.phase)])];
const phaseAt = (ms) => record.phases.filter((phase) => phase.started_ms <= ms).pop();

// The part of a check's name that its phase, kind and node do not say already.
function shortName(check) {
  for (const lead of [`${check.phase}::${check.kind}::${check.node}::`, `${check.phase}::${check.kind}::`, `${check.phase}::`]) {
    if (check.name.startsWith(lead)) return check.name.slice(lead.length);
  }
  return check.name;
}

// The long names that clusters give to their nodes, without what all of them have in common with the lab's name.
const short = (name) => String(name ?? '').replace(`clab-${record.lab.name}-`, '');

const rungWords = (name) => words.rungs[name] || name.replace(/-/g, ' ');

function headline(check) {
  const text = check.failure || check.reason || '';
  return text.split('\n').map((line) => line.trim()).find(Boolean) || '';
}

// How far a session is: `up`, `trying`, `down`, or `none` when the neighbor is not configured.
function standing(state) {
  if (!state) return 'none';
  const word = String(state).toLowerCase();
  if (word === 'established') return 'up';
  return ['idle', 'down', 'shutdown'].includes(word) ? 'down' : 'trying';
}

// The box of a name, which may be one of its other names, or a cluster node's without the cluster's.
const boxOf = (name) => list(record.topology?.nodes).find((node) => node.name === name || short(node.name) === name || list(node.also).includes(name))?.name || name;
