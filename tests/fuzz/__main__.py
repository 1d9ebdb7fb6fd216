"""`python -m tests.fuzz [TARGET [libFuzzer's options]]`: coverage-guided fuzzing by Atheris.

Without a target each one runs for FUZZ_SECONDS (60). What was found lies in `.fuzz/TARGET`, and a
crash's bytes beside it, as libFuzzer says: give that file as the last option to see it again.
"""

import os
import subprocess
import sys
from pathlib import Path

import atheris

CORPUS = Path(".fuzz")


def main() -> int:
    """Exit code 0 where no target fails."""
    if len(sys.argv) == 1:
        return _all()
    name = sys.argv[1]
    with atheris.instrument_imports(include=["controller", "sandbox", "sealed_task"]):
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS
    if name not in TARGETS:
        print(f"There is no target {name}; there are {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-artifact_prefix={CORPUS}/{name}-", "-max_len=4096", *sys.argv[2:]]
    if not any(Path(option).is_file() for option in sys.argv[2:]):
        options.append(str(corpus))
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()
    return 0


def _all() -> int:
    from tests.fuzz.targets import TARGETS

    seconds = os.environ.get("FUZZ_SECONDS", "60")
    failed = []
    for name in TARGETS:
        print(f"fuzz: {name}, {seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", name, f"-max_total_time={seconds}"]
        if subprocess.run([*command, "-print_final_stats=1"], check=False).returncode:
            failed.append(name)
    print(f"fuzz: {', '.join(failed)} failed" if failed else "fuzz: no target failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
