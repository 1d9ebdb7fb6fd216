"""The report as one HTML file: it loads nothing, and runs nothing."""

from markupsafe import Markup

from controller.report import Report
from controller.web.environment import STATIC, templates


def html(report: Report) -> str:
    """The style sheet of the status page is in it; all else is escaped by the templates."""
    style = Markup((STATIC / "page.css").read_text(encoding="utf-8"))
    return templates.get_template("report.html").render(report=report, style=style)
