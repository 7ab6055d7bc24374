"""A compositor's evening with Nuke's plug-in. In: a script, what it reads and writes. Out: what came of it."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "hosts"))

import nuke  # type: ignore[import-not-found]
from ciocore import data  # type: ignore[import-not-found]
from cionuke import entry, submit, validation  # type: ignore[import-not-found]

wanted = json.load(sys.stdin)
root = nuke.Root()
root["name"].setValue(wanted["script"])
root["last_frame"].setValue(wanted["last_frame"])
read, write = nuke.createNode("Read"), nuke.createNode("Write")
read.addKnob(nuke.File_Knob("file", value=wanted["plate"]))
write.addKnob(nuke.File_Knob("file", value=wanted["output"]))
write.addKnob(nuke.Boolean_Knob("create_directories"))
write.setInput(0, read)
write["selected"].setValue(True)

entry.add_to_nodes()
node = nuke.toNode("Conductor")
menus = {name: node[f"cio_{name}"].values() for name in ("software", "project", "insttype")}
chosen_by_itself = node["cio_software"].value()
for name, value in wanted["knobs"].items():
    node[name].setValue(value)

messages = validation.run(node)
built = submit.resolve_submission(node, should_scrape_assets=True)
answer = None
if wanted["submit"]:
    dialog = submit.SubmissionDialog(node, True, messages)
    answer, _ = dialog.save_and_submit()
    dialog.handle_response(answer)
    saved = node["cio_autosave_template"].getValue()
    # What is sent names the script as it was saved for it.
    built = json.loads(json.dumps(built).replace(wanted["script"], saved))

chosen = data.data()["software"].find_by_name(node["cio_software"].value())
print()
print(
    json.dumps(
        {
            "hosts": menus["software"],
            "projects": menus["project"],
            "machines": menus["insttype"],
            "chosen_by_itself": chosen_by_itself,
            "complaints": [text for texts in messages.values() for text in texts],
            "built": built,
            "answer": answer,
            "chosen": [chosen],
        }
    )
)
