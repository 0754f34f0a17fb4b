"""Puts numbers into the index of the search: people look for 429 and 29001."""

from typing import Any

from sphinx.search import languages
from sphinx.search.en import SearchEnglish


class WithNumbers(SearchEnglish):
    """English, with numbers as words."""

    def word_filter(self, word: str) -> bool:
        """Returns whether a word is in the index."""
        return word not in self.stopwords


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx."""
    languages["en"] = WithNumbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
