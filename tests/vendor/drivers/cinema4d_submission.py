"""A motion designer's evening with Cinema 4D's plug-in. In: the document and values. Out: what came of it.

The window's own methods are called, as the host would; its controls are the stand-in's.
"""

import json
import sys
import webbrowser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "hosts"))

import c4d  # type: ignore[import-not-found]

wanted = json.load(sys.stdin)
c4d.open_document(
    c4d.Document(wanted["document"], tuple(wanted["frames"]), wanted["output"], wanted["textures"])
)

from cioc4d.conductor_dialog import ConductorDialog  # type: ignore[import-not-found]  # noqa: E402
from ciocore import data  # type: ignore[import-not-found]  # noqa: E402

opened: list[str] = []
webbrowser.open_new = opened.append  # type: ignore[assignment]
dialog = ConductorDialog()
dialog.CreateLayout()
dialog.InitValues()
dialog.Command(dialog.foot_grp.connect_button_id, None)

software, general = dialog.section("SoftwareSection"), dialog.section("GeneralSection")
hosts = [name for _, name in software.host_version_widget.items]
host = hosts[-1]
software.host_version_widget.set_by_value(host)
dialog.Command(software.host_version_widget.combo_box_id, None)
renderers = [name for _, name in software.renderer_widget.items]
renderer = renderers[-1]
software.renderer_widget.set_by_value(renderer)
general.title_widget.set_value("C4D $prj")
dialog.section("FramesSection").chunk_size_widget.set_value(2)

built = dialog.calculate_submission(with_assets=True)
if wanted["submit"]:
    dialog.Command(dialog.foot_grp.submit_button_id, None)
    # What is sent names the document as it was saved for it.
    name = Path(wanted["document"]).name
    built = json.loads(
        json.dumps(built).replace(f"/{name}", f"/cio_{name}").replace("C4D spot", "C4D cio_spot")
    )

tree = data.data()["software"]
chosen = [tree.find_by_path(host), tree.find_by_path(f"{host}/{renderer} linux")]
print()
print(
    json.dumps(
        {
            "hosts": hosts,
            "projects": [name for _, name in general.projects_widget.items],
            "machines": [one["description"] for one in data.data()["instance_types"].instance_types.values()],
            "complaints": [
                text for text in c4d.shown if "No issues found" not in text and "Success" not in text
            ],
            "built": built,
            "answer": {"status": "success", "uri": opened[0]} if opened else None,
            "chosen": [one for one in chosen if one],
        }
    )
)
