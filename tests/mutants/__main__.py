"""Plant the faults of a module one at a time, and tell which of them its tests let through.

python -m mutants client/conductor/lib/download/safe_paths.py
python -m mutants mock_server/conductor_mock/farm/fold.py --tests "tests/mock_server/test_fold.py" --sample 0
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from mutants.faults import Fault, faults_of
from mutants.running import KILLED, STUCK, SuiteError, run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ("client", "mock_server", "contracts")
SEED = 9
CAUGHT = (KILLED, STUCK)


def read(name: str) -> dict[str, Any]:
    """One of the tables beside this file."""
    found: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8")) or {}
    return found


def module_name(path: str) -> str:
    """The name by which a module is imported: `client/conductor/lib/jobs.py` is `conductor.lib.jobs`."""
    return path.removesuffix(".py").split("/", 1)[1].replace("/", ".")


def main() -> int:
    """The command; its exit code is 1 where a fault was let through, 2 where nothing could be tried."""
    parser = argparse.ArgumentParser(
        prog="mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("module", help="its path, from the top of the tree")
    parser.add_argument("--tests", default="", help="test files; without, those of modules.yaml")
    parser.add_argument("--sample", type=int, default=None, help="how many faults at most; 0: all of them")
    parser.add_argument("--line", type=int, default=0, help="only the faults of this line")
    asked = parser.parse_args()
    os.chdir(ROOT)
    tables = read("modules.yaml")
    tests = asked.tests.split() or tables["tests"].get(asked.module, [])
    if asked.module.split("/")[0] not in PACKAGES or not Path(asked.module).is_file() or not tests:
        parser.error(f"{asked.module}: name a module that tests/mutants/modules.yaml lists, or its tests too")
    os.environ.update(CI="true", HYPOTHESIS_PROFILE="fast")  # the same examples for every fault
    every = faults_of(ROOT / asked.module)
    known = read("equivalent.yaml").get(asked.module, {})
    tried = [fault for fault in every if not fault.is_among(known) and asked.line in (0, fault.line)]
    size = tables["sample"] if asked.sample is None else asked.sample
    if size and size < len(tried):
        tried = sorted(random.Random(SEED).sample(tried, size), key=lambda fault: fault.line)
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder  # other runs of pytest tidy up in the usual one
        return report(asked.module, tests, tried, len(every))


def report(module: str, tests: list[str], tried: list[Fault], count: int) -> int:
    """Run and print."""
    log = ROOT / "build" / f"mutants-{os.getpid()}.log"
    log.parent.mkdir(exist_ok=True)
    verdicts: Counter[str] = Counter()
    try:
        for result in run(ROOT / module, module_name(module), tests, tried, log):
            verdicts[result.verdict] += 1
            if result.verdict not in CAUGHT:
                fault = result.fault
                print(f"{module}:{fault.line} {result.verdict}, {fault.kind}: {fault.exact_key}", flush=True)
    except SuiteError as error:
        print(f"{module}: {error}", file=sys.stderr)
        return 2
    log.unlink(missing_ok=True)
    caught = sum(verdicts[verdict] for verdict in CAUGHT)
    share = 100 * caught / len(tried) if tried else 100.0
    print(f"{module}: {caught} of {len(tried)} caught ({share:.0f} %); the module has {count}", flush=True)
    return int(caught < len(tried))


if __name__ == "__main__":
    sys.exit(main())
