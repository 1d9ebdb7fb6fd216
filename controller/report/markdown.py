"""The report as Markdown: short texts have no markup left, long ones a fence they can't close."""

import re

from markupsafe import Markup

from controller.report import Report
from controller.text import one_line, printable
from controller.web.environment import templates
from controller.web.words import TEXT_LETTERS

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|&!~$:@])")
_LINE_LETTERS = 500


def markdown(report: Report) -> str:
    """Ends with a line break."""
    return _templates.get_template("report.md").render(report=report, fenced=_fenced)


def _plain(value: object) -> object:
    """One line in which nothing is markup, and nothing becomes a link."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _MARKS.sub(r"\\\1", one_line(value, _LINE_LETTERS))
    return value


def _fenced(text: str, language: str) -> Markup:
    """A block with a fence that is longer than any in the text."""
    text = printable(text, TEXT_LETTERS)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text}\n{fence}")


_templates = templates.overlay(autoescape=False, finalize=_plain)
