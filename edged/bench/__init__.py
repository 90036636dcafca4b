"""What a model costs on this machine: stage by stage, beside the bare session, and overlapped as the daemon does it.

    stages    one frame after the other through each stage, nothing beside it
    bare      the same session asked again and again, with nothing around it
    whole     camera, pipeline and outbox as the daemon has them, all at once
    capacity  how many cameras that allows

They take turns, a few seconds each, so that what else the machine does meets all of them alike.
"""
