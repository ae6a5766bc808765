// What the service says about the page: the classes of the model, and whether it reads drawings.

// `classes`: their names; `draws`: glyphs can be drawn; `noun`: what one of them is called;
// `characters`: labels of several glyphs are one text, with "/" between rows.
export const page = JSON.parse(document.body.dataset.page);

// The labels of a prediction as text of several lines, a line for each row.
export function lines({ text }) {
  if (!Array.isArray(text)) return page.draws && page.characters ? text.replaceAll("/", "\n") : text;
  return text.map((row) => (Array.isArray(row) ? row.join(" ") : row)).join(Array.isArray(text[0]) ? "\n" : " ");
}

// The labels of a prediction as the one text that is stored.
export const stored = ({ text }) => (Array.isArray(text) ? JSON.stringify(text) : text);
