"""What breaks clients in software packages (wire reference 2.1, 5, 11 and trap 16)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conductor_mock.catalog.problems import Findings

Placed = tuple[str, Mapping[str, Any]]
"""A record and the JSON pointer to it."""

PLATFORMS = ("linux", "windows")
POLICIES = ("append", "exclusive", "prepend")
VERSION_PARTS = ("major_version", "minor_version", "release_version", "build_version")
INFORMATION = ("package", "vendor", "description", "build_id", "time_created", "time_updated", "updated_at")


def check_packages(placed: Sequence[Placed], findings: Findings) -> None:
    """Apply every rule for packages, one by one and among each other."""
    for path, package in placed:
        _check_identity(path, package, findings)
        _check_version(path, package, findings)
        _check_texts(path, package, findings)
        if "environment" in package:
            check_environment(f"{path}/environment", package["environment"], findings)
        else:
            findings.warn(
                f"{path}/environment", "is missing (clients that merge it raise KeyError); it may be empty"
            )
        for key in ("plugins", "plugin_hosts"):
            _check_ids(f"{path}/{key}", package.get(key), findings)
    check_unique(placed, "package_id", findings)
    _check_display_names(placed, findings)
    _check_hosts_exist(placed, findings)
    _check_links(placed, findings)


def display_version(package: Mapping[str, Any]) -> str:
    """The version as clients show it: the parts that are not empty, joined by dots."""
    return ".".join(str(package[part]) for part in VERSION_PARTS if package.get(part))


def check_unique(placed: Iterable[Placed], key: str, findings: Findings) -> None:
    """No two records may have the same text or number under `key`."""
    first: dict[str | int, str] = {}
    for path, record in placed:
        value = record.get(key)
        if isinstance(value, (str, int)) and (earlier := first.setdefault(value, path)) != path:
            findings.error(f"{path}/{key}", f"{value!r} is already at {earlier}; it must be unique")


def check_environment(path: str, variables: object, findings: Findings) -> None:
    """A list of `{name, value, merge_policy}` that both generations of clients merge. Values may be whole numbers."""
    if not isinstance(variables, list):
        findings.error(path, "must be a list of {name, value, merge_policy}; it may be empty, not missing")
        return
    policies: dict[str, str] = {}
    for index, variable in enumerate(variables):
        _check_variable(f"{path}/{index}", variable, policies, findings)


def _check_variable(path: str, variable: object, policies: dict[str, str], findings: Findings) -> None:
    if not isinstance(variable, dict):
        findings.error(path, "must be an object {name, value, merge_policy}")
        return
    name, policy = variable.get("name"), variable.get("merge_policy")
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        findings.error(f"{path}/name", "must be the name of a variable")
        return
    value = variable.get("value")
    if "value" not in variable or isinstance(value, (dict, list)):
        findings.error(f"{path}/value", "must be text or a whole number")
    elif not isinstance(value, (str, int)) or isinstance(value, bool):
        findings.odd(f"{path}/value", f"{value!r} must be text or a whole number; in YAML put it in quotes")
    if policy not in POLICIES:
        findings.error(f"{path}/merge_policy", f"is {policy!r}; accepted are {', '.join(POLICIES)}")
    elif policy == "prepend":
        findings.warn(f"{path}/merge_policy", "clients before 8.0 raise on 'prepend'")
    kind = "exclusive" if policy == "exclusive" else "joined"
    if policies.setdefault(name, kind) != kind:
        message = f"{name} is exclusive here or above and joined in the other; clients since 5.0.1 raise"
        findings.error(f"{path}/merge_policy", message)


def _check_identity(path: str, package: Mapping[str, Any], findings: Findings) -> None:
    for key in ("package_id", "product"):
        value = package.get(key)
        if not isinstance(value, str) or not value:
            findings.error(f"{path}/{key}", "must be text that is not empty")
        elif any(character.isspace() for character in value):
            findings.error(f"{path}/{key}", f"{value!r} has a space; clients split display names at spaces")
    product, platform = package.get("product"), package.get("platform")
    if not isinstance(platform, str) or not platform:
        findings.error(f"{path}/platform", "is missing (clients raise KeyError); use linux or windows")
    elif platform not in PLATFORMS:
        findings.warn(f"{path}/platform", f"{platform!r} is neither linux nor windows; clients drop it")
    elif platform == "linux" and "3dsmax" in str(product):
        findings.warn(f"{path}/platform", "clients since 8.0 drop 3ds Max on linux")


def _check_version(path: str, package: Mapping[str, Any], findings: Findings) -> None:
    for part in VERSION_PARTS:
        value = package.get(part)
        if part not in package:
            findings.error(f"{path}/{part}", "is missing (clients raise KeyError); use an empty text")
        elif value is not None and not isinstance(value, str):
            findings.error(f"{path}/{part}", f"{value!r} must be text, in quotes; clients raise TypeError")
        elif value and any(character.isspace() for character in value):
            findings.error(f"{path}/{part}", f"{value!r} has a space; clients split display names at spaces")
    if not display_version(package):
        if package.get("plugin_host_product"):
            findings.error(path, "a plugin without any version part makes clients raise ValueError")
        else:
            findings.warn(path, "a host without any version part has a display name of two words, not three")


def _check_texts(path: str, package: Mapping[str, Any], findings: Findings) -> None:
    if "plugin_host_product" not in package:
        findings.error(f"{path}/plugin_host_product", "is missing; use an empty text for a host application")
    for key in ("plugin_host_product", "plugin_host_version"):
        value = package.get(key)
        if value is not None and not isinstance(value, str):
            findings.error(f"{path}/{key}", f"{value!r} must be text, in quotes")
    if package.get("plugin_host_product") and not package.get("plugin_host_version"):
        findings.warn(
            f"{path}/plugin_host_version", "a plugin should say for which version of its host it is"
        )
    if "relative_path" not in package:
        findings.warn(f"{path}/relative_path", "is missing; the documented listing of packages sorts by it")
    elif not isinstance(package["relative_path"], str):
        findings.error(
            f"{path}/relative_path", "must be text; the documented listing of packages sorts by it"
        )
    if not isinstance(package.get("path"), str) or not package["path"]:
        findings.warn(f"{path}/path", "plug-ins build the PATH of a job from it, which then begins empty")
    for key in INFORMATION:
        if not isinstance(package.get(key, ""), (str, type(None))):
            findings.warn(f"{path}/{key}", "should be text")


def _check_ids(path: str, ids: object, findings: Findings) -> None:
    if ids is None:
        return
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        findings.error(path, "must be a list of package ids")
    elif repeated := [each for each, count in Counter(ids).items() if count > 1]:
        findings.warn(path, f"names {', '.join(repeated)} more than once")


def _check_display_names(placed: Sequence[Placed], findings: Findings) -> None:
    first: dict[tuple[str, ...], str] = {}
    for path, package in placed:
        shown = ("product", "platform", "plugin_host_product", "plugin_host_version")
        key = (display_version(package), *(str(package.get(part) or "") for part in shown))
        if (earlier := first.setdefault(key, path)) != path:
            findings.warn(path, f"has the display name and host of {earlier}; menus show only one of them")


def _check_hosts_exist(placed: Sequence[Placed], findings: Findings) -> None:
    """A plug-in's host is there: by its product, or by an id, as `maya` is no product but what maya-io is called."""
    products = {str(package.get("product")) for _, package in placed}
    ids = {str(package.get("package_id")) for _, package in placed}
    called = {
        str(package.get("plugin_host_product"))
        for _, package in placed
        if not ids.isdisjoint(_ids(package, "plugin_hosts"))
    }
    for path, package in placed:
        host = package.get("plugin_host_product")
        if host and str(host) not in products | called:
            findings.warn(f"{path}/plugin_host_product", f"there is no product {host!r} in this catalogue")


def _check_links(placed: Sequence[Placed], findings: Findings) -> None:
    by_id = {str(package.get("package_id")): package for _, package in placed}
    looping = _on_a_cycle({each: list(_known(package, "plugins", by_id)) for each, package in by_id.items()})
    for path, package in placed:
        own = str(package.get("package_id"))
        for key, reverse in (("plugins", "plugin_hosts"), ("plugin_hosts", "plugins")):
            _check_ends(f"{path}/{key}", own, package, key, reverse, by_id, findings)
        if own in looping:
            findings.error(f"{path}/plugins", "leads back to this package; clients raise RecursionError")


def _check_ends(
    path: str,
    own: str,
    package: Mapping[str, Any],
    key: str,
    reverse: str,
    by_id: Mapping[str, Mapping[str, Any]],
    findings: Findings,
) -> None:
    """Every link leads to a package of the same platform that links back."""
    for other in _ids(package, key):
        if other not in by_id:
            findings.warn(path, f"{other} is no package of this catalogue; clients skip it")
            continue
        if own not in _ids(by_id[other], reverse):
            findings.warn(path, f"{other} does not name {own} in its {reverse}")
        if key == "plugins" and by_id[other].get("platform") != package.get("platform"):
            findings.error(path, f"{other} is for another platform; clients raise when they merge the two")


def _ids(package: Mapping[str, Any], key: str) -> list[str]:
    ids = package.get(key)
    return [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []


def _known(package: Mapping[str, Any], key: str, by_id: Mapping[str, object]) -> Iterator[str]:
    return (each for each in _ids(package, key) if each in by_id)


def _on_a_cycle(links: Mapping[str, Sequence[str]]) -> set[str]:
    """The ids that can be reached from themselves.

    First everything that leads to no cycle is taken away, leaf by leaf; what stays is few, and is searched.
    """
    rest = {each: set(ends) for each, ends in links.items()}
    while leaves := {each for each, ends in rest.items() if not ends}:
        rest = {each: ends - leaves for each, ends in rest.items() if each not in leaves}
    return {each for each in rest if each in _reachable(each, rest)}


def _reachable(start: str, links: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(links[start])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(links[each])
    return found
