// Why it failed: each cause once, with its ladder, its evidence, what to type, and the checks it explains. Failures without a
// cause stand for themselves.
function renderCauses() {
  const failed = record.checks.filter((check) => check.verdict === 'failed');
  if (!failed.length && !record.causes.length) return;
  byId('causes').hidden = false;
  const alone = failed.filter((check) => !causesById.has(check.cause));
  const cards = [...record.causes.map(causeCard), ...alone.slice(0, 30).map(failureCard)];
  if (alone.length > 30) cards.push(h('p', { class: 'muted' }, `And ${alone.length - 30} more: see the checks below.`));
  fill(byId('causes-body'), cards);
}

function causeCard(cause) {
  // The longest of its victims' ladders is the one that tells most.
  const ladders = cause.victims.map((name) => checksByName.get(name)).filter((check) => check && list(check.ladder).length);
  const told = ladders.sort((one, other) => other.ladder.length - one.ladder.length)[0];
  const id = `cause-${cause.id}`;
  return h('article', { class: 'card cause', id, tabindex: '-1', 'aria-labelledby': `${id}-title` },
    h('header', {}, h('h3', { id: `${id}-title` }, cause.title), h('span', { class: 'badge bad' }, cause.kind.replace(/-/g, ' ')),
      cause.node && h('span', { class: 'muted' }, `on ${short(cause.node)}${cause.about && cause.about !== cause.node ? `, ${cause.about}` : ''}`)),
    cause.text && h('p', { class: 'cause-text' }, printable(cause.text)),
    h('div', { class: told ? 'cause-grid' : 'cause-grid single' },
      told && h('div', {}, h('div', {}, h('h4', {}, 'From the ground up'), ladder(told.ladder))),
      h('div', {},
        list(cause.evidence).length > 0 && h('div', { class: 'stack' }, h('h4', {}, 'Evidence'), evidence(cause.evidence, true)),
        cause.next_command && h('div', { class: 'stack' }, h('h4', {}, 'Type next'), command(cause.next_command)),
        victims(cause))));
}

function victims(cause) {
  if (!cause.victims.length) return null;
  const links = () => h('ul', { class: 'victims' }, cause.victims.map((name) => h('li', {}, checkLink(name))));
  const title = `It explains ${count(cause.victims.length, 'failed check')}`;
  if (cause.victims.length <= 6) return h('div', {}, h('h4', {}, title), links());
  return lazy({ class: 'more' }, title, links);
}

function failureCard(check) {
  return h('article', { class: 'card cause', 'aria-label': check.name },
    h('header', {}, h('h3', {}, headline(check) || shortName(check)), h('span', { class: 'muted' }, 'no cause was found')),
    h('p', { class: 'cause-text' }, checkLink(check.name)),
    h('div', { class: list(check.ladder).length ? 'cause-grid' : 'cause-grid single' },
      list(check.ladder).length > 0 && h('div', {}, h('div', {}, h('h4', {}, 'From the ground up'), ladder(check.ladder))),
      h('div', {}, versus(check), h('div', { class: 'stack' }, check.next_command && h('h4', {}, 'Type next'), command(check.next_command)))));
}

function showCause(id) {
  const card = byId(`cause-${id}`);
  if (!card) return;
  card.scrollIntoView({ block: 'start' });
  card.focus({ preventScroll: true });
  hash.set({ cause: id, check: '' });
}
