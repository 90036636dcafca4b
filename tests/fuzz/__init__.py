"""Feeds edged what nobody should: bytes that went wrong, at every door that something from outside comes in by.

    python -m fuzz [TARGET …]     (with `tests` on the path: `make fuzz`)

    seeds ─ mutation ─→ target.run ─→ an outcome in a word, or a finding
      └──── guidance: what reached new lines is kept ────┘

* `targets`: doors of the daemon that can be called: configuration, model.toml, commands, rows …
* `gate`: models, each in a worker process as the daemon starts them; `media`: pictures and videos, in a child.
* `siege`: a whole daemon, over MQTT, HTTP and reloads.

What counts as a finding: an exception outside the tree of `edged.errors`, a wait beyond the bound, memory beyond the
bound, a process that is not a worker and dies, a file opened that lies outside the model's folder.
What was found is kept as a test beside these files, which makes the input anew.
"""
