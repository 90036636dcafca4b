"""edged as a service of this machine: which files systemd needs, and what becomes of those that are there already.

unitfiles.py   the files, from the bundle, with the path of this edged in them        pure
stamp.py       whether a file that is there is as edged wrote it                      pure
plan.py        what is to be written, left alone or taken away                        pure
checks.py      whether the service could start this edged                             looks at files
host.py        the doing: files, systemd-sysusers, systemd-tmpfiles, systemctl
"""
