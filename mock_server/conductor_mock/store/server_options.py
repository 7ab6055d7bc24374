"""The options that a server was started with, and what they make of an account's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from conductor_mock.farm import ids
from conductor_mock.farm.clock import ONE, Anchor
from conductor_mock.farm.commands import AccountOpened, ClockSet, Command, OptionsChanged
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import State
from conductor_mock.farm.values import Options

OF_ACCOUNTS = ("seed", "fleet", "provider", "part_size", "release_scouts")
"""What the server was started with and accounts keep; `OptionsChange` of `control.yaml` says what they may be."""

DEFAULT_SEED = 1
DEFAULT_FLEET = 0
DEFAULT_PROVIDER = "gcs"
DEFAULT_PART_SIZE = 1 << 30
DEFAULT_RELEASE_SCOUTS = False
"""The tasks that are not scouts wait until somebody approves them (wire reference 7.2 and 7.3)."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the server was started with; None keeps what an account's log says."""

    catalog_sha256: str
    seed: int | None = None
    fleet: int | None = None
    provider: str | None = None
    part_size: int | None = None
    release_scouts: bool | None = None
    speed_millionths: int | None = None
    execute: int = 0
    """Tasks that run for real at once, in the one account that may: `execute_account`."""
    execute_account: str = ""

    def shown(self) -> dict[str, str]:
        """What is told of these options, by the names that they have on a command line."""
        return {
            "--catalog": self.catalog_sha256[:12],
            **{f"--{name.replace('_', '-')}": _shown(getattr(self, name)) for name in OF_ACCOUNTS},
            "--speed": _shown(None if self.speed_millionths is None else self.speed_millionths / ONE),
            "--execute-slots": str(self.execute) if self.execute else "without --execute",
            "--execute-account": self.execute_account,
        }

    def digest(self) -> str:
        """What tells these options from others; the version of the simulation is among them."""
        return hashlib.sha256(repr((SIMULATION_VERSION, self)).encode()).hexdigest()[:16]

    def execute_of(self, account_id: str) -> int:
        """How many tasks of an account run for real at once; 0 are simulated."""
        return self.execute if account_id == self.execute_account else 0

    def opening(self, client_id: str, key_sha256: str, wall_us: int) -> Record:
        """The command that opens an account at a wall time."""
        account_id = ids.account_id(client_id)
        clock = Anchor(wall_us, wall_us, ONE if self.speed_millionths is None else self.speed_millionths)
        options = self.first_options(account_id)
        return Record(1, wall_us, AccountOpened(client_id, account_id, key_sha256, options, clock))

    def differences(self, state: State, wall_us: int) -> list[Command]:
        """The commands that give an account the options of this server, where its log says something else."""
        commands: list[Command] = []
        options = self.options_after(state.options, state.account_id)
        if options != state.options:
            commands.append(OptionsChanged(options))
        speed = self.speed_millionths
        if speed is not None and speed != state.clock.speed_millionths:
            commands.append(ClockSet(Anchor(wall_us, state.now_us, speed)))
        return commands

    def first_options(self, account_id: str) -> Options:
        """The options of an account that is opened now."""
        default = Options(
            simulation_version=SIMULATION_VERSION,
            catalog_sha256=self.catalog_sha256,
            seed=DEFAULT_SEED,
            fleet=DEFAULT_FLEET,
            provider=DEFAULT_PROVIDER,
            part_size=DEFAULT_PART_SIZE,
            release_scouts=DEFAULT_RELEASE_SCOUTS,
        )
        return self.options_after(default, account_id)

    def options_after(self, logged: Options, account_id: str) -> Options:
        """The options of an account whose log says `logged`."""
        own = {name: getattr(self, name) for name in OF_ACCOUNTS}
        return replace(
            logged,
            simulation_version=SIMULATION_VERSION,
            catalog_sha256=self.catalog_sha256,
            execute=self.execute_of(account_id),
            **{name: value for name, value in own.items() if value is not None},
        )


def _shown(value: object) -> str:
    """A value as it is given; one that was not given is the log's."""
    return "not given" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
