// Values, commands' outputs and evidence, as people read them.

// Rust's durations, as the record has them inside of evidence, are shown as lengths.
function easier(_key, value) {
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    const keys = Object.keys(value);
    if (keys.length === 2 && 'secs' in value && 'nanos' in value) return time(value.secs * 1000 + value.nanos / 1e6);
  }
  return value;
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b/g;
const COLOURED = 60000;

function json(value) {
  const text = JSON.stringify(value, easier, 2) ?? '';
  const pre = h('pre', { tabindex: '0', role: 'region', 'aria-label': 'Data' });
  if (text.length > COLOURED) return fill(pre, text);
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > at) pre.append(text.slice(at, match.index));
    const kind = match[2] ? 'k' : match[1] ? 's' : 'n';
    pre.append(h('span', { class: kind }, match[1] || match[0]), match[2] || '');
    at = match.index + match[0].length;
  }
  pre.append(text.slice(at));
  return pre;
}

const text = (content, label) => h('pre', { tabindex: '0', role: 'region', 'aria-label': label || 'Text' }, printable(content));

// A value in the short form that a column has room for.
function value(of) {
  if (of === null || of === undefined) return h('p', { class: 'plain muted' }, 'nothing');
  if (typeof of !== 'object') return h('p', { class: 'plain' }, printable(of));
  return json(of);
}

// Details whose inside is only made when somebody looks.
function lazy(attributes, summary, inside) {
  const details = h('details', attributes, h('summary', {}, summary));
  let made = false;
  const make = () => {
    if (made) return;
    made = true;
    details.append(inside());
  };
  details.addEventListener('toggle', () => { if (details.open) make(); });
  details.make = make;
  if (details.open) make();
  return details;
}

function evidence(items, open) {
  return list(items).map((item) => lazy(
    { class: 'more evidence', open },
    [item.title, ' ', h('small', {}, `at ${moment(item.taken_ms)}`)],
    () => {
      const content = item.content || {};
      return h('div', { class: 'stack' }, command(item.command),
        'text' in content ? text(content.text || '(it said nothing)', item.title) : json(content.json));
    },
  ));
}

const STANDINGS = { holds: ['✓', 'good'], broken: ['✕', 'bad'], unknown: ['?', 'off'] };

function ladder(rungs) {
  return h('ol', { class: 'ladder', 'aria-label': 'The ladder, from the ground up' }, list(rungs).map((rung) => {
    const [mark, tone] = STANDINGS[rung.standing] || STANDINGS.unknown;
    return h('li', { class: rung.standing }, h('span', { class: `mark ${tone}`, 'aria-hidden': 'true' }, mark),
      h('span', { class: 'rung' }, rungWords(rung.name), sr(` ${rung.standing}: `)), h('span', { class: 'seen' }, printable(rung.seen)));
  }));
}
