// Making elements, and words for numbers. Text only ever becomes text: nothing here parses HTML.
const SVG = 'http://www.w3.org/2000/svg';

const byId = (id) => document.getElementById(id);

// An element: its tag, its attributes (functions are listeners, `true` is an empty attribute), its children.
function h(tag, attributes, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    // The content policy forbids style attributes; single properties may be set.
    else if (name === 'style') for (const [property, to] of Object.entries(value)) element.style.setProperty(property, to);
    else element.setAttribute(name, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child);
  }
}

function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

const sr = (text) => h('span', { class: 'sr' }, text);

function count(number, one, many) {
  return `${number} ${number === 1 ? one : many || one + 's'}`;
}

// A length as people say it: 218 ms, 10.4 s, 2 min 5 s.
function time(ms) {
  if (!Number.isFinite(ms)) return '';
  if (ms < 1) return ms === 0 ? '0 ms' : '<1 ms';
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${trim((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ''}`;
}

// A moment of the run: always with milliseconds, so that columns of them line up.
const moment = (ms) => `${(ms / 1000).toFixed(3)} s`;

const trim = (digits) => digits.replace(/\.0$/, '');

// What terminals colour and browsers cannot show.
const CONTROL = /\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000b-\u001f\u007f]/g;
const printable = (text) => String(text).replace(/\r\n/g, '\n').replace(CONTROL, '');

const say = (() => {
  let last = 0;
  return (text) => {
    clearTimeout(last);
    // Only what is still so when somebody stops dragging is said.
    last = setTimeout(() => { byId('live').textContent = text; }, 250);
  };
})();

function copied(button, text) {
  const done = (word) => {
    button.textContent = word;
    say(word);
    setTimeout(() => { button.textContent = 'Copy'; }, 1600);
  };
  const old = () => {
    // Pages from disk may have no clipboard of the newer kind.
    const area = h('textarea', { class: 'sr', 'aria-hidden': 'true', tabindex: '-1' });
    area.value = text;
    document.body.append(area);
    area.select();
    const worked = document.execCommand('copy');
    area.remove();
    button.focus();
    done(worked ? 'Copied' : 'Select it');
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done('Copied'), old);
  else old();
}

// A command one would type, with a button that copies it.
function command(text) {
  if (!text) return null;
  const button = h('button', { type: 'button', 'aria-label': `Copy the command: ${text}`, click: () => copied(button, text) }, 'Copy');
  return h('div', { class: 'command' }, h('code', {}, text), button);
}
