// One check: its row, and what is inside when it is opened.
const rows = new Map();

function checkRow(check) {
  const verdict = VERDICTS[check.verdict];
  const why = check.verdict === 'passed' ? '' : headline(check);
  const longest = end;
  const row = lazy({ class: `check ${check.verdict}` }, [
    h('span', { class: `mark ${verdict.tone}` }, h('span', { 'aria-hidden': 'true' }, verdict.mark), sr(verdict.word)),
    h('span', { class: 'kind' }, check.kind),
    h('span', { class: 'node', title: check.node || '' }, short(check.node)),
    h('span', { class: 'what' }, shortName(check)),
    h('span', { class: 'wait', 'aria-hidden': 'true' }, h('span', { style: {
      left: `${(check.started_ms / longest) * 100}%`, width: `${Math.min(1 - check.started_ms / longest, check.duration_ms / longest) * 100}%` } })),
    h('span', { class: 'took' }, check.verdict === 'passed' || check.verdict === 'failed' ? time(check.duration_ms) : verdict.word),
    why && h('span', { class: 'why' }, why),
  ], () => checkBody(check));
  row.addEventListener('toggle', () => {
    if (row.open && row.contains(document.activeElement)) hash.set({ check: check.name, cause: '' });
  });
  rows.set(check.name, row);
  return row;
}

// The check's expectation beside what was seen, and the difference in words.
function versus(check) {
  const seen = check.seen;
  const told = seen && typeof seen === 'object' && 'summary' in seen;
  const difference = told ? list(seen.difference) : [];
  const hasDetail = told && seen.detail !== null && seen.detail !== undefined && JSON.stringify(seen.detail).length > 2;
  if (check.expected === null && seen === null) return null;
  return h('div', { class: 'stack' },
    h('div', { class: 'versus' },
      h('div', {}, h('h4', {}, 'Expected'), value(check.expected)),
      h('div', {}, h('h4', {}, 'Seen'), check.verdict === 'failed'
        ? h('div', { class: told || typeof seen !== 'object' ? 'plain bad-side' : '' }, told ? printable(seen.summary) : typeof seen === 'object' ? value(seen) : printable(seen))
        : value(told ? seen.summary : seen))),
    difference.length > 0 && h('ul', { class: 'difference', 'aria-label': 'Difference' }, difference.map((line) =>
      h('li', {}, typeof line === 'string' ? printable(line) : json(line)))),
    hasDetail && lazy({ class: 'more' }, 'All that was seen', () => json(seen.detail)));
}

function deadline(check) {
  const of = check.deadline;
  if (!of || !(of.budget_ms > 0)) return null;
  const share = (ms) => `${Math.min(100, (ms / of.budget_ms) * 100)}%`;
  const terms = list(of.terms);
  return h('div', { class: 'deadline' }, h('h4', {}, 'Time'),
    h('div', { class: 'track', 'aria-hidden': 'true' }, terms.map((term) => h('span', { title: `${term.what}: ${time(term.ms)}`, style: { width: share(term.ms) } })),
      h('b', { style: { width: share(check.waited_ms) } })),
    h('p', {}, `Waited ${time(check.waited_ms)} of ${time(of.budget_ms)}`,
      terms.length > 0 && `: ${terms.map((term) => `${time(term.ms)} ${term.what}`).join(' + ')}`,
      '. Started at ', momentButton(check.started_ms), ', judged at ', momentButton(check.started_ms + check.duration_ms), '.'));
}

// A moment that the player goes to.
function momentButton(ms) {
  return h('button', { type: 'button', class: 'link', click: () => { player.seek(ms); if (!byId('fabric').hidden) go('fabric'); } }, moment(ms));
}

function checkBody(check) {
  const cause = causesById.get(check.cause);
  return h('div', { class: 'check-body' },
    check.verdict !== 'passed' && (check.failure || check.reason) && text(check.failure || check.reason, 'Why'),
    cause && h('p', {}, 'Cause: ', h('a', { href: linkTo('cause', cause.id), click: (event) => { event.preventDefault(); showCause(cause.id); } }, cause.title)),
    list(check.ladder).length > 0 && h('div', {}, h('h4', {}, 'From the ground up'), ladder(check.ladder)),
    versus(check),
    list(check.paths).map((path) => h('div', { class: 'stack' }, h('h4', {}, `${short(path.from)} to ${short(path.to)}`), hops(path))),
    list(check.evidence).length > 0 && h('div', { class: 'stack' }, h('h4', {}, 'Evidence'), evidence(check.evidence, false)),
    deadline(check),
    check.next_command && h('div', { class: 'stack' }, h('h4', {}, 'Type next'), command(check.next_command)),
    h('div', { class: 'stack' }, h('h4', {}, 'This check alone'), command(`fabric test ${quoted(record.lab.dir)} --only ${quoted(check.name)}`)));
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`);

function showCheck(name) {
  const check = checksByName.get(name);
  const row = rows.get(name);
  if (!check || !row) return;
  if (row.hidden || row.closest('.phase-group')?.hidden) setFilter({ q: '', verdict: '', phase: '', kind: '', node: '' });
  row.make();
  row.open = true;
  hash.set({ check: name, cause: '' });
  row.scrollIntoView({ block: 'start' });
  row.querySelector('summary').focus({ preventScroll: true });
}
