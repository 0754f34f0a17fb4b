/* Sphinx finds pages that have every word of a search. A question has words that no page has:
   where no page has them all, this shows pages that have most of them, the rarest words first. */
"use strict";
if (typeof Search !== "undefined") {
  const all = Search.performTermsSearch;
  Search.performTermsSearch = (terms, excluded) => {
    const results = all(terms, excluded);
    if (results.length || terms.size < 2) return results;
    const pages = new Map();
    for (const term of terms) {
      const matches = all(new Set([term]), excluded);
      for (const match of matches) {
        const page = pages.get(match[0]) || match.slice();
        if (!pages.has(match[0])) page[4] = 0;
        page[4] += (100 + match[4]) / (1 + matches.length);
        pages.set(match[0], page);
      }
    }
    return [...pages.values()].sort((a, b) => b[4] - a[4]).slice(0, 12);
  };
}
