"""The site that `make docs` builds from these pages: Sphinx, MyST Markdown, furo."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_site"))

project = "Mockserver"
author = "the authors of exchange-mockserver"
extensions = [
    "myst_parser",
    "glossary",
    "navigation",
    "search_numbers",
    "outside",
    "plain_text",
    "own_host",
]
exclude_patterns = ["_*", "**/node_modules", "requirements.*"]
root_doc = "index"
nitpicky = True
myst_heading_anchors = 4
# A block may leave something out (`...`); then it has no colours, which is no mistake.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "Mockserver"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_js_files = [("search.js", {"defer": "defer", "priority": 900})]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
