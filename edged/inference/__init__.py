"""ONNX Runtime and nothing else: what this installation offers, a session, and a look at a file before native code.

Only `edged.worker` and the commands import this package; the daemon itself never loads ONNX Runtime.
"""
