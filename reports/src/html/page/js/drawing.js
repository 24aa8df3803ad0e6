// The topology's drawing, coloured by what was so at the moment that is shown. Where its boxes stand was decided when the page
// was written.
const drawing = {
  found: false,
  way: null,
  showWay() {},
};
