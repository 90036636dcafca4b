"""The publisher's side of `[updates]`: a folder of signed metadata and models that any static web server can serve.

    DIR/metadata/1.root.json …  N.targets.json  N.snapshot.json  timestamp.json
    DIR/targets/models/<name>/<sha256>.<version>.tar   <sha256>.<new>.from-<old>.zst
    DIR.keys/                   what signs daily: targets.pem, online.pem, and the root that is trusted here
    DIR.root-keys/              what signs the root: carried away, needed to begin and to rotate

The format is The Update Framework's (TUF); ``tuf`` reads and writes it. Rules that hold here:

* What a file names is there before the file is, and ``timestamp.json`` is replaced last. Whoever reads the folder at
  any moment, or finds it after a kill, finds a repository that verifies.
* Nothing is signed again before its old signatures were checked from the trusted root on: what somebody slipped into
  the folder is never signed by us.
* The root's keys are not needed for anything that is done daily.
"""
