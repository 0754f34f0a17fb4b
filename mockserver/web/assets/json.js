// Lays JSON out without parsing numbers: every digit stays as it was sent.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[[\]{}:,]|\s+/y;
const LENGTH_MAX = 200000;

// Returns [kind, text] pairs, or null for what is no JSON.
export function tokens(text) {
  if (text.length > LENGTH_MAX) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const out = [];
  let depth = 0, match;
  const pad = () => out.push(["space", `\n${"  ".repeat(depth)}`]);
  TOKEN.lastIndex = 0;
  const words = [];
  while ((match = TOKEN.exec(text))) if (match[0].trim()) words.push(match[0]);
  words.forEach((word, i) => {
    const next = words[i + 1];
    if (word === "{" || word === "[") {
      out.push(["mark", word]);
      if (next !== "}" && next !== "]") { depth += 1; pad(); }
    } else if (word === "}" || word === "]") {
      if (words[i - 1] !== "{" && words[i - 1] !== "[") { depth -= 1; pad(); }
      out.push(["mark", word]);
    } else if (word === ",") {
      out.push(["mark", ","]);
      pad();
    } else if (word === ":") {
      out.push(["mark", ": "]);
    } else {
      const kind = word[0] === '"' ? (next === ":" ? "name" : "string") : /[-\d]/.test(word[0]) ? "number" : "word";
      out.push([kind, word]);
    }
  });
  return out;
}
