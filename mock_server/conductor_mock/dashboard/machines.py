"""The machines of the catalogue, with what the simulated farm takes for them."""

from __future__ import annotations

from conductor_mock.dashboard.shown import CURRENCY, account_name, chosen_values, offered, show


def machines() -> str:
    """Every instance type; with `text` those whose name or description has it."""
    query = chosen_values("text")
    text = query.get("text", "").casefold()
    catalog = offered()
    rows = []
    for record in catalog.instance_types:
        if text not in f"{record['name']} {record.get('description') or ''}".casefold():
            continue
        machine, gpu = catalog.machines[record["name"]], record.get("gpu") or {}
        rows.append(
            {
                "name": record["name"],
                "description": record.get("description") or "",
                "cores": record["cores"],
                "memory": f"{record['memory']} GB",
                "gpu": f"{gpu.get('gpu_count') or ''} {gpu.get('gpu_model') or ''}".strip() or "none",
                "system": record["operating_system"],
                "price": f"{machine.price_micro_usd_per_hour / 1e6:.4f} {CURRENCY}",
                "preemptible": f"{machine.preemptible_micro_usd_per_hour / 1e6:.4f} {CURRENCY}",
                "speed": f"{machine.speed} %",
            }
        )
    return show(
        "machines.html",
        account=account_name(),
        area="/machines",
        machines=rows,
        total=len(catalog.instance_types),
        query=query,
    )
