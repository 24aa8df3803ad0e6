// What is looked at, in the address: #check=..., #cause=..., #t=..., #box=..., and the filter. So it can be sent to somebody.
const hash = {
  read() {
    return new URLSearchParams(location.hash.slice(1));
  },
  // Sets some keys and takes away those that are empty; what others set stays.
  set(changes) {
    const now = this.read();
    for (const [key, to] of Object.entries(changes)) {
      if (to === null || to === undefined || to === '') now.delete(key);
      else now.set(key, to);
    }
    for (const key of [...now.keys()]) if (now.get(key) === '') now.delete(key);
    const rest = now.toString();
    history.replaceState(null, '', rest ? `#${rest}` : location.pathname + location.search);
  },
};

const linkTo = (key, name) => `#${new URLSearchParams({ [key]: name })}`;

function checkLink(name) {
  const check = checksByName.get(name);
  if (!check) return h('span', {}, name);
  return h('a', { href: linkTo('check', name), click: (event) => { event.preventDefault(); showCheck(name); } }, name);
}
