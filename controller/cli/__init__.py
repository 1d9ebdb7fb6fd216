"""The command line `sealed`: a file a verb; errors and exit codes are in `exits`."""

import typer

from controller.cli import experiments, interrupts, tasks
from controller.cli.control import pause, resume, stop
from controller.cli.doctor import examine
from controller.cli.exits import Verbs
from controller.cli.export import export_run
from controller.cli.report import report_run
from controller.cli.run import run_task
from controller.cli.selftest import attack_sandbox
from controller.cli.serve import serve
from controller.cli.status import show_status
from controller.cli.trials import try_candidate
from controller.cli.verify import verify_run
from controller.llm import keys
from sandbox.logs import configure

app = typer.Typer(
    name="sealed",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="An agent improves train.py in sealed containers; in the morning the score is still true.",
)
app.callback()(keys.take)
app.command("run")(run_task)
app.command("try")(try_candidate)
app.command("status")(show_status)
app.command()(pause)
app.command()(resume)
app.command()(stop)
app.add_typer(experiments.app, name="experiment")
app.command()(serve)
app.command("export")(export_run)
app.command("report")(report_run)
app.command("verify")(verify_run)
app.add_typer(tasks.app, name="task")
app.command("doctor")(examine)
app.command("selftest")(attack_sandbox)


def main() -> None:
    """The entry point of `sealed`."""
    configure("controller")
    interrupts.install()
    app(prog_name="sealed")
