"""What this machine offers edged and what is wrong with it, each finding with its remedy.

    probes (thin: files, sockets, processes) → facts → rules (pure) → findings → table or JSON

`edged.doctor.kinds` lists everything that can be found. `edged.doctor.examination` runs the probes side by side, all
within one bound. Nothing is written, and a daemon that runs is not disturbed.
"""
