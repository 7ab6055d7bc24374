"""What a request names of a catalogue, looked up; what is not there is noticed: a real account's ids are not ours."""

from __future__ import annotations

from conductor_mock.api.bodies import notice
from conductor_mock.catalog import Catalog
from conductor_mock.farm.payload import Submission
from conductor_mock.farm.values import Machine


def check_project(offered: Catalog, name: object, path: str) -> None:
    """Notice a project that the catalogue does not list; null is no project (`conductor upload` sends it)."""
    if name and offered.project(str(name)) is None:
        notice(path, f"the catalogue has no project {str(name)[:80]!r}")


def machine_of(offered: Catalog, submission: Submission) -> Machine:
    """The machine that a job copies, with what its packages cost on it; notices packages and an instance type that the
    catalogue does not know. An unknown instance type has no price and the reference's speed.
    """
    license_micro_usd_per_hour = 0
    for index, package_id in enumerate(submission.packages):
        package = offered.package(package_id)
        if package is None:
            notice(f"/software_package_ids/{index}", f"the catalogue has no package {str(package_id)[:80]!r}")
        else:
            license_micro_usd_per_hour += offered.license(package["product"])
    name = submission.instance_type
    machine = known_machine(offered, name, license_micro_usd_per_hour)
    if machine is None:
        path = "/instance_type" if submission.payload.get("instance_type") else "/cores"
        notice(path, f"the catalogue has no instance type {name[:80]!r}")
        return Machine(
            name,
            cores=1,
            price_micro_usd_per_hour=0,
            preemptible_micro_usd_per_hour=0,
            license_micro_usd_per_hour=license_micro_usd_per_hour,
            speed=100,
        )
    return machine


def known_machine(offered: Catalog, name: str, license_micro_usd_per_hour: int) -> Machine | None:
    """The machine of a catalogue as a job copies it, with what the job's software costs on it by the hour."""
    machine = offered.machine(name)
    if machine is None:
        return None
    return Machine(
        name=name,
        cores=machine.cores,
        price_micro_usd_per_hour=machine.price_micro_usd_per_hour,
        preemptible_micro_usd_per_hour=machine.preemptible_micro_usd_per_hour,
        license_micro_usd_per_hour=license_micro_usd_per_hour,
        speed=machine.speed,
    )
