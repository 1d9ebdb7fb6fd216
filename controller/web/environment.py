"""How templates are filled: every value escaped, and made safe by `words.shown`."""

from pathlib import Path

import jinja2

from controller.vault import purpose_of
from controller.web import chart, words

STATIC = Path(__file__).parent / "static"

templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    finalize=words.shown,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {
    name: getattr(words, name)
    for name in ("duration", "figure", "gain", "line", "moment", "padded", "percent", "size")
}
templates.globals |= {
    "draw": chart.draw,
    "purpose_of": purpose_of,
    "seconds_until": words.seconds_until,
}
