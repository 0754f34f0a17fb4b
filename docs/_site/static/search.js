/* Sphinx finds pages that have every word of a search, and no numbers. A question has words that no
   page has, and people search for 429: this finds pages that have some of the words, and puts those
   with rare words, with words in the title, and with all of the words first. */
"use strict";
if (typeof Search !== "undefined") {
  const everyWord = Search.performTermsSearch;
  const parse = Search._parseQuery;
  const QUESTION = ["get", "make", "want", "need", "use", "mean", "mani"]; // words of a question, stemmed
  const HELPFUL = [[/^(faq|guides.why)/, 1.4], [/^(guides|tutorials|quick)/, 1.1], [/^examples/, 0.8]];
  const helpful = (name) => (HELPFUL.find(([names]) => names.test(name)) || [0, 1])[1];
  Scorer.title = 30;
  Search._parseQuery = (query) => {
    const parsed = parse(query);
    for (const number of query.match(/\b\d+\b/g) || []) parsed[1].add(number);
    const words = [...parsed[1]].filter((word) => !QUESTION.includes(word));
    if (words.length) parsed[1] = new Set(words);
    return parsed;
  };
  Search.performTermsSearch = (terms, excluded) => {
    const pages = new Map();
    const number = Search._index.docnames.length;
    for (const term of terms) {
      const matches = everyWord(new Set([term]), excluded);
      const rare = 1 + Math.log(number / (1 + matches.length));
      for (const match of matches) {
        const page = pages.get(match[0]) || Object.assign(match.slice(), { 4: 0 });
        page[4] += match[4] * rare;
        pages.set(match[0], page);
      }
    }
    const all = new Set(everyWord(terms, excluded).map((match) => match[0]));
    for (const [name, page] of pages) page[4] *= (all.has(name) ? 1.5 : 1) * helpful(name);
    return [...pages.values()].sort((a, b) => b[4] - a[4]).slice(0, 20);
  };
}
